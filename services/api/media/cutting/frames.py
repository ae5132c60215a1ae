"""What an event's pictures and clip are cut from: the frames around its opening, as far as the queue has them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import redis

from services.api.media.records import Kind
from shared.entries import EntryId, Frame, parse_scores
from shared.store.client import translated
from shared.store.frame_queue import known_frames
from shared.store.keys import keys_of

CHUNK_FRAMES: Final = 32
CHUNK_SCORES: Final = 1000
GONE: Final = "its first frames had left the queue already"


@dataclass(frozen=True, slots=True)
class Span:
    """The times of capture, in ms, that a clip should reach from and to."""

    from_ms: int
    opened_ms: int
    to_ms: int


@dataclass(slots=True)
class Cut:
    """Hands on the frames of a span, oldest first, and notes what comes by: pictures, and what is missing.

    It holds a chunk of frames, and the pictures that are kept. Raises StoreUnavailable while it is gone through.
    """

    client: redis.Redis
    stream_id: str
    span: Span
    peak_ms: int
    fps: float
    pictures: dict[Kind, tuple[int, bytes]] = field(default_factory=dict)
    """Kind → time of capture in ms, JPEG."""
    frames_lost: int = 0
    """numbers that are missing between its first frame and its last"""
    is_late: bool = False
    """whether frames that it should begin with were in the queue once"""

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """(Time of capture in ms, JPEG) of each frame."""
        last: Frame | None = None
        for frame in frames_between(self.client, self.stream_id, self.span.from_ms, self.span.to_ms):
            if frame.jpeg is None:
                continue
            if last is None:
                self._begin(frame)
            else:
                self.frames_lost += max(0, frame.sequence - last.sequence - 1)
            last = frame
            self._note(frame.captured_at_ms, frame.jpeg)
            yield frame.captured_at_ms, frame.jpeg

    def _begin(self, first: Frame) -> None:
        """Whether the queue begins with it although frames were published before, of which some belong here."""
        with translated():
            oldest: Any = self.client.xrange(keys_of(self.stream_id).frames(self.stream_id), count=1)
        queued = next(iter(known_frames(oldest)), None)
        begins_late = first.captured_at_ms - self.span.from_ms > 2000 / self.fps
        self.is_late = begins_late and first.sequence > 1 and (queued is None or queued.sequence == first.sequence)

    def _note(self, at_ms: int, jpeg: bytes) -> None:
        if at_ms < self.span.opened_ms:
            self.pictures.setdefault("before", (at_ms, jpeg))
            return
        self.pictures.setdefault("opening", (at_ms, jpeg))
        if at_ms == self.peak_ms:
            self.pictures["peak"] = at_ms, jpeg


def frames_between(client: redis.Redis, stream_id: str, from_ms: int, to_ms: int) -> Iterator[Frame]:
    """What the queue has from one time of capture to the other, both included, a chunk at a time."""
    key = keys_of(stream_id).frames(stream_id)
    at = f"{max(0, from_ms)}-0"
    while True:
        with translated():
            entries: Any = client.xrange(key, at, f"{to_ms}-0", count=CHUNK_FRAMES)
        yield from known_frames(entries)
        if len(entries) < CHUNK_FRAMES:
            return
        at = f"({entries[-1][0].decode()}"


def highest_score(
    client: redis.Redis, stream_id: str, label: str, from_ms: int, to_ms: int
) -> tuple[float, int] | None:
    """A label's highest score in frames from one time of capture to the other, and when that was; None: none is kept.

    Of equal ones it is the first. Raises StoreUnavailable.
    """
    key, at = keys_of(stream_id).scores(stream_id), f"{max(0, from_ms)}-0"
    best: tuple[float, int] | None = None
    while True:
        with translated():
            entries: Any = client.xrange(key, at, f"{to_ms}-0", count=CHUNK_SCORES)
        for entry_id, fields in entries:
            score = _score(fields, label)
            if score is not None and (best is None or score > best[0]):
                best = score, EntryId.parse(entry_id).ms
        if len(entries) < CHUNK_SCORES:
            return best
        at = f"({entries[-1][0].decode()}"


def _score(fields: Mapping[bytes, bytes], label: str) -> float | None:
    """A label's score in an entry; None where it has none, or cannot be read."""
    try:
        return parse_scores(fields).get(label)
    except ValueError:
        return None
