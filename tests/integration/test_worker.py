"""The inference worker on a real Redis: what is published comes out once, and memories never mix."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from default_layout import NUM_PARTITIONS, keys_of
from leasing import calls_at_rest, lease_of
from patience import eventually
from worker_runner import BASE_MS, FRAME_MS, WorkerRunner, pictures, save_random_model, spec_of

from shared.entries import MAX_FIGURES
from shared.store.commit import Committer, StreamCommit, StreamOutcome
from shared.store.leases import LeaseBook

NUM_FRAMES = 40


def closeness(first: dict[str, list[float]], second: dict[str, list[float]]) -> float:
    assert first.keys() == second.keys()
    return float(np.abs(np.array(list(first.values())) - np.array(list(second.values()))).max())


def test_every_frame_is_scored_once_at_its_time(runner: WorkerRunner) -> None:
    spec = spec_of("cam")
    runner.registry.add(spec)
    runner.publish(spec, pictures(NUM_FRAMES), end=True)
    runner.start()
    eventually(lambda: runner.record("cam").progress.cursor.endswith("-1"), "the end marker is passed")
    record = runner.record("cam")
    assert (record.progress.frames_processed, record.lag_frames, record.frames_dropped) == (NUM_FRAMES, 0, 0)
    assert list(runner.scores("cam")) == [f"{BASE_MS + FRAME_MS * number}-0" for number in range(NUM_FRAMES)]
    name = "afterimage_frames_processed_total"
    eventually(lambda: runner.value(name, stream_id="cam") == NUM_FRAMES, "all of them counted")
    num_queues, num_hashes = calls_at_rest(runner.client, "xread", "hgetall")
    assert num_queues <= 2
    assert num_hashes <= NUM_PARTITIONS


def test_batch_mates_never_touch_each_others_memory(runner: WorkerRunner) -> None:
    film = pictures(NUM_FRAMES)
    alone = spec_of("alone")
    runner.registry.add(alone)
    runner.publish(alone, film)
    runner.start(batch_size=5)
    runner.wait_processed("alone", NUM_FRAMES)
    together = [spec_of("first"), spec_of("second"), spec_of("other")]
    for spec in together:
        runner.registry.add(spec)
        runner.publish(spec, pictures(NUM_FRAMES, seed=1) if spec.id == "other" else film)
    for spec in together:
        runner.wait_processed(spec.id, NUM_FRAMES)
    assert closeness(runner.scores("alone"), runner.scores("first")) < 1e-4
    assert closeness(runner.scores("alone"), runner.scores("second")) < 1e-4
    assert closeness(runner.scores("alone"), runner.scores("other")) > 1e-3


def test_figures_and_marks_reach_the_model_with_their_frames(runner: WorkerRunner, tmp_path: Path) -> None:
    save_random_model(tmp_path, "told", appearance=0, change=0, figures=True, damage=True)
    film, rows = pictures(12), np.random.default_rng(0).random((12, MAX_FIGURES)).round(3).tolist()
    told = [None if index == 5 else tuple(row) for index, row in enumerate(rows)]
    for name, figures in (("told", told), ("alike", told), ("short", [(0.5,)] * 12), ("untold", [])):
        runner.registry.add(spec := spec_of(name, model="told"))
        runner.publish(spec, film, figures=figures)
    runner.registry.add(spec := spec_of("marked", model="told"))
    runner.publish(spec, film, damaged={7})
    runner.start(batch_size=5)
    for name in ("told", "alike", "short", "untold", "marked"):
        runner.wait_processed(name, 12)
    assert closeness(runner.scores("told"), runner.scores("alike")) < 1e-4
    assert closeness(runner.scores("short"), runner.scores("untold")) < 1e-4
    assert closeness(runner.scores("told"), runner.scores("untold")) > 1e-3
    pairs = zip(runner.scores("marked").values(), runner.scores("untold").values(), strict=True)
    assert [not np.allclose(*pair, atol=1e-4) for pair in pairs].index(True) == 7


def test_the_next_worker_goes_on_where_the_last_one_was(runner: WorkerRunner) -> None:
    film = pictures(NUM_FRAMES)
    whole, cut = spec_of("whole"), spec_of("cut")
    for spec in (whole, cut):
        runner.registry.add(spec)
    runner.publish(whole, film)
    runner.publish(cut, film[:13])
    runner.start()
    runner.wait_processed("cut", 13)
    runner.stop()
    runner.publish(cut, film[13:], first=13)
    runner.start()
    runner.wait_processed("cut", NUM_FRAMES)
    runner.wait_processed("whole", NUM_FRAMES)
    assert closeness(runner.scores("whole"), runner.scores("cut")) < 1e-4
    assert runner.metrics.state_restores._value.get() == 2  # both were loaded


def test_a_long_gap_empties_the_memory_and_a_short_one_does_not(runner: WorkerRunner) -> None:
    film = pictures(20)
    fresh, gap = spec_of("fresh"), spec_of("gap", reset_after_seconds=5)
    for spec in (fresh, gap):
        runner.registry.add(spec)
    runner.publish(gap, film[:10])
    runner.publish(gap, film[10:], first=100)
    runner.publish(fresh, film[10:])
    runner.start()
    runner.wait_processed("gap", 20)
    runner.wait_processed("fresh", 10)
    after_gap = list(runner.scores("gap").values())[10:]
    assert np.allclose(after_gap, list(runner.scores("fresh").values()), atol=1e-4)
    assert runner.metrics.state_resets.labels("gap")._value.get() == 1


def test_the_end_of_a_source_closes_its_events(runner: WorkerRunner, tmp_path: Path) -> None:
    save_random_model(tmp_path, "eager", enter=0.02)
    spec = spec_of("cam", model="eager")
    runner.registry.add(spec)
    runner.publish(spec, pictures(NUM_FRAMES), end=True)
    runner.start()
    eventually(lambda: runner.record("cam").progress.cursor.endswith("-1"), "the end marker is passed")
    events = runner.events("cam")
    assert [event.label for event in events] == ["frozen", "moved"]
    for event in events:
        assert (event.state, event.close_reason, event.started_at_ms) == ("closed", "source_ended", BASE_MS)
        assert event.ended_at_ms == BASE_MS + (NUM_FRAMES - 1) * FRAME_MS
        assert event.media_started_seconds == 0.0
    entries: Any = runner.client.xrange(keys_of("cam").feed)
    feed = [(fields[b"kind"], json.loads(fields[b"event"])["label"]) for _, fields in entries]
    assert feed == [(b"opened", "moved"), (b"opened", "frozen"), (b"closed", "moved"), (b"closed", "frozen")]


def test_frames_lost_from_the_queue_are_counted_and_recorded(runner: WorkerRunner, tmp_path: Path) -> None:
    save_random_model(tmp_path, "eager", enter=0.02)
    spec = spec_of("cam", model="eager")
    runner.registry.add(spec)
    runner.publish(spec, pictures(NUM_FRAMES))
    runner.client.xtrim(keys_of("cam").frames("cam"), maxlen=30)
    runner.start()
    record = runner.wait_processed("cam", 30)
    assert (record.frames_dropped, record.lag_frames) == (10, 0)
    name, labels = "afterimage_frames_dropped_total", {"stream_id": "cam", "reason": "queue_full"}
    eventually(lambda: runner.value(name, **labels) == 10, "the lost ones counted")
    assert [event.frames_missed for event in runner.events("cam")] in ([10, 0], [0, 10])


def test_a_stream_removed_while_it_runs_leaves_no_key(runner: WorkerRunner) -> None:
    gone, stays = spec_of("gone"), spec_of("stays")
    for spec in (gone, stays):
        runner.registry.add(spec)
        runner.publish(spec, pictures(100))
    runner.start()
    runner.wait_processed("gone", 1)
    runner.registry.remove("gone")
    runner.wait_processed("stays", 100)
    eventually(lambda: runner.metrics.streams._value.get() == 1, "the worker has let go")
    assert [key for key in runner.client.scan_iter() if b"gone" in key] == []
    assert not runner.client.hexists(keys_of("gone").state, "gone")
    assert "gone" not in str([sample for metric in runner.metrics.registry.collect() for sample in metric.samples])


def test_another_model_begins_with_an_empty_memory_and_closes_the_old_ones_events(
    runner: WorkerRunner, tmp_path: Path
) -> None:
    save_random_model(tmp_path, "eager", enter=0.02)
    before = spec_of("cam", model="eager")
    fresh = spec_of("fresh")
    for spec in (before, fresh):
        runner.registry.add(spec)
    film = pictures(20)
    runner.publish(before, film[:10])
    runner.publish(fresh, film[10:])
    runner.start()
    runner.wait_processed("cam", 10)
    assert runner.registry.replace(before, before.model_copy(update={"model": "tiny"}))
    eventually(lambda: runner.metrics.state_resets.labels("model_changed")._value.get() == 1, "the change is seen")
    runner.publish(before, film[10:], first=10)
    runner.wait_processed("cam", 20)
    runner.wait_processed("fresh", 10)
    changed = [event for event in runner.events("cam") if event.close_reason == "model_changed"]
    assert sorted(event.label for event in changed) == ["frozen", "moved"]
    assert all((event.model or "").startswith("eager@") for event in changed)
    assert np.allclose(list(runner.scores("cam").values())[10:], list(runner.scores("fresh").values()), atol=1e-4)


def test_a_partition_that_another_took_is_left_alone_until_it_is_free_again(runner: WorkerRunner) -> None:
    spec = spec_of("cam")
    runner.registry.add(spec)
    runner.publish(spec, pictures(3))
    runner.start()
    runner.wait_processed("cam", 3)
    lease = lease_of(runner.client, "inference", "cam")
    runner.publish(spec, pictures(3), first=3)
    eventually(lambda: runner.value("afterimage_partitions_owned") == NUM_PARTITIONS - 1, "the partition given up")
    assert runner.record("cam").progress.frames_processed == 3
    LeaseBook(runner.client, "inference", "the-test").release([lease])
    runner.wait_processed("cam", 6)
    assert runner.value("afterimage_state_restores_total") == 1


def test_a_commit_that_comes_after_the_lease_is_refused(runner: WorkerRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the worker had been frozen right before it sent it."""
    reached, go_on = threading.Event(), threading.Event()
    send = Committer.commit

    def late(self: Committer, commits: Sequence[StreamCommit]) -> dict[str, StreamOutcome]:
        reached.set()
        assert go_on.wait(60)
        return send(self, commits)

    monkeypatch.setattr(Committer, "commit", late)
    spec = spec_of("cam")
    runner.registry.add(spec)
    runner.publish(spec, pictures(6), end=True)
    runner.start()
    assert reached.wait(60)
    lease = lease_of(runner.client, "inference", "cam")
    go_on.set()
    eventually(lambda: runner.value("afterimage_commits_fenced_total"), "a refused commit")
    assert runner.record("cam").progress.frames_processed == 0
    assert runner.scores("cam") == {}
    LeaseBook(runner.client, "inference", "the-test").release([lease])
    runner.wait_processed("cam", 6)
    assert len(runner.scores("cam")) == 6


def test_changed_thresholds_hold_from_the_next_frame(runner: WorkerRunner) -> None:
    spec = spec_of("cam", thresholds={"moved": {"enter": 0.99, "exit": 0.98}, "frozen": {"enter": 0.99}})
    runner.registry.add(spec)
    runner.publish(spec, pictures(10))
    runner.start()
    runner.wait_processed("cam", 10)
    assert runner.events("cam") == []
    eager = spec_of("cam", thresholds={"moved": {"enter": 0.02}, "frozen": {"enter": 0.02}})
    assert runner.registry.replace(spec, eager)
    number = 10
    while not runner.events("cam"):
        runner.publish(eager, pictures(5), first=number)
        number += 5
        runner.wait_processed("cam", number)
        assert number < 5000
    assert runner.events("cam")[0].started_at_ms >= BASE_MS + 10 * FRAME_MS
