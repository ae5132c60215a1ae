"""The frame queue: one Redis stream per camera, whose entry ids are the frames' capture times.

Publishing is one script: it checks the publisher's lease and the stream's generation, refuses a frame that is in the
queue already (or was), numbers the frames without a hole, and keeps the queue bounded. A live queue that is full drops
its oldest frames (the reader sees the hole in the numbers and counts it); a fast one refuses until inference has
caught up.
"""

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

import redis

from shared.entries import EntryId
from shared.store.client import replies_of, translated
from shared.store.keys import PartitionKeys, keys_of
from shared.store.leases import OWNS, Lease
from shared.store.scripts import IS_AFTER, Script, lua

MAX_LIVE_FRAMES = 512
MAX_WAITING_FRAMES = 128
MAX_JPEG_BYTES = 1 << 20
MAX_QUEUE_BYTES = 64 << 20
"""Where frames are large, so many fewer of them may wait."""

MAX_FIGURES = 16
FIGURES_VERSION = b"\x01"
FIGURE_BYTES = 4
MAX_FIGURE = 3.4e38
Figures = tuple[float, ...]

PUBLISH: Final = lua("frames_publish")


@dataclass(frozen=True, slots=True)
class NewFrame:
    """A frame as ingest hands it over.

    `captured_at_ms` is its identity; `due_at_ms` the wall-clock time at which it was captured or, for a file, left the
    decoder, from which latency counts; `media_seconds` its presentation time on the sampling grid. `damaged` says that
    the decoder found it so, or concealed a part; `figures` is what was measured of it at full size, if anything was.
    """

    captured_at_ms: int
    due_at_ms: int
    epoch: int
    media_seconds: float
    jpeg: bytes
    damaged: bool = False
    figures: Figures | None = None

    @property
    def entry_id(self) -> str:
        """The Redis id of the frame."""
        return f"{self.captured_at_ms}-0"

    def fields(self) -> list[Any]:
        """Field names and values, in turn; raises ValueError for figures that do not fit."""
        fields = ["j", self.jpeg, "e", self.epoch, "m", f"{self.media_seconds:.3f}", "w", self.due_at_ms]
        if self.damaged:
            fields += ["d", 1]
        if self.figures is not None:
            fields += ["x", pack_figures(self.figures)]
        return fields


@dataclass(frozen=True, slots=True)
class EndOfSource:
    """A marker after the last frame of a source that ended: open events close when inference passes it."""

    last_frame_at_ms: int

    @property
    def entry_id(self) -> str:
        """The Redis id of the marker: right after the last frame, before any that could follow."""
        return f"{self.last_frame_at_ms}-1"

    def fields(self) -> list[Any]:
        """Field names and values, in turn."""
        return ["end", "1"]


class Outcome(StrEnum):
    """What became of a publication."""

    OK = "ok"
    FULL = "full"
    GONE = "gone"
    FENCED = "fenced"


@dataclass(frozen=True, slots=True)
class QueuedFrame:
    """An entry as inference reads it; `jpeg` is None for the end-of-source marker."""

    stream_id: str
    entry_id: str
    captured_at_ms: int
    sequence: int
    epoch: int
    media_seconds: float
    due_at_ms: int
    jpeg: bytes | None
    damaged: bool = False
    figures: Figures | None = None

    @classmethod
    def parse(cls, stream_id: str, entry_id: bytes, fields: Mapping[bytes, bytes]) -> Self:
        """An entry of the queue as XREAD gives it."""
        text = entry_id.decode()
        return cls(
            stream_id=stream_id,
            entry_id=text,
            captured_at_ms=EntryId.parse(entry_id).ms,
            sequence=int(fields[b"n"]),
            epoch=int(fields.get(b"e", 0)),
            media_seconds=float(fields.get(b"m", 0)),
            due_at_ms=int(fields.get(b"w", 0)),
            jpeg=fields.get(b"j"),
            damaged=fields.get(b"d") == b"1",
            figures=unpack_figures(fields.get(b"x", b"")),
        )


def pack_figures(figures: Figures) -> bytes:
    """1 to MAX_FIGURES numbers as a version and as many float32; raises ValueError."""
    if not (1 <= len(figures) <= MAX_FIGURES and all(abs(figure) <= MAX_FIGURE for figure in figures)):
        raise ValueError(f"figures {figures}: allowed are 1 to {MAX_FIGURES} numbers up to {MAX_FIGURE:g}")
    return FIGURES_VERSION + struct.pack(f"<{len(figures)}f", *figures)


