"""What people say of an event outlives what inference writes later; every change counts once, whoever repeats it."""

import json
from typing import Any

import pytest
import redis
from test_commit import BASE_MS, KEYS, LEASE, SPEC, START, commit_of, event

from shared.life import event_desk
from shared.life.event_desk import DELETE, MARK, EventBusy, EventDesk, EventUnknown
from shared.life.marks import EventMarks, Feedback, Mark
from shared.store.commit import Committer, Retention
from shared.store.layout.partitioning import FEED_ENTRIES
from shared.store.registry import Registry
from shared.store.scripts import Script
from shared.streams import Progress

KIM, LEE = Mark(at_ms=1, by="Kim"), Mark(at_ms=2, by="Lee")
WRONG = Feedback(at_ms=3, by="Kim", verdict="wrong", note="a cat")
OPEN, CLOSED = event(0.0), event(0.0, "closed")
LATER = 4_000_000.0


@pytest.fixture
def committer(redis_client: redis.Redis) -> Committer:
    Registry(redis_client).add(SPEC)
    redis_client.set(KEYS.lease("inference"), str(LEASE))
    return Committer(redis_client, Retention(events_seconds=3600))


@pytest.fixture
def opened(committer: Committer) -> Progress:
    commit = commit_of(0.125, START, transitions=[("opened", OPEN)])
    committer.commit([commit])
    return commit.wanted


@pytest.fixture
def desk(redis_client: redis.Redis, opened: Progress) -> EventDesk:
    return EventDesk(redis_client)


def told(client: redis.Redis) -> list[tuple[str, EventMarks]]:
    entries: Any = client.xrange(KEYS.feed)
    assert {json.loads(fields[b"event"])["id"] for _, fields in entries} <= {OPEN.id}
    unmarked = EventMarks().model_dump_json()
    return [
        (fields[b"kind"].decode(), EventMarks.model_validate_json(fields.get(b"marks", unmarked)))
        for _, fields in entries
    ]


def close(committer: Committer, progress: Progress, seconds: float = 1.0) -> Progress:
    commit = commit_of(seconds, progress, transitions=[("closed", CLOSED)], memory=b"memory")
    committer.commit([commit])
    return commit.wanted


def test_what_was_said_of_an_open_event_is_there_when_it_closes(
    redis_client: redis.Redis, desk: EventDesk, committer: Committer, opened: Progress
) -> None:
    desk.mark(OPEN.id, lambda marks: marks.with_acknowledged(KIM))
    assert desk.mark(OPEN.id, lambda marks: marks.with_acknowledged(LEE)).marks.acknowledged == KIM
    desk.mark(OPEN.id, lambda marks: marks.with_feedback(WRONG))
    desk.mark(OPEN.id, lambda marks: marks.with_feedback(WRONG.model_copy(update={"at_ms": 9})))
    close(committer, opened)
    all_said = EventMarks(acknowledged=KIM, feedback=WRONG)
    assert desk.get(OPEN.id) == (CLOSED, all_said)
    acknowledged = EventMarks(acknowledged=KIM)
    assert told(redis_client) == [
        ("opened", EventMarks()),
        ("updated", acknowledged),
        ("updated", all_said),
        ("closed", all_said),
    ]
    assert desk.mark(OPEN.id, lambda marks: marks.with_feedback(None)).marks == acknowledged


def test_who_changes_an_event_while_another_does_loses_nothing(desk: EventDesk) -> None:
    at_once = [KIM]

    def change(marks: EventMarks) -> EventMarks:
        if at_once:
            kept = at_once.pop()
            desk.mark(OPEN.id, lambda marks: marks.with_kept(kept))
        return marks.with_feedback(WRONG)

    desk.mark(OPEN.id, change)
    assert desk.get(OPEN.id).marks == EventMarks(feedback=WRONG, kept=KIM)


@pytest.mark.parametrize("is_kept", [False, True])
def test_a_change_that_reaches_redis_twice_counts_once(
    is_kept: bool, redis_client: redis.Redis, desk: EventDesk
) -> None:
    named = [KEYS.feed, KEYS.kept, KEYS.events("cam"), KEYS.event_data("cam")]
    marks = EventMarks(kept=KIM) if is_kept else EventMarks(acknowledged=KIM)
    arguments = [OPEN.id, "", marks.model_dump_json(), "1" if is_kept else "", BASE_MS, 8, FEED_ENTRIES]
    assert [Script(redis_client, MARK)(named, arguments) for _ in range(2)] == [b"done", b"done"]
    assert told(redis_client) == [("opened", EventMarks()), ("updated", marks)]
    assert desk.get(OPEN.id) == (OPEN, marks)
    deletion = [OPEN.id, "cam", FEED_ENTRIES]
    assert [Script(redis_client, DELETE)([*named, KEYS.open], deletion) for _ in range(2)] == [1, 0]
    assert told(redis_client)[2:] == [("deleted", marks)]


def test_an_event_that_is_kept_has_no_lifetime_until_it_is_let_go(
    redis_client: redis.Redis, desk: EventDesk, committer: Committer, opened: Progress
) -> None:
    desk.mark(OPEN.id, lambda marks: marks.with_kept(KIM))
    closed = close(committer, opened)
    late = commit_of(LATER, closed, memory=b"memory")
    committer.commit([late])
    assert desk.get(OPEN.id) == (CLOSED, EventMarks(kept=KIM))
    assert (redis_client.exists(KEYS.events("cam")), redis_client.ttl(KEYS.kept)) == (0, -1)
    assert desk.mark(OPEN.id, lambda marks: marks.with_kept(None)).event == CLOSED
    assert redis_client.hlen(KEYS.kept) == 0
    assert all(0 < redis_client.pttl(key) <= 86_400_000 for key in (KEYS.events("cam"), KEYS.event_data("cam")))
    committer.commit([commit_of(LATER + 1, late.wanted, memory=b"memory")])
    assert desk.find([OPEN.id]) == []
    assert redis_client.exists(KEYS.event_data("cam")) == 0  # nor its marks


@pytest.mark.parametrize("is_kept", [False, True])
def test_an_open_event_that_was_deleted_does_not_come_back_when_it_closes(
    is_kept: bool, redis_client: redis.Redis, desk: EventDesk, committer: Committer, opened: Progress
) -> None:
    if is_kept:
        desk.mark(OPEN.id, lambda marks: marks.with_kept(KIM))
    desk.delete(OPEN.id)
    with pytest.raises(EventUnknown):
        desk.delete(OPEN.id)
    close(committer, opened)
    assert [kind for kind, _ in told(redis_client)] == ["opened", *["updated"] * is_kept, "deleted"]
    places = (KEYS.kept, KEYS.open, KEYS.events("cam"), KEYS.event_data("cam"))
    assert redis_client.exists(*places) == 0
    with pytest.raises(EventUnknown):
        desk.mark(OPEN.id, lambda marks: marks.with_acknowledged(KIM))


def test_only_so_many_events_are_kept(
    redis_client: redis.Redis, desk: EventDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_desk, "MAX_KEPT", 1)
    redis_client.hset(KEYS.kept, mapping={"cam.frozen.1": "{}", "cam.frozen.1/marks": "{}"})
    with pytest.raises(EventBusy, match="kept already"):
        desk.mark(OPEN.id, lambda marks: marks.with_kept(KIM))
    assert desk.get(OPEN.id) == (OPEN, EventMarks())
