"""What the services tell Prometheus: as it wants it named and typed, bounded, and gone with the stream."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import redis
from api_server import RunningApi, running_api
from default_layout import keys_of
from films import VideoFile
from ingest_runner import IngestRunner
from leasing import lease_of
from patience import eventually
from prometheus_client import generate_latest
from promtool import promtool
from redis_cluster import redis_cluster
from redis_process import redis_process
from worker_runner import WorkerRunner, pictures, save_random_model, spec_of

from services.api.kept.known import KnownStreams
from services.api.live.standings import Standings
from services.api.metrics.store import TURNS, QueueSizes, StoreCollector
from shared.store.client import connect
from shared.store.keys import Role
from shared.store.leases import LEASE_SECONDS
from shared.store.registry import Registry
from shared.streams import StreamState, StreamStatus

MAX_BYTES = 64 << 20


@pytest.fixture
def api(redis_url: str, redis_client: redis.Redis) -> Iterator[RunningApi]:
    with running_api(redis_url) as running:
        yield running


def samples(text: str, name: str) -> dict[str, float]:
    """A metric's series on a page: what stands in the braces → value."""
    lines = [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
    return {line.rpartition(" ")[0].partition("{")[2].rstrip("}"): float(line.rpartition(" ")[2]) for line in lines}


def live(client: redis.Redis, stream_id: str) -> None:
    registry = Registry(client)
    status = StreamStatus(state=StreamState.LIVE, generation=registry.get(stream_id).spec.generation)
    registry.set_status(stream_id, status, lease_of(client, "ingest", stream_id))


def test_the_apis_page(api: RunningApi, redis_client: redis.Redis) -> None:
    api.add("door")
    live(redis_client, "door")
    redis_client.xadd(keys_of("door").frames("door"), {"j": b"x" * 50_000})
    page = api.metrics()
    promtool("check", "metrics", text=page)
    assert samples(page, "afterimage_stream_state") == {'model="camera-events",state="live",stream_id="door"': 1.0}
    assert samples(page, "afterimage_streams") == {f'state="{each}"': float(each == "live") for each in StreamState}
    assert samples(page, "afterimage_stream_queue_bytes")['stream_id="door"'] > 50_000
    assert samples(page, "afterimage_queue_bytes")[""] > 50_000
    assert samples(page, "afterimage_stream_lag_frames") == {'pace="live",stream_id="door"': 0.0}
    assert samples(page, "afterimage_workers") == {f'role="{role}"': 0.0 for role in get_args(Role)}
    assert samples(page, "afterimage_redis_memory_bytes")['node="redis"'] > 50_000
    assert not samples(page, "afterimage_redis_memory_limit_bytes")
    assert samples(page, "process_resident_memory_bytes")
    assert "_created" not in page
    api.http.delete("/v1/streams/door")
    assert not samples(api.metrics(), "afterimage_stream_state")


WANTED = {
    "all": {"door": (5.0, 1.0), "yard": (9.0, 1.0), "film": (40.0, 1.0)},
    "none": {"": (9.0, 2.0)},
    "north": {"door": (5.0, 1.0), "": (9.0, 1.0)},
}


@pytest.mark.parametrize("wanted", WANTED)
def test_streams_without_series_of_their_own_are_told_together(
    wanted: str, redis_url: str, redis_client: redis.Redis
) -> None:
    with running_api(redis_url, metrics_streams=wanted) as api:
        for stream_id, group, pace, lag in (("door", "north", "live", 5), ("yard", "south", "live", 9)):
            api.add(stream_id, groups=[group], pace=pace)
            live(redis_client, stream_id)
            redis_client.hset(keys_of(stream_id).published, stream_id, lag)
            redis_client.xadd(keys_of(stream_id).frames(stream_id), {"j": b"x" * 50_000})
        api.add("film", pace="fast")
        redis_client.hset(keys_of("film").published, "film", 40)
        page = api.metrics()
    promtool("check", "metrics", text=page)
    lags, states = samples(page, "afterimage_stream_lag_frames"), samples(page, "afterimage_stream_state")
    for name, (most, num_live) in WANTED[wanted].items():
        assert lags[f'pace="{"fast" if name == "film" else "live"}",stream_id="{name}"'] == most
        state = "pending" if name == "film" else "live"
        assert states[f'model="camera-events",state="{state}",stream_id="{name}"'] == num_live
    assert {labels.rpartition("stream_id=")[2].strip('"') for labels in lags} == {*WANTED[wanted]}
    assert sum(states.values()) == 3
    assert samples(page, "afterimage_lag_frames") == {'pace="live"': 14.0, 'pace="fast"': 40.0}
    queues = samples(page, "afterimage_stream_queue_bytes")
    assert sum(queues.values()) == samples(page, "afterimage_queue_bytes")[""] > 100_000


def test_a_queue_is_asked_for_its_size_where_something_came_and_in_its_turn(redis_client: redis.Redis) -> None:
    registry, standings = Registry(redis_client), Standings(redis_client, KnownStreams(redis_client))
    sizes = QueueSizes(redis_client)

    def asked() -> int:
        told: dict[str, dict[str, int]] = redis_client.info("commandstats")
        return sum(each["calls"] for name, each in told.items() if name.startswith("cmdstat_memory"))

    redis_client.config_resetstat()
    for number in range(2 * TURNS):
        registry.add(spec_of(f"cam{number}"))
    assert sizes.look(standings.all()) == {}
    assert asked() == 2 * TURNS
    for number in range(2 * TURNS):
        redis_client.xadd(keys_of(f"cam{number}").frames(f"cam{number}"), {"j": b"x" * 5000})
        redis_client.hset(keys_of(f"cam{number}").published, f"cam{number}", 1)
    assert len(sizes.look(standings.all())) == 2 * TURNS
    assert asked() == 4 * TURNS
    sizes.look(standings.all())
    assert asked() == 4 * TURNS + 2, "one in so many has its turn"
    redis_client.delete(keys_of("cam3").frames("cam3"))
    for _ in range(TURNS):
        found = sizes.look(standings.all())
    assert found.keys() == {f"cam{number}" for number in range(2 * TURNS)} - {"cam3"}


def test_the_limit_of_redis_is_told_where_there_is_one() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="afterimage-") as folder,
        redis_process(Path(folder), "--maxmemory", str(MAX_BYTES)) as url,
        running_api(url) as api,
    ):
        page = api.metrics()
    assert samples(page, "afterimage_redis_memory_limit_bytes") == {'node="redis"': float(MAX_BYTES)}


