"""Events end though no frame ends them: the camera is away, or what was stored of the stream is lost."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
from default_layout import keys_of
from patience import eventually
from worker_runner import BASE_MS, FRAME_MS, LABELS, WorkerRunner, pictures, save_random_model, spec_of

from shared.events import Event
from shared.store.commit import CommitOutcome, Committer, StreamCommit, StreamOutcome

FILM = pictures(16)
LAST_MS = BASE_MS + (len(FILM) - 1) * FRAME_MS
RETURNS_AT = 100
AWAY_SECONDS = 0.5
Send = Callable[[Committer, Sequence[StreamCommit]], dict[str, StreamOutcome]]


class Killed(Exception):
    """The worker ends in the middle of its work, as it is."""


@pytest.fixture
def runner(redis_client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerRunner]:
    monkeypatch.setattr("services.inference.pipeline.places.LATE_SECONDS", 0.0)
    save_random_model(tmp_path, enter=0.02)  # whatever it sees, everything goes on
    with WorkerRunner(redis_client, tmp_path) as running:
        yield running


def once(runner: WorkerRunner, state: str) -> list[Event]:
    """The camera's events, once all of them are in that state."""

    def found() -> list[Event]:
        events = runner.events("cam")
        return events if [event.state for event in events] == [state] * len(LABELS) else []

    return eventually(found, f"{state} events")


def told(runner: WorkerRunner) -> list[str]:
    entries: Any = runner.client.xrange(keys_of("cam").feed)
    return [fields[b"kind"].decode() for _, fields in entries]


def killed_before(_send: Send, _committer: Committer, _commits: Sequence[StreamCommit]) -> dict[str, StreamOutcome]:
    raise Killed


def killed_after(send: Send, committer: Committer, commits: Sequence[StreamCommit]) -> dict[str, StreamOutcome]:
    send(committer, commits)
    raise Killed


def sent_twice(send: Send, committer: Committer, commits: Sequence[StreamCommit]) -> dict[str, StreamOutcome]:
    assert send(committer, commits) == dict.fromkeys((each.stream_id for each in commits), CommitOutcome.COMMITTED)
    return send(committer, commits)


@pytest.mark.parametrize("disturbance", [killed_before, killed_after, sent_twice])
def test_a_camera_that_is_away_has_its_events_closed_once_by_the_clock(
    disturbance: Callable[..., dict[str, StreamOutcome]], runner: WorkerRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = spec_of("cam", pace="live", reset_after_seconds=AWAY_SECONDS)
    film = spec_of("film", reset_after_seconds=AWAY_SECONDS)
    seen: list[Sequence[StreamCommit]] = []
    send = Committer.commit

    def commit(self: Committer, commits: Sequence[StreamCommit]) -> dict[str, StreamOutcome]:
        if seen or not any(each.transitions and each.expected.cursor == each.wanted.cursor for each in commits):
            return send(self, commits)
        seen.append(commits)
        return disturbance(send, self, commits)

    monkeypatch.setattr(Committer, "commit", commit)
    for spec in (film, camera):
        runner.registry.add(spec)
        runner.publish(spec, FILM)
    runner.start()
    if disturbance is not sent_twice:
        runner.join()
        assert isinstance(runner.failure, Killed)
        runner.start()
    closed = once(runner, "closed")
    assert [(event.close_reason, event.ended_at_ms) for event in closed] == [("gap", LAST_MS)] * len(LABELS)
    runner.stop()
    runner.publish(camera, FILM, first=RETURNS_AT)
    runner.start()
    runner.wait_processed("cam", 2 * len(FILM))
    runner.wait_processed("film", len(FILM))
    before, after = runner.events("cam")[: len(LABELS)], runner.events("cam")[len(LABELS) :]
    assert before == closed
    assert {event.started_at_ms for event in after} == {BASE_MS + RETURNS_AT * FRAME_MS}
    assert [event.memory_reset for event in after].count("gap") == 1
    assert told(runner)[:6] == [kind for kind in ("opened", "closed", "opened") for _ in LABELS]
    assert {event.state for event in runner.events("film")} == {"open"}


def test_events_of_a_stream_whose_pictures_do_not_decode_are_closed_once(runner: WorkerRunner) -> None:
    spec = spec_of("cam", reset_after_seconds=AWAY_SECONDS)  # a film, as the clock would close a camera's in the end
    runner.registry.add(spec)
    runner.publish(spec, [*FILM, *[b"no JPEG"] * 20])
    runner.start()
    closed = once(runner, "closed")
    assert [(event.close_reason, event.ended_at_ms) for event in closed] == [("gap", LAST_MS)] * len(LABELS)
    runner.publish(spec, [b"no JPEG", *FILM], first=RETURNS_AT)
    runner.wait_processed("cam", 21 + 2 * len(FILM))
    before, after = runner.events("cam")[: len(LABELS)], runner.events("cam")[len(LABELS) :]
    assert before == closed
    assert [event.memory_reset for event in after].count("gap") == 1
    assert told(runner) == [kind for kind in ("opened", "closed", "opened") for _ in LABELS]
    eventually(lambda: runner.value("afterimage_frames_processed_total", stream_id="cam") == 53, "all counted")
    assert runner.value("afterimage_state_resets_total", reason="gap") == 1


def drop(client: redis.Redis, key: str) -> None:
    client.hdel(key, "cam")


def damage(client: redis.Redis, key: str) -> None:
    client.hset(key, "cam", "{")


@pytest.mark.parametrize("harm", [drop, damage])
@pytest.mark.parametrize("kind", ["state", "memory"])
def test_events_of_a_stream_whose_state_is_lost_end_at_once(
    kind: str, harm: Callable[[redis.Redis, str], None], runner: WorkerRunner
) -> None:
    spec = spec_of("cam")
    runner.registry.add(spec)
    runner.publish(spec, FILM)
    runner.start()
    once(runner, "open")
    runner.wait_processed("cam", len(FILM))
    runner.stop()
    harm(runner.client, getattr(keys_of("cam"), kind))
    runner.start()
    closed = once(runner, "closed")
    assert [(event.close_reason, event.ended_at_ms) for event in closed] == [("state_lost", LAST_MS)] * len(LABELS)
    assert runner.value("afterimage_state_resets_total", reason="state_lost") == 1
    runner.stop()
    runner.publish(spec, FILM, first=len(FILM))
    runner.start()
    runner.wait_processed("cam", 2 * len(FILM))
    events = runner.events("cam")
    assert events[: len(LABELS)] == closed
    assert [event.memory_reset for event in events].count("state_lost") == 1
    assert told(runner) == [kind for kind in ("opened", "closed", "opened") for _ in LABELS]
