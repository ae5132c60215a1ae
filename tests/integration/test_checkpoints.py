"""The memory is stored now and then; who takes over has the frames since go through the network once more."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
from default_layout import keys_of
from patience import eventually
from worker_runner import BASE_MS, FRAME_MS, LABELS, WorkerRunner, pictures, save_random_model, spec_of

from shared.entries import EntryId
from shared.store.commit import Committer, StreamCommit, StreamOutcome
from shared.store.registry import Registry
from shared.streams import Progress, StreamSpec

FILM = pictures(60)
CRASH_AFTER = 25
CHANGE_AFTER = 30
CHECKPOINT = 16
SPEC = spec_of("cam")


class Crash(Exception):
    """The worker ends in the middle of its work, as it is."""


@pytest.fixture
def crash(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Has the worker crash with the commit after the one that passes 25 frames of `cam`; the call lets it be."""
    send, seen = Committer.commit, [0]

    def commit(self: Committer, commits: Sequence[StreamCommit]) -> dict[str, StreamOutcome]:
        if seen[0] >= CRASH_AFTER:
            raise Crash
        seen[0] = max([each.wanted.frames_processed for each in commits if each.stream_id == "cam"], default=seen[0])
        return send(self, commits)

    monkeypatch.setattr(Committer, "commit", commit)
    return lambda: monkeypatch.setattr(Committer, "commit", send)


def publish(runner: WorkerRunner, spec: StreamSpec, change_after: int = 0, gap_before: int = 0) -> None:
    """The film, on the way to another source, or with 7 frames lost."""
    first = change_after or gap_before
    runner.publish(spec, FILM[:first], changes=first == change_after and first > 0)
    runner.publish(spec, FILM[first:], first=first + 7 * bool(gap_before))


def crashed_in_between(
    runner: WorkerRunner,
    crash: Callable[[], None],
    spec: StreamSpec = SPEC,
    change_after: int = 0,
    gap_before: int = 0,
) -> Progress:
    """Progress of `cam` where a worker crashed between two checkpoints; the rest of the film waits."""
    runner.registry.add(spec)
    publish(runner, spec, change_after, gap_before)
    runner.start(batch_size=3)
    runner.join()
    assert isinstance(runner.failure, Crash)
    crash()
    progress = runner.record("cam").progress
    assert progress.frames_processed >= CRASH_AFTER
    assert EntryId(BASE_MS) < EntryId.parse(progress.checkpoint) < EntryId.parse(progress.cursor)
    return progress


def undisturbed(runner: WorkerRunner, gap_before: int = 0) -> np.ndarray[Any, Any]:
    spec = spec_of("whole")
    runner.registry.add(spec)
    publish(runner, spec, gap_before=gap_before)
    runner.wait_processed("whole", len(FILM))
    return np.array(list(runner.scores("whole").values()))


def gone_on(runner: WorkerRunner) -> np.ndarray[Any, Any]:
    runner.start(batch_size=3)
    runner.wait_processed("cam", len(FILM))
    scores = runner.scores("cam")
    assert list(scores) == [f"{BASE_MS + number * FRAME_MS}-0" for number in range(len(FILM))]
    return np.array(list(scores.values()))


def test_who_takes_over_between_two_checkpoints_goes_on_as_if_nothing_had_been(
    runner: WorkerRunner, crash: Callable[[], None]
) -> None:
    crashed_in_between(runner, crash)
    scores = gone_on(runner)
    assert np.allclose(scores, undisturbed(runner), atol=1e-4)
    assert runner.value("afterimage_state_restores_total") == 1
    assert runner.value("afterimage_frames_processed_total", stream_id="cam") == len(FILM) - CRASH_AFTER // 3 * 3 - 3


def test_a_gap_is_judged_in_a_replay_as_it_was_before(runner: WorkerRunner, crash: Callable[[], None]) -> None:
    crashed_in_between(runner, crash, gap_before=CRASH_AFTER - 2)
    assert runner.registry.replace(SPEC, SPEC.model_copy(update={"reset_after_seconds": 0.5}))
    runner.start(batch_size=3)
    runner.wait_processed("cam", len(FILM))
    scores = np.array(list(runner.scores("cam").values()))
    assert np.allclose(scores, undisturbed(runner, gap_before=CRASH_AFTER - 2), atol=1e-4)


