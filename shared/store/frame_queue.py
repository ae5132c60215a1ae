"""The frame queue: one Redis stream per camera, whose entry ids are the frames' capture times.

Publishing is one script: it checks the publisher's lease and the stream's generation, refuses a frame that is in the
queue already (or was), numbers the frames without a hole, and keeps the queue bounded. A live queue that is full drops
its oldest frames (the reader sees the hole in the numbers and counts it); a fast one refuses until inference has
caught up.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import redis

from shared.entries import Frame
from shared.store.client import replies_of, streams_in, translated
from shared.store.keys import PartitionKeys
from shared.store.layout.known import layout_of
from shared.store.leases import OWNS, Lease
from shared.store.scripts import IS_AFTER, Script, lua
from shared.words.versions import VERSION_FIELD

MAX_LIVE_FRAMES = 512
MAX_WAITING_FRAMES = 128
MAX_KEPT_FAST_FRAMES = 2048
"""What was passed of a fast stream and is held for whoever records, with what waits."""
LATER: Final = VERSION_FIELD.encode()
MAX_QUEUE_BYTES = 64 << 20
"""Where frames are large, so many fewer of them may wait."""

PUBLISH: Final = lua("frames_publish")


class Outcome(StrEnum):
    """What became of a publication."""

    OK = "ok"
    FULL = "full"
    GONE = "gone"
    FENCED = "fenced"


class FrameWriter:
    """Publishes one stream's frames under a lease of its partition."""

    def __init__(self, client: redis.Redis, stream_id: str, generation: int, pace: str, lease: Lease) -> None:
        self._script = Script(client, OWNS + IS_AFTER + PUBLISH)
        self._client = client
        keys = layout_of(client).keys_of(stream_id)
        self._frames_key = keys.frames(stream_id)
        self._keys = [*keys.ownership("ingest"), self._frames_key, keys.published, keys.progress, keys.arrivals]
        self._pace = pace
        self._head = [str(lease), stream_id, generation, pace]
        self._large_bytes = 0.0

    def publish(self, frames: Sequence[Frame]) -> tuple[Outcome, int]:
        """Appends frames in order; returns what happened and how many of them are in the queue now.

        After FULL the caller waits and publishes the rest again. Raises StoreUnavailable; publishing the same frames
        again after that is harmless.
        """
        fitting = self._fitting(frames)
        most_kept = MAX_KEPT_FAST_FRAMES if self._pace == "fast" else MAX_LIVE_FRAMES
        arguments: list[Any] = [*self._head, min(MAX_WAITING_FRAMES, fitting), min(most_kept, fitting)]
        for frame in frames:
            fields = frame.fields()
            arguments += [frame.entry_id, len(fields), *fields]
        with translated():
            outcome, accepted = self._script(self._keys, arguments)
        return Outcome(outcome.decode()), accepted

    def _fitting(self, frames: Sequence[Frame]) -> int:
        """How many frames fit into a queue, by the size of the largest lately."""
        for frame in frames:
            if frame.jpeg is not None:
                self._large_bytes = max(len(frame.jpeg), 0.99 * self._large_bytes)
        return max(1, int(MAX_QUEUE_BYTES / max(1.0, self._large_bytes)))

    def last_entry_id(self) -> str | None:
        """The id of the newest entry still in the queue, or None."""
        with translated():
            newest: Any = self._client.xrevrange(self._frames_key, count=1)
        return newest[0][0].decode() if newest else None


def read_frames(client: redis.Redis, cursors: Mapping[str, str], max_per_stream: int) -> dict[str, list[Frame]]:
    """What waits after each stream's cursor, oldest first, in one pipelined round trip; streams without are left out.

    `cursors` maps stream ids to entry ids; one XREAD goes out per partition, so it works on a cluster. Where that
    meets a key that is no queue, its neighbours are asked one by one. Entries that are no frames are passed over, but a
    later version's: a stream where such a one comes next has no frames. Raises StoreUnavailable.
    """
    by_partition: dict[PartitionKeys, list[str]] = {}
    layout = layout_of(client)
    for stream_id in cursors:
        by_partition.setdefault(layout.keys_of(stream_id), []).append(stream_id)
    names = {keys.frames(each).encode(): each for keys, stream_ids in by_partition.items() for each in stream_ids}
    groups = list(by_partition.items())
    replies = _read(client, cursors, groups, max_per_stream)
    asked = zip(groups, replies, strict=True)
    alone = [(keys, [each]) for (keys, group), reply in asked if isinstance(reply, Exception) for each in group]
    if alone:
        replies += _read(client, cursors, alone, max_per_stream)
    entries = {names[key]: found for key, found in streams_in(replies)}
    found = {stream_id: known_frames(each) for stream_id, each in entries.items()}
    return {each: frames for each, frames in found.items() if frames or any(map(_is_later, entries[each]))}


def known_frames(entries: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> list[Frame]:
    """The frames among a queue's entries, up to the first that only a later version knows."""
    found = []
    for entry_id, fields in entries:
        try:
            found.append(Frame.parse(entry_id, fields))
        except (KeyError, ValueError):
            if _is_later((entry_id, fields)):
                break
    return found


def _is_later(entry: tuple[bytes, Mapping[bytes, bytes]]) -> bool:
    """Whether what is no frame here is one to a later version."""
    return LATER in entry[1]


def _read(
    client: redis.Redis, cursors: Mapping[str, str], groups: Iterable[tuple[PartitionKeys, list[str]]], max_frames: int
) -> list[Any]:
    """An XREAD's reply for each group of streams of one partition, or the error of one that meets another type."""
    pipeline = client.pipeline(transaction=False)
    for keys, group in groups:
        wanted: dict[Any, Any] = {keys.frames(stream_id): cursors[stream_id] for stream_id in group}
        pipeline.xread(wanted, count=max_frames)
    return replies_of(pipeline)