def unpack_figures(packed: bytes) -> Figures | None:
    """What `pack_figures` packed; None for what another version did, and for anything else."""
    version, rest = packed[:1], packed[1:]
    num_figures, left = divmod(len(rest), FIGURE_BYTES)
    if version != FIGURES_VERSION or left or not 1 <= num_figures <= MAX_FIGURES:
        return None
    figures = struct.unpack(f"<{num_figures}f", rest)
    return figures if all(map(math.isfinite, figures)) else None


class FrameWriter:
    """Publishes one stream's frames under a lease of its partition."""

    def __init__(self, client: redis.Redis, stream_id: str, generation: int, pace: str, lease: Lease) -> None:
        self._script = Script(client, OWNS + IS_AFTER + PUBLISH)
        self._client = client
        keys = keys_of(stream_id)
        self._frames_key = keys.frames(stream_id)
        self._keys = [*keys.ownership("ingest"), self._frames_key, keys.published, keys.progress]
        self._head = [str(lease), stream_id, generation, pace]
        self._large_bytes = 0.0

    def publish(self, entries: Sequence[NewFrame | EndOfSource]) -> tuple[Outcome, int]:
        """Appends entries in order; returns what happened and how many of them are in the queue now.

        After FULL the caller waits and publishes the rest again. Raises StoreUnavailable; publishing the same entries
        again after that is harmless.
        """
        arguments: list[Any] = [*self._head, *self._bounds(entries)]
        for entry in entries:
            fields = entry.fields()
            arguments += [entry.entry_id, len(fields), *fields]
        with translated():
            outcome, accepted = self._script(self._keys, arguments)
        return Outcome(outcome.decode()), accepted

    def _bounds(self, entries: Sequence[NewFrame | EndOfSource]) -> tuple[int, int]:
        """Most frames that may wait (fast) and that are kept (live), by the size of the largest lately."""
        for entry in entries:
            if isinstance(entry, NewFrame):
                self._large_bytes = max(len(entry.jpeg), 0.99 * self._large_bytes)
        fitting = max(1, int(MAX_QUEUE_BYTES / max(1.0, self._large_bytes)))
        return min(MAX_WAITING_FRAMES, fitting), min(MAX_LIVE_FRAMES, fitting)

    def last_entry_id(self) -> str | None:
        """The id of the newest entry still in the queue, or None."""
        with translated():
            newest: Any = self._client.xrevrange(self._frames_key, count=1)
        return newest[0][0].decode() if newest else None


def read_frames(client: redis.Redis, cursors: Mapping[str, str], max_per_stream: int) -> list[QueuedFrame]:
    """What waits after each stream's cursor, oldest first per stream, in one pipelined round trip.

    `cursors` maps stream ids to entry ids; one XREAD goes out per partition, so it works on a cluster. Where that
    meets a key that is no queue, its neighbours are asked one by one. Entries that are no frames are passed over.
    Raises StoreUnavailable.
    """
    by_partition: dict[PartitionKeys, list[str]] = {}
    for stream_id in cursors:
        by_partition.setdefault(keys_of(stream_id), []).append(stream_id)
    names = {keys.frames(each).encode(): each for keys, stream_ids in by_partition.items() for each in stream_ids}
    groups = list(by_partition.values())
    replies = _read(client, cursors, groups, max_per_stream)
    asked = zip(groups, replies, strict=True)
    alone = [[each] for group, reply in asked if isinstance(reply, Exception) for each in group]
    if alone:
        replies += _read(client, cursors, alone, max_per_stream)
    found = [
        parsed_frame(names[key], entry_id, fields)
        for key, entries in _streams_in(replies)
        for entry_id, fields in entries
    ]
    return [frame for frame in found if frame is not None]


def _read(client: redis.Redis, cursors: Mapping[str, str], groups: Iterable[list[str]], max_frames: int) -> list[Any]:
    """An XREAD's reply for each group of streams of one partition, or the error of one that meets another type."""
    pipeline = client.pipeline(transaction=False)
    for group in groups:
        wanted: dict[Any, Any] = {keys_of(stream_id).frames(stream_id): cursors[stream_id] for stream_id in group}
        pipeline.xread(wanted, count=max_frames)
    return replies_of(pipeline)


def parsed_frame(stream_id: str, entry_id: bytes, fields: Mapping[bytes, bytes]) -> QueuedFrame | None:
    """An entry of the queue, None where it is no frame that this version knows."""
    try:
        return QueuedFrame.parse(stream_id, entry_id, fields)
    except (KeyError, ValueError):
        return None


def _streams_in(replies: Iterable[Any]) -> Iterable[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]:
    """XREAD's replies as (key, entries), whichever protocol the client speaks; errors are left out."""
    for reply in replies:
        if not reply or isinstance(reply, Exception):
            continue
        yield from reply.items() if isinstance(reply, dict) else reply
