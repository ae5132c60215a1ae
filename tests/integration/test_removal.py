"""A stream that is removed: what was open is told to be closed, and nothing of it afterwards, whoever comes late."""

import json
from typing import Any

import pytest
import redis
from test_commit import BASE_MS, KEYS, LEASE, SPEC, START, commit_of, event

from shared.errors import StreamUnknown
from shared.life.event_desk import EventDesk, EventUnknown
from shared.life.marks import EventMarks, Mark
from shared.store.commit import CommitOutcome, Committer, Retention
from shared.store.registry import Registry


def told(client: redis.Redis) -> list[tuple[str, dict[str, Any], EventMarks | None]]:
    entries: Any = client.xrange(KEYS.feed)
    return [
        (
            fields[b"kind"].decode(),
            json.loads(fields[b"event"]),
            EventMarks.model_validate_json(fields[b"marks"]) if b"marks" in fields else None,
        )
        for _, fields in entries
    ]


@pytest.mark.parametrize("again", [False, True])
def test_what_was_open_is_told_to_be_closed_and_nothing_comes_after(again: bool, redis_client: redis.Redis) -> None:
    registry, desk = Registry(redis_client), EventDesk(redis_client)
    registry.add(SPEC)
    redis_client.set(KEYS.lease("inference"), str(LEASE))
    redis_client.hset(KEYS.kept, "cam-2.frozen.1", "{}")  # another's, whose id begins alike
    committer = Committer(redis_client, Retention())
    first, kept, over = event(0.0), event(0.125), event(0.25)
    ended = over.model_copy(update={"state": "closed", "ended_at_ms": over.started_at_ms})
    commit = commit_of(0.5, START, transitions=[*(("opened", each) for each in (first, kept, over)), ("closed", ended)])
    committer.commit([commit])
    marks = desk.mark(kept.id, lambda marks: marks.with_kept(Mark(at_ms=1))).marks
    late = commit_of(0.625, commit.wanted, transitions=[("closed", event(0.0, "closed")), ("opened", event(0.625))])
    registry.remove("cam")
    closing = {"state": "closed", "ended_at_ms": BASE_MS + 500, "close_reason": "stream_removed"}
    after = told(redis_client)
    assert after[-2:] == [
        ("closed", first.model_dump() | closing, None),
        ("closed", kept.model_dump() | closing, marks),
    ]
    assert len(after) == 7
    if again:
        registry.add(SPEC.model_copy(update={"generation": 8}))
    for _ in range(2):
        outcome = CommitOutcome.REFUSED if again else CommitOutcome.GONE
        assert committer.commit([late]) == {"cam": outcome}
    with pytest.raises(EventUnknown):
        desk.mark(kept.id, lambda marks: marks.with_acknowledged(Mark(at_ms=2)))
    if not again:
        with pytest.raises(StreamUnknown):
            registry.remove("cam")
    assert told(redis_client) == after
    assert redis_client.hkeys(KEYS.kept) == [b"cam-2.frozen.1"]
    assert redis_client.exists(KEYS.open, KEYS.events("cam"), KEYS.event_data("cam")) == 0


def test_a_stream_whose_events_are_damaged_is_removed_all_the_same(redis_client: redis.Redis) -> None:
    registry = Registry(redis_client)
    registry.add(SPEC)
    redis_client.hset(KEYS.open, "cam", event(0.0).id)
    redis_client.set(KEYS.event_data("cam"), "none")
    registry.remove("cam")
    assert registry.ids() == []
    assert [key for key in redis_client.scan_iter() if b"cam" in key] == []
    assert redis_client.exists(KEYS.feed, KEYS.open) == 0
