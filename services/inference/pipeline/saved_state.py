"""What a commit keeps of a stream so that any worker can go on with the next frame: memory, tracks, time."""

import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from services.inference.pipeline.tracker import Track, TrackerState

VERSION = 1


class StateUnreadable(ValueError):
    """The stored bytes are of an unknown version or damaged; the message is a short reason."""


@dataclass(frozen=True, slots=True)
class SavedState:
    """A stream between two frames.

    `vector` is the network's recurrent state, float32 [state_size], None for an empty memory; `at_ms` and `epoch` are
    those of the last frame that went into it (None and 0: none yet).
    """

    model: str
    vector: NDArray[np.float32] | None
    at_ms: int | None = None
    epoch: int = 0
    tracking: TrackerState = field(default_factory=TrackerState)

    def to_bytes(self) -> bytes:
        """A line of JSON and then the vector's bytes, little-endian; no bytes for an empty memory."""
        body = b"" if self.vector is None else self.vector.astype("<f4").tobytes()
        header = {
            "version": VERSION,
            "model": self.model,
            "at_ms": self.at_ms,
            "epoch": self.epoch,
            "tracks": {label: astuple(track) for label, track in self.tracking.tracks.items()},
            "frames_missed": self.tracking.frames_missed,
            "memory_reset": self.tracking.memory_reset,
        }
        return json.dumps(header, separators=(",", ":")).encode() + b"\n" + body

    @classmethod
    def from_bytes(cls, content: bytes) -> "SavedState":
        """The inverse of `to_bytes`; raises StateUnreadable."""
        line, _, body = content.partition(b"\n")
        try:
            header = json.loads(line)
            if header["version"] != VERSION:
                raise StateUnreadable("unknown version")
            return cls(
                model=_checked(header["model"], str),
                vector=np.frombuffer(body, "<f4").astype(np.float32) if body else None,
                at_ms=_checked(header["at_ms"], int | None),
                epoch=_checked(header["epoch"], int),
                tracking=TrackerState(
                    tracks={label: _track(values) for label, values in header["tracks"].items()},
                    frames_missed=_checked(header["frames_missed"], int),
                    memory_reset=_checked(header["memory_reset"], str | None),
                ),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            if isinstance(err, StateUnreadable):
                raise
            raise StateUnreadable("damaged") from err


def _checked(value: Any, kind: Any) -> Any:  # noqa: ANN401
    if not isinstance(value, int | float if kind is float else kind):
        raise StateUnreadable("damaged")
    return value


def _track(values: Sequence[Any]) -> Track:
    track = Track(*values)
    for name, kind in get_type_hints(Track).items():
        _checked(getattr(track, name), kind)
    if track.num_frames < 1:
        raise StateUnreadable("damaged")
    return track
