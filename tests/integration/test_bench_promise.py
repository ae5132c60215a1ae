from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import redis
from default_layout import keys_of
from worker_runner import pictures, save_random_model

from benchmarks.promise import Bench
from services.inference.settings import InferenceSettings
from shared.streams import DEFAULT_MODEL, FIRST_CURSOR, Progress

STREAM, NUM_STREAMS, NUM_FRAMES = "bench-0", 3, 120


def num_commits(client: redis.Redis) -> int:
    """Each trims a stream's frames, first by nothing, and its scores."""
    stats: Any = client.info("commandstats")
    return int(stats.get("cmdstat_xtrim", {"calls": 0})["calls"]) // 3


def test_a_live_frame_is_a_commit_and_the_plain_side_keeps_nothing(redis_client: redis.Redis, tmp_path: Path) -> None:
    save_random_model(tmp_path, DEFAULT_MODEL, labels=("moved",))
    keys, done = keys_of(STREAM), []
    redis_client.config_resetstat()
    with ThreadPoolExecutor(1) as decoders:
        settings = InferenceSettings(device="cpu", models_dir=tmp_path)
        bench = Bench(redis_client, decoders, settings, 512, pictures(4), lambda: done.append(1))
        catalog = bench.catalog(tmp_path)
        promise = bench.promise(catalog, NUM_STREAMS, NUM_FRAMES)
        commits = num_commits(redis_client)
        assert redis_client.hlen(keys.memory)
        plain = bench.plain(catalog, NUM_STREAMS, NUM_FRAMES)
    assert 0.9 * NUM_FRAMES < commits < 1.1 * NUM_FRAMES
    assert num_commits(redis_client) == commits
    stored: Any = redis_client.hget(keys.progress, STREAM)
    assert Progress.parse(stored).cursor == FIRST_CURSOR
    assert not redis_client.hlen(keys.memory)
    assert not redis_client.hlen(keys.state)
    assert redis_client.xlen(keys.scores(STREAM)) == NUM_FRAMES / NUM_STREAMS
    assert promise.bytes_per_frame > plain.bytes_per_frame > 0
    assert min(promise.cpu_ms_per_frame, plain.cpu_ms_per_frame, promise.fps, plain.fps) > 0
    assert len(done) == 2
