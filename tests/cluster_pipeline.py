"""A pipeline in small: frames of many streams published, read and committed, step by step, on a cluster in trouble."""

from contextlib import suppress
from typing import Any

import redis
import redis.asyncio
from api_server import BASE_MS, an_event
from default_layout import keys_of, partition_of
from leasing import seize

from shared.entries import Frame
from shared.errors import StoreUnavailable
from shared.store.commit import CommitOutcome, Committer, Retention, StreamCommit
from shared.store.frame_queue import FrameWriter, read_frames
from shared.store.leases import Lease
from shared.store.registry import Registry
from shared.streams import Progress, StreamSpec

STREAMS = tuple(f"cam{number}" for number in range(64))


def spec(stream_id: str) -> StreamSpec:
    return StreamSpec(id=stream_id, name="camera", source="a.mp4", base_ms=1, generation=7, created_at_ms=1)


def frame(at_ms: int) -> Frame:
    return Frame(at_ms, at_ms, 1, 0.0, b"jpeg")


def commit_of(stream_id: str, lease: Lease, number: int) -> StreamCommit:
    """The commit of a stream's n-th frame, of which one is at each millisecond."""
    last = f"{number - 1}-0"
    before = Progress(7, last, number - 1, number - 1, last) if number > 1 else Progress(7)
    at = f"{number}-0"
    after = before._replace(cursor=at, sequence=number, frames_processed=number, checkpoint=at)
    states = (("opened", "open"), ("closed", "closed"))
    changes = [(kind, an_event(stream_id, BASE_MS + number, state=state)) for kind, state in states]
    return StreamCommit(stream_id, lease, before, after, b"state", ("moved",), [(at, (0.5,))], changes, b"memory")


class Pipeline:
    """Publishes a frame of every stream, reads it and commits it, on and on, each step until it is through."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._committer = Committer(client, Retention())
        self._ingest, self._inference = seize(client, "ingest"), seize(client, "inference")
        self.done = 0

    def try_step(self) -> bool:
        """Moves every stream on by a frame; returns whether the cluster let it."""
        with suppress(StoreUnavailable):
            self._step(self.done + 1)
            self.done += 1
            return True
        return False

    def _step(self, number: int) -> None:
        for stream_id in STREAMS:
            lease = self._ingest[partition_of(stream_id)]
            outcome = FrameWriter(self._client, stream_id, 7, "fast", lease).publish([frame(number)])
            assert outcome == ("ok", 1)
        found = read_frames(self._client, dict.fromkeys(STREAMS, f"{number - 1}-0"), 10)
        assert [(each, [frame.sequence for frame in frames]) for each, frames in found.items()] == [
            (each, [number]) for each in by_partition()
        ]
        commits = [commit_of(each, self._inference[partition_of(each)], number) for each in STREAMS]
        assert set(self._committer.commit(commits).values()) == {CommitOutcome.COMMITTED}

    def check(self) -> None:
        """Everything is there once."""
        expected = [f"{number}-0".encode() for number in range(1, self.done + 1)]
        for stream_id in STREAMS:
            keys = keys_of(stream_id)
            for key in (keys.frames(stream_id), keys.scores(stream_id)):
                entries: Any = self._client.xrange(key)
                assert [entry_id for entry_id, _ in entries] == expected
        records = Registry(self._client).records(STREAMS)
        assert {record.progress.frames_processed for record in records} == {self.done}
        feeds = [self._client.xlen(key) for key in {keys_of(stream_id).feed for stream_id in STREAMS}]
        assert sum(feeds) == 2 * self.done * len(STREAMS)


def by_partition() -> list[str]:
    """The streams as they are read: partition by partition, in the order of their first streams."""
    order = list(dict.fromkeys(keys_of(stream_id).partition for stream_id in STREAMS))
    return sorted(STREAMS, key=lambda stream_id: order.index(keys_of(stream_id).partition))
