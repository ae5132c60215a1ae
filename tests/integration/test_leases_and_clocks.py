"""Redis's clock is set while workers hold leases: nobody loses one, and who is gone does not keep one."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import redis
from default_layout import NUM_PARTITIONS, PARTITIONS, keys_of
from faked_time import FakedTime
from leasing import tenancy
from patience import eventually
from prometheus_client import CollectorRegistry
from redis_process import redis_process

from shared.entries import Frame
from shared.service.lease_metrics import LeaseMetrics
from shared.store.client import connect
from shared.store.commit import CommitOutcome, Committer, Retention, StreamCommit
from shared.store.frame_queue import FrameWriter
from shared.store.leases import LeaseBook, living_workers
from shared.store.registry import Registry
from shared.streams import Progress, StreamSpec, StreamStatus

SHORT_SECONDS = 2.0
ALL = range(NUM_PARTITIONS)
AN_HOUR = 3600.0
SPEC = StreamSpec(id="cam", name="cam", source="a.mp4", base_ms=1, generation=7, created_at_ms=1)
PARTITION = keys_of("cam").partition


@pytest.fixture
def clock(tmp_path: Path) -> FakedTime:
    return FakedTime(tmp_path)


@pytest.fixture
def client(clock: FakedTime) -> Iterator[redis.Redis]:
    """Of a Redis that goes by the clock."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="afterimage-"))
        url = stack.enter_context(redis_process(Path(folder), environment=clock.environment))
        yield stack.enter_context(closing(connect(url)))


def set_clock(clock: FakedTime, client: redis.Redis, seconds: float) -> None:
    """Returns once Redis has seen it, and forgotten what ran out by it."""
    clock.set(seconds)

    def is_seen() -> bool:
        return abs(client.time()[0] - time.time() - seconds) < 5

    eventually(is_seen, "Redis's new time")


@pytest.mark.parametrize("seconds", [-AN_HOUR, -40, AN_HOUR])
def test_workers_keep_what_they_have(client: redis.Redis, clock: FakedTime, seconds: float) -> None:
    registries = [CollectorRegistry() for _ in range(2)]
    one, two = (tenancy(client, "ingest", LeaseMetrics(each), SHORT_SECONDS) for each in registries)
    with one, two:

        def is_shared() -> bool:
            for keeper in (one, two):
                keeper.give_back(list(keeper.leaving().values()))
            return len(one.held()) == len(two.held()) == NUM_PARTITIONS // 2

        eventually(is_shared, "a fair share each")
        held = one.held(), two.held()
        set_clock(clock, client, seconds)
        until = time.monotonic() + 1.5 * SHORT_SECONDS
        while time.monotonic() < until:
            assert (one.held(), two.held()) == held
            time.sleep(0.01)
        assert {keys.partition: client.get(keys.lease("ingest")) for keys in PARTITIONS} == {
            partition: str(lease).encode() for each in held for partition, lease in each.items()
        }
        eventually(lambda: len(living_workers(client, "ingest", SHORT_SECONDS)) == 2, "both among the living")
    moved = [each.get_sample_value("afterimage_rebalances_total", {"way": "lost"}) for each in registries]
    assert moved == [0, 0]


def test_what_a_dead_worker_held_is_free_soon_though_the_clock_was_set_back(
    client: redis.Redis, clock: FakedTime
) -> None:
    dead = LeaseBook(client, "ingest", "dead", SHORT_SECONDS)
    dead.beat()
    dead.take(ALL)
    set_clock(clock, client, -AN_HOUR)
    with tenancy(client, "ingest", ttl_seconds=SHORT_SECONDS) as keeper:
        eventually(lambda: len(keeper.held()) == NUM_PARTITIONS, "all are taken over")


def test_a_lease_that_ran_out_is_good_until_another_is_taken(client: redis.Redis, clock: FakedTime) -> None:
    Registry(client).add(SPEC)
    one, other = (LeaseBook(client, "ingest", name) for name in ("one", "other"))
    [lease], [scoring] = one.take([PARTITION]), LeaseBook(client, "inference", "one").take([PARTITION])
    writer = FrameWriter(client, "cam", 7, "live", lease)
    wanted = Progress(7, "1-0", 1, 1)
    commit = StreamCommit("cam", scoring, Progress(7), wanted, b"state", ("moved",), [("1-0", (0.5,))])
    set_clock(clock, client, AN_HOUR)
    assert client.get(keys_of("cam").lease("ingest")) is None
    assert writer.publish([Frame(1, 1, 1, 0.0, b"jpeg")]) == ("ok", 1)
    assert Registry(client).set_status("cam", StreamStatus(generation=7), lease)
    assert Committer(client, Retention()).commit([commit]) == {"cam": CommitOutcome.COMMITTED}
    assert one.renew([lease]) == []
    assert other.take([PARTITION]) == []
    set_clock(clock, client, 2 * AN_HOUR)
    assert other.take([PARTITION])
    assert one.renew([lease]) == [lease]
    assert writer.publish([Frame(2, 2, 1, 0.0, b"jpeg")]) == ("fenced", 0)


def test_a_lease_that_was_given_back_is_good_for_nothing(client: redis.Redis) -> None:
    Registry(client).add(SPEC)
    book = LeaseBook(client, "ingest", "one")
    [lease] = book.take([PARTITION])
    book.release([lease])
    book.release([lease])
    assert book.renew([lease]) == [lease]
    assert FrameWriter(client, "cam", 7, "live", lease).publish([Frame(1, 1, 1, 0.0, b"jpeg")]) == ("fenced", 0)
    [again] = book.take([PARTITION])
    assert again.token > lease.token
