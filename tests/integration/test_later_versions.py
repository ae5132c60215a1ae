"""A worker that meets what only a later version knows says so, touches nothing, and loses nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
from damage import neighbour_of
from default_layout import keys_of
from patience import eventually
from worker_runner import BASE_MS, FRAME_MS, WorkerRunner, pictures, save_random_model, spec_of

from services.inference.pipeline import admission

CAM, WHOLE = "cam", neighbour_of("cam")
FILM = pictures(24)
MEMORY_REASON = "its memory cannot be read by this version: it is of version 3, known is 2"
FRAMES_REASON = "its frames cannot be read by this version: they are of a later one"


@pytest.fixture
def runner(redis_client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkerRunner:
    monkeypatch.setattr(admission, "DAMAGED_SECONDS", 0.1)
    save_random_model(tmp_path)
    runner = WorkerRunner(redis_client, tmp_path)
    for stream_id in (CAM, WHOLE):
        runner.registry.add(spec_of(stream_id))
    return runner


def publish(runner: WorkerRunner, frames: slice) -> None:
    for stream_id in (CAM, WHOLE):
        runner.publish(spec_of(stream_id), FILM[frames], first=frames.start)


def stored(client: redis.Redis) -> list[Any]:
    keys = keys_of(CAM)
    kept = [client.hget(key, CAM) for key in (keys.progress, keys.state, keys.memory)]
    return [*kept, client.xrange(keys.frames(CAM)), client.xrange(keys.scores(CAM))]


def later(text: bytes) -> bytes:
    head, newline, body = text.partition(b"\n")
    return json.dumps(json.loads(head) | {"version": 3}).encode() + newline + body


def more(text: bytes) -> bytes:
    head, newline, body = text.partition(b"\n")
    return json.dumps(json.loads(head) | {"of_a_later_version": 1}).encode() + newline + body


def rewrite(client: redis.Redis, key: str, change: Callable[[bytes], bytes]) -> None:
    text: Any = client.hget(key, CAM)
    client.hset(key, CAM, change(text))


@pytest.mark.parametrize("part", ["state", "memory"])
def test_a_later_versions_state_waits_for_who_knows_it(
    part: str, runner: WorkerRunner, redis_client: redis.Redis
) -> None:
    key = getattr(keys_of(CAM), part)
    with runner:
        runner.start()
        publish(runner, slice(0, 12))
        runner.wait_processed(CAM, 12)
        runner.stop()
        former: Any = redis_client.hget(key, CAM)
        rewrite(redis_client, key, later)
        publish(runner, slice(12, 24))
        before = stored(redis_client)
        runner.start()
        runner.wait_processed(WHOLE, 24)
        assert runner.wait_reason(CAM) == MEMORY_REASON
        assert stored(redis_client) == before
        redis_client.hset(key, CAM, former)
        runner.wait_processed(CAM, 24)
        eventually(lambda: runner.record(CAM).inference.reason is None, "no reason any more")
        assert np.allclose(list(runner.scores(CAM).values()), list(runner.scores(WHOLE).values()), atol=1e-4)


def test_a_field_more_in_a_state_is_no_reason_to_forget(runner: WorkerRunner, redis_client: redis.Redis) -> None:
    with runner:
        runner.start()
        publish(runner, slice(0, 12))
        for stream_id in (CAM, WHOLE):
            runner.wait_processed(stream_id, 12)
        runner.stop()
        for key in (keys_of(CAM).state, keys_of(CAM).memory):
            rewrite(redis_client, key, more)
        publish(runner, slice(12, 24))
        runner.start()
        for stream_id in (CAM, WHOLE):
            runner.wait_processed(stream_id, 24)
        assert np.allclose(list(runner.scores(CAM).values()), list(runner.scores(WHOLE).values()), atol=1e-4)
        assert not runner.value("afterimage_state_resets_total", reason="state_lost")


def test_a_later_versions_frames_wait_for_who_knows_them(runner: WorkerRunner, redis_client: redis.Redis) -> None:
    frames = keys_of(CAM).frames(CAM)
    with runner:
        publish(runner, slice(0, 12))
        entry_id = redis_client.xadd(frames, {"n": 12, "v": 2, "p": "otherwise"}, id=f"{BASE_MS + 11 * FRAME_MS + 1}-0")
        publish(runner, slice(12, 24))
        runner.start()
        runner.wait_processed(WHOLE, 24)
        runner.wait_processed(CAM, 12)
        assert runner.wait_reason(CAM) == FRAMES_REASON
        assert runner.record(CAM).progress.frames_processed == 12
        waiting: Any = redis_client.xrange(frames, f"({runner.record(CAM).progress.cursor}")
        assert len(waiting) == 13
        redis_client.xdel(frames, entry_id)
        runner.wait_processed(CAM, 24)
        assert np.allclose(list(runner.scores(CAM).values()), list(runner.scores(WHOLE).values()), atol=1e-4)


def test_a_later_versions_spec_is_let_be(runner: WorkerRunner, redis_client: redis.Redis) -> None:
    """Its frames wait; a field more alone is none of this worker's business."""
    with runner:
        publish(runner, slice(0, 12))
        rewrite(redis_client, keys_of(CAM).streams, lambda text: json.dumps({**json.loads(text), "v": 2}).encode())
        before = stored(redis_client)
        runner.start()
        runner.wait_processed(WHOLE, 12)
        assert stored(redis_client) == before
        said = "its record cannot be read by this version: spec (of version 2, known is 1)"
        assert runner.record(CAM).problem == said
        rewrite(
            redis_client, keys_of(CAM).streams, lambda text: json.dumps({**json.loads(text), "v": 1, "new": 1}).encode()
        )
        runner.wait_processed(CAM, 12)
