"""What an event's pictures and clip are cut from: the frames around its opening, as far as the queue has them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import redis

from services.api.media.records import Kind
from shared.entries import EntryId, Frame, parse_scores
from shared.store.client import translated
from shared.store.frame_queue import known_frames
from shared.store.layout.known import layout_of

CHUNK_FRAMES: Final = 32
CHUNK_SCORES: Final = 1000
GONE: Final = "frames of it had left the queue already"


@dataclass(frozen=True, slots=True)
class ClipSpan:
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
    span: ClipSpan
    peak_ms: int
    pictures: dict[Kind, tuple[int, bytes]] = field(default_factory=dict)
    """Kind → time of capture in ms, JPEG."""
    frames_lost: int = 0
    """numbers that are missing between its first frame and its last"""
    frames_gone: int = 0
    """that were looked at, before its first frame or after its last, and were not in the queue any more"""

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """(Time of capture in ms, JPEG) of each frame."""
        first: Frame | None = None
        last: Frame | None = None
        for frame in frames_between(self.client, self.stream_id, self.span.from_ms, self.span.to_ms):
            if frame.jpeg is None:
                continue
            if last is not None:
                self.frames_lost += max(0, frame.sequence - last.sequence - 1)
            first, last = first or frame, frame
            self._note(frame.captured_at_ms, frame.jpeg)
            yield frame.captured_at_ms, frame.jpeg
        looked_at = [ms for ms, _ in scored(self.client, self.stream_id, self.span.from_ms, self.span.to_ms)]
        had = range(first.captured_at_ms, last.captured_at_ms + 1) if first and last else ()
        self.frames_gone = sum(ms not in had for ms in looked_at)

    def _note(self, at_ms: int, jpeg: bytes) -> None:
        if at_ms < self.span.opened_ms:
            self.pictures.setdefault("before", (at_ms, jpeg))
            return
        self.pictures.setdefault("opening", (at_ms, jpeg))
        if at_ms == self.peak_ms:
            self.pictures["peak"] = at_ms, jpeg


def frames_between(client: redis.Redis, stream_id: str, from_ms: int, to_ms: int) -> Iterator[Frame]:
    """What the queue has from one time of capture to the other, both included, a chunk at a time."""
    for entry in _entries(client, layout_of(client).keys_of(stream_id).frames(stream_id), from_ms, to_ms, CHUNK_FRAMES):
        yield from known_frames([entry])


def highest_score(
    client: redis.Redis, stream_id: str, label: str, from_ms: int, to_ms: int
) -> tuple[float, int] | None:
    """A label's highest score in frames from one time of capture to the other, and when that was; None: none is kept.

    Of equal ones it is the first. Raises StoreUnavailable.
    """
    best: tuple[float, int] | None = None
    for ms, fields in scored(client, stream_id, from_ms, to_ms):
        score = _score(fields, label)
        if score is not None and (best is None or score > best[0]):
            best = score, ms
    return best


def scored(
    client: redis.Redis, stream_id: str, from_ms: int, to_ms: int
) -> Iterator[tuple[int, Mapping[bytes, bytes]]]:
    """Times of capture of the frames that were looked at between two times, both included, with their scores."""
    key = layout_of(client).keys_of(stream_id).scores(stream_id)
    for entry_id, fields in _entries(client, key, from_ms, to_ms, CHUNK_SCORES):
        yield EntryId.parse(entry_id).ms, fields


def _entries(client: redis.Redis, key: str, from_ms: int, to_ms: int, chunk: int) -> Iterator[Any]:
    at = f"{max(0, from_ms)}-0"
    while True:
        with translated():
            entries: Any = client.xrange(key, at, f"{to_ms}-0", count=chunk)
        yield from entries
        if len(entries) < chunk:
            return
        at = f"({entries[-1][0].decode()}"


def _score(fields: Mapping[bytes, bytes], label: str) -> float | None:
    """A label's score in an entry; None where it has none, or cannot be read."""
    try:
        return parse_scores(fields).get(label)
    except ValueError:
        return None
