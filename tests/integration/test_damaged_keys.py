"""A stream whose keys do not bear a commit is named and left alone; nothing of it is written, all others go on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from damage import of_another_type, strangers
from default_layout import NUM_PARTITIONS, keys_of, partition_of
from patience import eventually
from worker_runner import BASE_MS, WorkerRunner, pictures, save_random_model, spec_of

from services.inference.pipeline.saved_state import SavedTracks
from shared.store.leases import LEASE_SECONDS, living_workers
from shared.streams import Progress

FILM = pictures(20)
AHEAD = f"{BASE_MS + 3_600_000}-0"

Harm = Callable[[redis.Redis, str], tuple[str, Callable[[], object]]]
"""Damages a stream; what is wrong then, and what puts it right again."""


def with_scores_ahead(client: redis.Redis, stream_id: str) -> tuple[str, Callable[[], object]]:
    key = keys_of(stream_id).scores(stream_id)
    client.xadd(key, {"moved": "0.5"}, id=AHEAD)
    return f"{key} goes on beyond the cursor", lambda: client.delete(key)


def with_scores_ahead_that_are_gone(client: redis.Redis, stream_id: str) -> tuple[str, Callable[[], object]]:
    damage = with_scores_ahead(client, stream_id)
    client.xdel(keys_of(stream_id).scores(stream_id), AHEAD)
    return damage


def without_a_lease(client: redis.Redis, stream_id: str) -> tuple[str, Callable[[], object]]:
    key = keys_of(stream_id).lease("inference")
    client.set(key, "of nobody")
    return f"{key} is no lease", lambda: client.delete(key)


def a_key(part: str, kind: str) -> Harm:
    return lambda client, stream_id: of_another_type(client, stream_id, part, kind)


PARTITIONS_HARMS: dict[str, Harm] = {"lease": a_key("lease", "string"), "no-lease": without_a_lease}
HASHES_HARMS = {part: a_key(part, "hash") for part in ("progress", "inference", "state", "memory", "open", "kept")}
OWN_HARMS = {
    "scores-ahead": with_scores_ahead,
    "scores-gone": with_scores_ahead_that_are_gone,
    "events": a_key("events", "zset"),
    "scores": a_key("scores", "stream"),
    "feed": a_key("feed", "stream"),
}


@pytest.fixture
def runner(redis_client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerRunner]:
    monkeypatch.setattr("services.inference.pipeline.admission.DAMAGED_SECONDS", 0.0)
    save_random_model(tmp_path, enter=0.02)
    with WorkerRunner(redis_client, tmp_path) as running:
        yield running


def test_what_is_damaged_is_named_and_disturbs_no_other(runner: WorkerRunner, caplog: pytest.LogCaptureFixture) -> None:
    harms = {**OWN_HARMS, **HASHES_HARMS}
    ids = strangers(*harms, "whole")
    for stream_id in ids.values():
        runner.registry.add(spec_of(stream_id))
        runner.publish(spec_of(stream_id), FILM, end=True)
    harmed = {ids[name]: harm(runner.client, ids[name]) for name, harm in harms.items()}
    runner.start()
    runner.wait_processed(ids["whole"], len(FILM))
    eventually(lambda: runner.value("afterimage_streams_damaged") == len(harms), "as many damaged streams")
    for name in harms.keys() - {"progress", "inference"}:  # where it can be said
        what = harmed[ids[name]][0]
        eventually(lambda: runner.record(ids[name]).inference.reason == what, f"{name}: the reason in its status")  # noqa: B023
        assert runner.record(ids[name]).inference.model is None
    for stream_id, (what, _) in harmed.items():
        assert caplog.text.count(f"stream {stream_id}: is not looked at: {what}") == 1
        assert stream_id == ids["progress"] or runner.record(stream_id).progress == Progress(1)
        assert not runner.client.exists(keys_of(stream_id).event_data(stream_id))
    for _, put_right in harmed.values():
        put_right()
    for stream_id in harmed:
        assert runner.wait_processed(stream_id, len(FILM)).frames_dropped == 0
        assert len(runner.scores(stream_id)) == len(FILM)
        eventually(lambda: runner.record(stream_id).inference.reason is None, "no reason any more")  # noqa: B023
    eventually(lambda: runner.value("afterimage_streams_damaged") == 0, "streams that are whole")


def test_what_is_damaged_under_a_worker_stops_its_own_partition_alone(
    runner: WorkerRunner, caplog: pytest.LogCaptureFixture
) -> None:
    harms = {**HASHES_HARMS, **PARTITIONS_HARMS}
    ids = strangers(*harms, "whole")
    for stream_id in ids.values():
        runner.registry.add(spec_of(stream_id))
        runner.publish(spec_of(stream_id), FILM[:4])
    runner.start()
    for stream_id in ids.values():
        eventually(lambda: runner.record(stream_id).inference.model, "a word on its model")  # noqa: B023
        runner.wait_processed(stream_id, 4)
    harmed = {ids[name]: harm(runner.client, ids[name]) for name, harm in harms.items()}
    for name in ("progress", "inference"):
        runner.ask(ids[name], "no-model")  # so there is something to say
    for name in ids.keys() - {"progress"}:  # else ingest cannot
        runner.publish(spec_of(ids[name]), FILM[4:8], 4)
    runner.wait_processed(ids["whole"], 8)
    eventually(lambda: runner.value("afterimage_streams_damaged") == len(HASHES_HARMS), "as many damaged streams")
    eventually(lambda: runner.value("afterimage_partitions_damaged") == len(PARTITIONS_HARMS), "as many partitions")
    assert runner.value("afterimage_partitions_owned") == NUM_PARTITIONS - len(PARTITIONS_HARMS)
    [worker] = living_workers(runner.client, "inference", LEASE_SECONDS)
    assert len(worker.partitions) == NUM_PARTITIONS - len(PARTITIONS_HARMS)
    for name, stream_id in ids.items():
        if name in HASHES_HARMS:
            assert caplog.text.count(f"stream {stream_id}: is not looked at: {harmed[stream_id][0]}") == 1
        elif name in PARTITIONS_HARMS:
            said = f"partition {partition_of(stream_id)}: stands still: {harmed[stream_id][0]}"
            assert caplog.text.count(said) == 1
    for _, put_right in harmed.values():
        put_right()
    runner.publish(spec_of(ids["progress"]), FILM[4:8], 4)
    for stream_id in ids.values():
        runner.wait_processed(stream_id, 8)
    assert runner.value("afterimage_partitions_owned") == NUM_PARTITIONS
    eventually(lambda: runner.value("afterimage_streams_damaged") == 0, "streams that are whole")
    eventually(lambda: runner.value("afterimage_partitions_damaged") == 0, "partitions that are whole")


def test_frames_that_are_numbered_anew_are_none_that_were_missed(runner: WorkerRunner) -> None:
    spec, keys = spec_of("cam"), keys_of("cam")
    runner.registry.add(spec)
    runner.publish(spec, FILM[:4])
    runner.start()
    runner.wait_processed("cam", 4)
    runner.client.hdel(keys.published, "cam")
    for first in (4, 5):
        runner.publish(spec, FILM[first : first + 1], first)
        record = runner.wait_processed("cam", first + 1)
        assert (record.progress.sequence, record.frames_dropped) == (first - 3, 0)
    stored: Any = runner.client.hget(keys.state, "cam")
    assert SavedTracks.from_bytes(stored).tracking.frames_missed == 0
    assert not runner.value("afterimage_frames_dropped_total", stream_id="cam", reason="queue_full")
