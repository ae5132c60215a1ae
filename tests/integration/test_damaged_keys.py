"""A stream whose keys do not bear a commit is named and left alone; nothing of it is written, all others go on."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from patience import eventually
from worker_runner import BASE_MS, WorkerRunner, pictures, save_random_model, spec_of

from services.inference.pipeline.saved_state import SavedTracks
from shared.store.keys import PartitionKeys, keys_of
from shared.streams import Progress

FILM = pictures(20)
KEYS = keys_of("cam")
AHEAD = f"{BASE_MS + 3_600_000}-0"


def with_scores_ahead(client: redis.Redis, keys: PartitionKeys) -> str:
    client.xadd(keys.scores("cam"), {"moved": "0.5"}, id=AHEAD)
    return f"{keys.scores('cam')} goes on beyond the cursor"


def with_scores_ahead_that_are_gone(client: redis.Redis, keys: PartitionKeys) -> str:
    damage = with_scores_ahead(client, keys)
    client.xdel(keys.scores("cam"), AHEAD)
    return damage


def with_events_of_another_type(client: redis.Redis, keys: PartitionKeys) -> str:
    client.set(keys.events("cam"), "what is this")
    return f"{keys.events('cam')} is a string and no zset"


def with_scores_of_another_type(client: redis.Redis, keys: PartitionKeys) -> str:
    client.hset(keys.scores("cam"), "what", "is this")
    return f"{keys.scores('cam')} is a hash and no stream"


def with_a_feed_of_another_type(client: redis.Redis, keys: PartitionKeys) -> str:
    client.set(keys.feed, "what is this")
    return f"{keys.feed} is a string and no stream"


@pytest.fixture
def runner(redis_client: redis.Redis, tmp_path: Path) -> Iterator[WorkerRunner]:
    save_random_model(tmp_path, enter=0.02)
    with WorkerRunner(redis_client, tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    "damage",
    [
        with_scores_ahead,
        with_scores_ahead_that_are_gone,
        with_events_of_another_type,
        with_scores_of_another_type,
        with_a_feed_of_another_type,
    ],
)
def test_a_damaged_stream_is_named_and_disturbs_no_other(
    runner: WorkerRunner,
    damage: Callable[[redis.Redis, PartitionKeys], str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.inference.pipeline.admission.DAMAGED_SECONDS", 1.0)
    for stream_id in ("cam", "other"):
        runner.registry.add(spec_of(stream_id))
        runner.publish(spec_of(stream_id), FILM, end=True)
    what = damage(runner.client, KEYS)
    with caplog.at_level(logging.ERROR):
        runner.start()
        runner.wait_processed("other", len(FILM))
        eventually(lambda: runner.record("cam").inference.reason == what, "the reason in the stream's status")
        eventually(lambda: runner.value("afterimage_streams_damaged") == 1, "a damaged stream")
    assert caplog.text.count(f"stream cam: is not looked at: {what}") == 1
    assert runner.record("cam").progress == Progress(1)
    assert written(runner.client) == []
    for key in (KEYS.scores("cam"), KEYS.events("cam"), KEYS.feed):
        runner.client.delete(key)
    runner.wait_processed("cam", len(FILM))
    assert len(runner.scores("cam")) == len(FILM)
    eventually(lambda: runner.value("afterimage_streams_damaged") == 0, "a stream that is whole")
    eventually(lambda: runner.record("cam").inference.reason is None, "no reason any more")


def test_frames_that_are_numbered_anew_are_none_that_were_missed(runner: WorkerRunner) -> None:
    spec = spec_of("cam")
    runner.registry.add(spec)
    runner.publish(spec, FILM[:4])
    runner.start()
    runner.wait_processed("cam", 4)
    runner.client.hdel(KEYS.published, "cam")
    for first in (4, 5):
        runner.publish(spec, FILM[first : first + 1], first)
        record = runner.wait_processed("cam", first + 1)
        assert (record.progress.sequence, record.frames_dropped) == (first - 3, 0)
    assert SavedTracks.from_bytes(runner.client.hget(KEYS.state, "cam") or b"").tracking.frames_missed == 0
    assert not runner.value("afterimage_frames_dropped_total", stream_id="cam", reason="queue_full")


def written(client: redis.Redis) -> list[Any]:
    """What a commit would have written of `cam`, but for the damaged key."""
    found = [client.hget(key, "cam") for key in (KEYS.state, KEYS.memory)]
    return [value for value in [*found, *client.hvals(KEYS.event_data("cam"))] if value is not None]