def test_another_source_begins_with_an_empty_memory_whoever_takes_over(
    runner: WorkerRunner, crash: Callable[[], None]
) -> None:
    spec = spec_of("cam", thresholds={label: {"enter": 0.02} for label in LABELS})
    crashed_in_between(runner, crash, spec, change_after=CHANGE_AFTER)
    scores = gone_on(runner)
    fresh = spec_of("fresh")
    runner.registry.add(fresh)
    runner.publish(fresh, FILM[CHANGE_AFTER:])
    runner.wait_processed("fresh", len(FILM) - CHANGE_AFTER)
    assert np.allclose(scores[CHANGE_AFTER:], list(runner.scores("fresh").values()), atol=1e-4)
    before, after = runner.events("cam")[: len(LABELS)], runner.events("cam")[len(LABELS) :]
    ended_at_ms = BASE_MS + (CHANGE_AFTER - 1) * FRAME_MS
    assert [(event.close_reason, event.ended_at_ms) for event in before] == [("source_changed", ended_at_ms)] * 2
    assert [event.state for event in after] == ["open"] * len(LABELS)
    assert [event.memory_reset for event in after].count("source_changed") == 1


def test_a_full_live_queue_keeps_the_mark_of_another_source(
    runner: WorkerRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.store.frame_queue.MAX_LIVE_FRAMES", 10)
    spec = spec_of("cam")
    runner.registry.add(spec)
    runner.publish(spec, FILM[:2], changes=True)
    runner.publish(spec, FILM[2:22], first=2)
    runner.publish(spec, FILM[22:23], first=22)
    marker = f"{BASE_MS + FRAME_MS}-1"
    kept = [f"{BASE_MS + number * FRAME_MS}-0" for number in range(13, 23)]
    assert [name.decode() for name, _ in xrange(runner.client, "cam")] == [marker, *kept]


def test_a_checkpoint_that_is_gone_is_told_and_seen(runner: WorkerRunner, crash: Callable[[], None]) -> None:
    crashed_in_between(runner, crash)
    runner.client.hdel(keys_of("cam").memory, "cam")
    scores = gone_on(runner)
    assert runner.value("afterimage_state_resets_total", reason="state_lost") == 1
    assert not np.allclose(scores, undisturbed(runner), atol=1e-3)


@pytest.mark.parametrize("left", [{}, {b"j": b"no JPEG"}], ids=["gone", "damaged"])
def test_kept_frames_that_are_gone_or_damaged_are_told_and_seen(
    left: dict[bytes, bytes], runner: WorkerRunner, crash: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    progress = crashed_in_between(runner, crash)
    after, last = EntryId.parse(progress.checkpoint), EntryId.parse(progress.cursor)
    entries = xrange(runner.client, "cam")
    kept = [name for name, _ in entries if after < EntryId.parse(name) <= last]
    runner.client.delete(keys_of("cam").frames("cam"))
    for name, fields in entries:
        if name not in kept or left:
            runner.client.xadd(keys_of("cam").frames("cam"), fields | left if name in kept else fields, id=name)
    with caplog.at_level(logging.WARNING):
        scores = gone_on(runner)
    assert f"stream cam: {len(kept)} frames since its last checkpoint are gone or damaged" in caplog.text
    assert caplog.text.count("no picture: 7 bytes") == bool(left)
    assert runner.value("afterimage_frames_unreadable_total", stream_id="cam", reason="header") == 0
    assert not np.allclose(scores, undisturbed(runner), atol=1e-3)


def test_a_full_live_queue_loses_what_waits_and_not_what_may_be_replayed(
    runner: WorkerRunner, crash: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = crashed_in_between(runner, crash)
    monkeypatch.setattr("shared.store.frame_queue.MAX_LIVE_FRAMES", 30)
    runner.publish(spec_of("cam"), pictures(5), first=len(FILM))
    kept = {name.decode() for name, _ in xrange(runner.client, "cam")}
    after, last = EntryId.parse(progress.checkpoint), EntryId.parse(progress.cursor)
    names = [EntryId(BASE_MS + number * FRAME_MS) for number in range(len(FILM))]
    since = [str(name) for name in names if after < name <= last]
    assert set(since) <= kept
    assert len(kept) == 30
    runner.start(batch_size=3)
    newest = f"{BASE_MS + (len(FILM) + 4) * FRAME_MS}-0"
    eventually(lambda: runner.record("cam").progress.cursor == newest, "the newest frame")
    assert runner.value("afterimage_frames_dropped_total", stream_id="cam", reason="queue_full")


def test_a_full_live_queue_lets_go_of_what_was_passed_first(
    runner: WorkerRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.store.frame_queue.MAX_LIVE_FRAMES", 10)
    runner.registry.add(SPEC)
    runner.publish(SPEC, FILM[:10])
    runner.start()
    runner.wait_processed("cam", 10)
    runner.stop()
    runner.publish(SPEC, FILM[10:13], first=10)
    assert [name.decode() for name, _ in xrange(runner.client, "cam")][-1] == f"{BASE_MS + 12 * FRAME_MS}-0"
    assert len(xrange(runner.client, "cam")) == 10
    runner.start()
    assert runner.wait_processed("cam", 13).frames_dropped == 0


def test_frames_that_are_published_again_after_the_end_still_go(runner: WorkerRunner) -> None:
    """By an ingest that was killed before it could say that the file has ended."""
    runner.registry.add(SPEC)
    runner.publish(SPEC, FILM, end=True)
    runner.start()
    eventually(lambda: runner.client.pttl(keys_of("cam").frames("cam")) > 0, "its frames' last seconds")
    runner.publish(SPEC, FILM, end=True)
    assert runner.client.pttl(keys_of("cam").frames("cam")) > 0
    runner.publish(SPEC, FILM[:1], first=len(FILM))
    assert runner.client.pttl(keys_of("cam").frames("cam")) == -1


def test_large_frames_leave_room_for_others_whatever_the_settings(
    runner: WorkerRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    num_bytes = max(map(len, FILM))
    monkeypatch.setattr("shared.store.frame_queue.MAX_QUEUE_BYTES", 24 * num_bytes)
    monkeypatch.setattr("services.inference.pipeline.compute.MAX_KEPT_BYTES", 3 * num_bytes)
    monkeypatch.setenv("AFTERIMAGE_CHECKPOINT_FRAMES", "256")
    monkeypatch.setenv("AFTERIMAGE_CHECKPOINT_SECONDS", "60")
    runner.registry.add(SPEC)
    runner.start()
    for first in range(0, len(FILM), 4):
        runner.publish(SPEC, FILM[first : first + 4], first=first)
        runner.wait_processed("cam", first + 4)
    assert runner.record("cam").frames_dropped == 0


def xrange(client: redis.Redis, stream_id: str) -> list[Any]:
    entries: Any = client.xrange(keys_of(stream_id).frames(stream_id))
    return list(entries)


def test_a_stream_that_falls_silent_is_stored_as_it_is(runner: WorkerRunner) -> None:
    spec = spec_of("cam")
    runner.registry.add(spec)
    runner.start()
    runner.publish(spec, FILM[: CHECKPOINT + 3])
    runner.wait_processed("cam", CHECKPOINT + 3)
    eventually(lambda: is_stored(runner.registry, "cam"), "a checkpoint at its end")


def test_a_worker_that_stops_in_order_leaves_nothing_to_replay(runner: WorkerRunner) -> None:
    spec = spec_of("cam")
    runner.registry.add(spec)
    runner.publish(spec, FILM)
    runner.start(batch_size=3)
    runner.wait_processed("cam", CRASH_AFTER)
    runner.stop()
    assert is_stored(runner.registry, "cam")
    scores = gone_on(runner)
    assert np.allclose(scores, undisturbed(runner), atol=1e-4)


def is_stored(registry: Registry, stream_id: str) -> bool:
    progress = registry.get(stream_id).progress
    return progress.checkpoint == progress.cursor


def test_between_checkpoints_a_commit_is_small(runner: WorkerRunner, crash: Callable[[], None]) -> None:
    crashed_in_between(runner, crash)
    stored: Any = runner.client.hget(keys_of("cam").state, "cam")
    assert len(stored) < 400


def test_tracks_are_sent_where_they_changed(
    runner: WorkerRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, sent = Committer.commit, list[bytes]()

    def commit(self: Committer, commits: Sequence[StreamCommit]) -> dict[str, StreamOutcome]:
        sent.extend(each.state for each in commits)
        return send(self, commits)

    monkeypatch.setattr(Committer, "commit", commit)
    save_random_model(tmp_path, enter=0.99)
    runner.registry.add(spec_of("cam"))
    runner.publish(spec_of("cam"), FILM)
    runner.start(batch_size=3)
    runner.wait_processed("cam", len(FILM))
    assert [state for state in sent if state] == [runner.client.hget(keys_of("cam").state, "cam")] == sent[:1]
