"""What is stored of a stream so that any worker can go on with the next frame.

The tracks are stored by each commit that changes them, whole: what a later version told in a field more ends with that.
The memory is large, so it is a checkpoint, stored now and then with the cursor that it belongs to; who takes over has
the frames since go through the network once more.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self, get_type_hints

import numpy as np
from numpy.typing import NDArray

from services.inference.pipeline.messages import Remembered
from shared.life.tracker import Track, TrackerState
from shared.words.versions import check_version

VERSION: Final = 2
KINDS: Final = get_type_hints(Track)
DEFAULTS: Final[Mapping[str, Any]] = Track._field_defaults
NO_DEFAULT: Final = object()
ENCODER: Final = json.JSONEncoder(separators=(",", ":"))


class StateUnreadable(Exception):
    """The stored bytes are of a version that is not known any more, or damaged; the message is a short reason."""


@dataclass(frozen=True, slots=True)
class SavedTracks:
    """What is under way in a stream, and the model that found it."""

    model: str
    tracking: TrackerState = field(default_factory=TrackerState)

    def to_bytes(self) -> bytes:
        """JSON, the tracks' fields by their names, but for those that say nothing."""
        tracking = self.tracking
        return _packed(
            {
                "version": VERSION,
                "model": self.model,
                "tracks": {label: _told(track) for label, track in tracking.tracks.items()},
                "frames_missed": tracking.frames_missed,
                "memory_reset": tracking.memory_reset,
            }
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The inverse of `to_bytes`; raises StateUnreadable, or LaterVersion where it must stay as it is."""
        stored = _unpacked(content)
        try:
            return cls(
                model=_checked(stored["model"], str),
                tracking=TrackerState(
                    tracks={_checked(label, str): _track(values) for label, values in stored["tracks"].items()},
                    frames_missed=_checked(stored["frames_missed"], int),
                    memory_reset=_checked(stored["memory_reset"], str | None),
                ),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            raise StateUnreadable("damaged") from err


@dataclass(frozen=True, slots=True)
class SavedMemory:
    """A stream's memory by a model, as it was after the entry `cursor`, with so many frames processed.

    `forgets` says how often it had been asked to be emptied.
    """

    model: str
    cursor: str
    frames_processed: int
    memory: Remembered
    forgets: int = 0

    def to_bytes(self) -> bytes:
        """A line of JSON and then the vector's bytes, float32, little-endian; no bytes for an empty memory."""
        memory = self.memory
        header = {
            "version": VERSION,
            "model": self.model,
            "cursor": self.cursor,
            "frames_processed": self.frames_processed,
            "at_ms": memory.at_ms,
            "reset_after_seconds": memory.reset_after_seconds,
        }
        header |= {"forgets": self.forgets} if self.forgets else {}
        return _packed(header) + b"\n" + (b"" if memory.vector is None else memory.vector.astype("<f4").tobytes())

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The inverse of `to_bytes`; raises StateUnreadable, or LaterVersion where it must stay as it is."""
        line, _, body = content.partition(b"\n")
        stored = _unpacked(line)
        try:
            return cls(
                model=_checked(stored["model"], str),
                cursor=_checked(stored["cursor"], str),
                frames_processed=_checked(stored["frames_processed"], int),
                memory=Remembered(
                    _vector(body),
                    _checked(stored["at_ms"], int | None),
                    _checked(stored.get("reset_after_seconds"), int | float | None),
                ),
                forgets=_checked(stored.get("forgets", 0), int),
            )
        except (ValueError, KeyError, TypeError) as err:
            raise StateUnreadable("damaged") from err


def _packed(content: Mapping[str, Any]) -> bytes:
    return ENCODER.encode(content).encode()


def _unpacked(content: bytes) -> dict[str, Any]:
    try:
        stored = json.loads(content)
        version = stored["version"]
    except (ValueError, KeyError, TypeError) as err:
        raise StateUnreadable("damaged") from err
    check_version(version, VERSION)
    if version != VERSION:
        raise StateUnreadable("of an earlier version")
    return dict(stored)


def _vector(body: bytes) -> NDArray[np.float32] | None:
    return np.frombuffer(body, "<f4").astype(np.float32) if body else None


def _checked(value: Any, kind: Any) -> Any:  # noqa: ANN401
    if not isinstance(value, int | float if kind is float else kind):
        raise StateUnreadable("damaged")
    return value


def _told(track: Track) -> dict[str, Any]:
    return {name: value for name, value in track._asdict().items() if value != DEFAULTS.get(name, NO_DEFAULT)}


def _track(values: Mapping[str, Any]) -> Track:
    track = Track(**{name: _checked(value, KINDS[name]) for name, value in values.items() if name in KINDS})
    if track.num_frames < 1:
        raise StateUnreadable("damaged")
    return track
