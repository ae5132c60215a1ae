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

from services.api.metrics.store import StoreCollector
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
    states = samples(page, "afterimage_stream_state")
    assert len(states) == len(StreamState)
    assert {labels for labels, value in states.items() if value} == {'state="live",stream_id="door"'}
    assert samples(page, "afterimage_stream_queue_bytes")['stream_id="door"'] > 50_000
    assert samples(page, "afterimage_stream_info") == {'model="camera-events",pace="live",stream_id="door"': 1.0}
    assert samples(page, "afterimage_workers") == {f'role="{role}"': 0.0 for role in get_args(Role)}
    assert samples(page, "afterimage_redis_memory_bytes")['node="redis"'] > 50_000
    assert not samples(page, "afterimage_redis_memory_limit_bytes")
    assert samples(page, "process_resident_memory_bytes")
    assert "_created" not in page
    api.http.delete("/v1/streams/door")
    assert not samples(api.metrics(), "afterimage_stream_state")


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
        families = {each.name: each.samples for each in StoreCollector(client, registry, LEASE_SECONDS).collect()}
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


def test_ingests_page(ingest: IngestRunner, video_file: VideoFile) -> None:
    ingest.add("clip", video_file("clip.mp4", seconds=2, fps=10).name)
    ingest.start()
    ingest.until("clip", StreamState.ENDED)
    page = generate_latest(ingest.metrics.registry).decode()
    promtool("check", "metrics", text=page)
    assert set(samples(page, "afterimage_frames_dropped_total")) == {
        f'reason="{reason}",stream_id="clip"' for reason in ("busy", "store_unavailable", "stopped")
    }
    assert samples(page, "afterimage_reconnects_total") == {'stream_id="clip"': 0.0}
    ingest.registry.remove("clip")
    eventually(lambda: b'"clip"' not in generate_latest(ingest.metrics.registry), "its series are gone")