def test_of_a_cluster_every_master_is_asked() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="afterimage-") as folder,
        redis_cluster(Path(folder)) as cluster,
        contextlib.closing(connect(cluster.url)) as client,
    ):
        registry = Registry(client)
        for stream_id in ("one", "two", "three"):
            registry.add(spec_of(stream_id))
            client.xadd(keys_of(stream_id).frames(stream_id), {"j": b"x" * 50_000})
        collector = StoreCollector(client, Standings(client, KnownStreams(client)), LEASE_SECONDS)
        families = {each.name: each.samples for each in collector.collect()}
    assert len(families["afterimage_redis_memory_bytes"]) == 3
    assert all(sample.value > 50_000 for sample in families["afterimage_stream_queue_bytes"])
    assert families["afterimage_api_store_up"][0].value == 1


def test_the_workers_page(redis_client: redis.Redis, tmp_path: Path) -> None:
    save_random_model(tmp_path)
    runner = WorkerRunner(redis_client, tmp_path)
    spec = spec_of("cam")
    runner.registry.add(spec)
    runner.publish(spec, pictures(5))
    runner.start()
    try:
        eventually(lambda: runner.registry.get("cam").progress.frames_processed == 5, "all frames looked at")
        name = "afterimage_frames_processed_total"
        eventually(lambda: runner.value(name, stream_id="cam") == 5, "all of them counted")
        page = generate_latest(runner.metrics.registry).decode()
        runner.registry.remove("cam")
        eventually(lambda: b'"cam"' not in generate_latest(runner.metrics.registry), "its series are gone")
    finally:
        runner.stop()
    promtool("check", "metrics", text=page)
    assert set(samples(page, "afterimage_events_total")) == {
        f'label="{label}",stream_id="cam"' for label in ("moved", "frozen")
    }
    assert all(0 <= score <= 1 for score in samples(page, "afterimage_stream_score_ratio").values())
    assert len(samples(page, "afterimage_stream_score_ratio")) == 2
    assert samples(page, "afterimage_frames_dropped_total") == {'reason="queue_full",stream_id="cam"': 0.0}
    assert samples(page, "afterimage_commits_fenced_total") == {"": 0.0}
    assert samples(page, "afterimage_model_load_seconds")['model="tiny"'] > 0


def test_of_a_paused_stream_nothing_is_told_before_frames_come(redis_client: redis.Redis, tmp_path: Path) -> None:
    reference = save_random_model(tmp_path)
    runner = WorkerRunner(redis_client, tmp_path)
    spec = spec_of("cam", paused=True)
    runner.registry.add(spec)
    runner.start()
    try:
        runner.wait_model("cam", reference)
        assert '"cam"' not in generate_latest(runner.metrics.registry).decode()
        runner.publish(spec, pictures(5))  # what was on its way
        eventually(lambda: runner.value("afterimage_frames_processed_total", stream_id="cam") == 5, "they are counted")
        assert runner.value("afterimage_events_total", stream_id="cam", label="frozen") is not None
        runner.registry.remove("cam")
        eventually(lambda: b'"cam"' not in generate_latest(runner.metrics.registry), "its series are gone")
    finally:
        runner.stop()


def test_ingests_page(ingest: IngestRunner, video_file: VideoFile) -> None:
    ingest.add("clip", video_file("clip.mp4", seconds=2, fps=10).name)
    ingest.add("quiet", "clip.mp4", paused=True)
    ingest.start()
    ingest.until("quiet", StreamState.PAUSED)
    ingest.until("clip", StreamState.ENDED)
    page = generate_latest(ingest.metrics.registry).decode()
    promtool("check", "metrics", text=page)
    assert set(samples(page, "afterimage_frames_dropped_total")) == {
        f'reason="{reason}",stream_id="clip"' for reason in ("busy", "store_unavailable", "stopped")
    }
    assert samples(page, "afterimage_reconnects_total") == {'stream_id="clip"': 0.0}
    assert "quiet" not in page, "a paused stream has nothing to count"
    ingest.registry.remove("clip")
    eventually(lambda: b'"clip"' not in generate_latest(ingest.metrics.registry), "its series are gone")
