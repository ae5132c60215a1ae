"""Several inference workers on one Redis: streams go from one to another, and nobody can tell from the results."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import redis
from default_layout import NUM_PARTITIONS
from patience import eventually
from worker_runner import WorkerRunner, pictures, save_random_model, spec_of

from shared.store.leases import LEASE_SECONDS, living_workers

STREAMS = tuple(f"cam-{number}" for number in range(8))
FILM = pictures(36)


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    save_random_model(tmp_path)
    return tmp_path


@pytest.fixture
def workers(redis_client: redis.Redis, models_dir: Path) -> Iterator[list[WorkerRunner]]:
    """Three, none of them started; the last one may publish."""
    with ExitStack() as stack:
        yield [stack.enter_context(WorkerRunner(redis_client, models_dir)) for _ in range(3)]


def publish(worker: WorkerRunner, frames: slice) -> None:
    for stream_id in STREAMS:
        worker.publish(spec_of(stream_id), FILM[frames], first=frames.start)


def wait_all(worker: WorkerRunner, frames: int) -> None:
    for stream_id in STREAMS:
        worker.wait_processed(stream_id, frames)


def owners(client: redis.Redis) -> list[int]:
    return sorted(len(view.partitions) for view in living_workers(client, "inference", LEASE_SECONDS))


def test_memory_goes_with_the_streams_from_worker_to_worker(
    workers: list[WorkerRunner], redis_client: redis.Redis
) -> None:
    one, two, three = workers
    publisher = three
    publisher.registry.add(spec_of("undisturbed"))
    for stream_id in STREAMS:
        publisher.registry.add(spec_of(stream_id))
    one.start()
    publisher.publish(spec_of("undisturbed"), FILM)
    publish(publisher, slice(0, 12))
    wait_all(publisher, 12)
    publisher.wait_processed("undisturbed", 36)
    two.start()
    eventually(lambda: owners(redis_client) == [16, 16], "halves")
    publish(publisher, slice(12, 24))
    wait_all(publisher, 24)
    one.stop()
    eventually(lambda: owners(redis_client) == [NUM_PARTITIONS], "all for the second")
    publish(publisher, slice(24, 36))
    wait_all(publisher, 36)
    expected = list(publisher.scores("undisturbed").values())
    for stream_id in STREAMS:
        assert np.allclose(list(publisher.scores(stream_id).values()), expected, atol=1e-4)
        assert publisher.record(stream_id).progress.frames_processed == 36
    assert one.value("afterimage_rebalances_total", way="handed_back") == 16
    assert two.value("afterimage_rebalances_total", way="taken") == NUM_PARTITIONS
    restored = two.value("afterimage_state_restores_total")
    assert restored == len(STREAMS) + 1
    assert not one.value("afterimage_commits_fenced_total")
    assert not two.value("afterimage_state_resets_total", reason="gap")


def test_a_worker_that_leaves_shows_no_series_of_streams_that_it_no_longer_serves(
    workers: list[WorkerRunner], redis_client: redis.Redis
) -> None:
    one, two, publisher = workers
    for stream_id in STREAMS:
        publisher.registry.add(spec_of(stream_id))
    one.start()
    publish(publisher, slice(0, 6))
    wait_all(publisher, 6)
    two.start()
    eventually(lambda: owners(redis_client) == [16, 16], "halves")

    def shown(worker: WorkerRunner) -> set[str]:
        name = "afterimage_checkpoint_timestamp_seconds"
        return {stream_id for stream_id in STREAMS if worker.value(name, stream_id=stream_id) is not None}

    publish(publisher, slice(6, 12))
    wait_all(publisher, 12)
    eventually(lambda: shown(one) | shown(two) == set(STREAMS), "all counted")
    assert not shown(one) & shown(two)
