"""What Redis does in trouble, on a real one: all of it is StoreUnavailable, and over when the trouble is over."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import redis
from default_layout import keys_of
from patience import eventually
from redis_process import redis_process

from shared.entries import Frame
from shared.errors import StoreUnavailable
from shared.store.client import connect
from shared.store.commit import CommitOutcome, Committer, Retention, StreamCommit
from shared.store.frame_queue import FrameWriter, read_frames
from shared.store.leases import Lease, LeaseBook
from shared.store.registry import Registry
from shared.streams import Progress, StreamSpec, StreamStatus

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
SPEC = StreamSpec(id="cam", name="cam", source="a.mp4", base_ms=1, generation=7, created_at_ms=1)
PARTITION = keys_of("cam").partition


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="afterimage-") as path:
        yield Path(path)


@contextmanager
def client_of(url: str, timeout_seconds: float = 10, retries: int = 1) -> Iterator[redis.Redis]:
    with closing(connect(url, timeout_seconds, retries)) as client:
        yield client


def ingest_lease(client: redis.Redis) -> Lease:
    [lease] = LeaseBook(client, "ingest", "me", 60).take([PARTITION])
    return lease


def writer_of(client: redis.Redis) -> FrameWriter:
    return FrameWriter(client, "cam", 7, "live", ingest_lease(client))


def frame(number: int, size: int = 10) -> Frame:
    return Frame(number, number, 1, 0.0, b"x" * size)


def waiting(client: redis.Redis) -> list[Frame]:
    return read_frames(client, {"cam": "0-0"}, 10).get("cam", [])


def has_published(writer: FrameWriter, wanted: Frame) -> bool:
    with suppress(StoreUnavailable):
        return writer.publish([wanted]) == ("ok", 1)
    return False


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(StoreUnavailable) as raised:
        action()
    return str(raised.value)


def test_scripts_are_taught_to_a_redis_that_restarted(folder: Path) -> None:
    with redis_process(folder, *DURABLE) as url:
        client = connect(url, retries=1)
        Registry(client).add(SPEC)
        writer, book = writer_of(client), LeaseBook(client, "inference", "me", 60)
        writer.publish([frame(1)])
        leases = book.take(range(32))
    refusal(lambda: writer.publish([frame(2)]))
    refusal(book.beat)
    with redis_process(folder, *DURABLE), closing(client):
        assert book.renew(leases) == []
        assert book.beat() == ["me"]
        assert writer.publish([frame(1), frame(2)]) == ("ok", 2)
        assert [each.sequence for each in waiting(client)] == [1, 2]


def test_a_redis_that_is_loading_is_waited_for(folder: Path) -> None:
    (folder / "appendonly.aof").write_bytes(b"*3\r\n$3\r\nSET\r\n$6\r\nfiller\r\n$1\r\n1\r\n" * 9000)
    with redis_process(folder, *DURABLE, "--key-load-delay", "150") as url, client_of(url, retries=0) as client:
        registry = Registry(client)
        assert "loading" in refusal(registry.specs)

        def specs() -> bool:
            with suppress(StoreUnavailable):
                return registry.specs() == {}
            return False

        eventually(specs, "the end of loading")


def test_a_pause_longer_than_the_time_out_changes_nothing(folder: Path) -> None:
    with (
        redis_process(folder) as url,
        client_of(url, timeout_seconds=30) as client,
        client_of(url, timeout_seconds=0.2) as hasty,
    ):
        Registry(client).add(SPEC)
        lease = ingest_lease(client)
        writer, hasty_writer = (FrameWriter(each, "cam", 7, "live", lease) for each in (client, hasty))
        writer.publish([frame(1)])
        eventually(lambda: has_published(hasty_writer, frame(1)), "its connection")
        pid = client.info("server")["process_id"]
        os.kill(pid, signal.SIGSTOP)
        try:
            assert "Timeout" in refusal(lambda: hasty_writer.publish([frame(2), frame(3)]))
        finally:
            os.kill(pid, signal.SIGCONT)
        # those tries were heard after all, all of them
        eventually(lambda: len(waiting(client)) == 3, "late frames")
        assert writer.publish([frame(2), frame(3), frame(4)]) == ("ok", 3)
        frames = waiting(client)
        assert [(each.captured_at_ms, each.sequence) for each in frames] == [(1, 1), (2, 2), (3, 3), (4, 4)]


def test_a_redis_without_memory_is_relieved_by_commits(folder: Path) -> None:
    num_frames = 40
    with redis_process(folder, "--maxmemory-policy", "noeviction") as url, client_of(url) as client:
        Registry(client).add(SPEC)
        writer, book = writer_of(client), LeaseBook(client, "inference", "me", 60)
        writer.publish([frame(number, size=100_000) for number in range(1, num_frames + 1)])
        leases = book.take(set(range(32)) - {PARTITION})
        client.config_set("maxmemory", client.info("memory")["used_memory"] - 1_000_000)
        assert "it is full" in refusal(lambda: writer.publish([frame(num_frames + 1)]))
        assert "it is full" in refusal(lambda: Registry(client).add(SPEC.model_copy(update={"id": "other"})))
        assert book.beat() == ["me"]
        assert book.renew(leases) == []
        [lease] = book.take([PARTITION])
        assert Registry(client).set_status("cam", StreamStatus(generation=7), ingest_lease(client))
        at = f"{num_frames}-0"
        wanted = Progress(7, cursor=at, sequence=num_frames, frames_processed=num_frames, checkpoint=at)
        scores = [(f"{number}-0", (0.5,)) for number in range(1, num_frames + 1)]
        commit = StreamCommit("cam", lease, Progress(7), wanted, b"state", ("moved",), scores)
        committer = Committer(client, Retention(frames_seconds=0))
        assert committer.commit([commit]) == {"cam": CommitOutcome.COMMITTED}
        assert client.xlen(keys_of("cam").scores("cam")) == num_frames
        assert writer_of(client).publish([frame(num_frames + 1)]) == ("ok", 1)


def test_a_redis_that_cannot_save_is_waited_for(folder: Path) -> None:
    with redis_process(folder) as url, client_of(url) as client:
        registry = Registry(client)
        assert registry.specs() == {}
        (folder / "dump.rdb").mkdir()
        client.config_set("save", "3600 1")
        client.bgsave()
        eventually(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "a failed save")
        assert "MISCONF" in refusal(lambda: registry.add(SPEC))
        client.config_set("stop-writes-on-bgsave-error", "no")
        registry.add(SPEC)


def test_a_master_that_became_a_replica_is_left_for_the_new_one(folder: Path) -> None:
    (folder / "new").mkdir()
    with redis_process(folder) as url, client_of(url) as client, client_of(url) as operator:
        registry = Registry(client)
        assert registry.specs() == {}
        operator.replicaof("127.0.0.1", 1)
        assert "READONLY" in refusal(lambda: registry.add(SPEC))
        with redis_process(folder / "new"), client_of(url) as new:
            (folder / "new" / "redis.sock").rename(folder / "redis.sock")  # the name leads elsewhere now
            registry.add(SPEC)
            assert list(Registry(new).specs()) == ["cam"]
