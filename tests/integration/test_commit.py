"""The commit protocol against a real Redis: all or nothing, once, and by the owner only."""

import json
from dataclasses import replace
from typing import Any

import pytest
import redis
from default_layout import keys_of
from leasing import seize

from shared.entries import Frame
from shared.events import Event, event_id
from shared.store.commit import CommitOutcome, Committer, Retention, StreamCommit
from shared.store.frame_queue import FrameWriter, Outcome
from shared.store.leases import Lease
from shared.store.registry import Registry
from shared.streams import Progress, StreamSpec

BASE_MS = 1_700_000_000_000
SPEC = StreamSpec(id="cam", name="cam", source="a.mp4", base_ms=BASE_MS, generation=7, created_at_ms=BASE_MS)
KEYS = keys_of("cam")
LEASE = Lease(KEYS.partition, 3, "the-test")
START = Progress(7)


def entry(seconds: float) -> str:
    return f"{BASE_MS + int(seconds * 1000)}-0"


def commit_of(seconds: float, expected: Progress, **changes: Any) -> StreamCommit:
    cursor = entry(seconds)
    wanted = expected._replace(
        cursor=cursor,
        sequence=expected.sequence + 1,
        frames_processed=expected.frames_processed + 1,
        checkpoint=cursor,
    )
    scores = [(cursor, (0.1, 0.9))]
    commit = StreamCommit("cam", LEASE, expected, wanted, b"state", ("moved", "frozen"), scores)
    return replace(commit, **changes)


def event(seconds: float, state: str = "open") -> Event:
    started_at_ms = BASE_MS + int(seconds * 1000)
    return Event.model_validate(
        {
            "id": event_id("cam", "frozen", started_at_ms),
            "stream_id": "cam",
            "label": "frozen",
            "state": state,
            "started_at_ms": started_at_ms,
            "ended_at_ms": None if state == "open" else started_at_ms + 1000,
            "media_started_seconds": seconds,
            "peak_score": 0.9,
            "mean_score": 0.8,
            "model": "m@12345678",
            "epoch": 1,
        }
    )


@pytest.fixture
def committer(redis_client: redis.Redis) -> Committer:
    Registry(redis_client).add(SPEC)
    redis_client.set(KEYS.lease("inference"), str(LEASE))
    return Committer(redis_client, Retention())


def entries(client: redis.Redis, key: str) -> Any:
    return client.xrange(key)


def everything(client: redis.Redis) -> dict[str, Any]:
    """What is stored of the stream, feed and all."""
    return {
        "progress": client.hget(KEYS.progress, "cam"),
        "state": client.hget(KEYS.state, "cam"),
        "scores": client.xrange(KEYS.scores("cam")),
        "events": client.zrange(KEYS.events("cam"), 0, -1, withscores=True),
        "event_data": client.hgetall(KEYS.event_data("cam")),
        "feed": client.xlen(KEYS.feed),
    }


def test_one_commit_writes_everything(redis_client: redis.Redis, committer: Committer) -> None:
    opened = event(0.0)
    commit = commit_of(0.125, START, transitions=[("opened", opened)])
    assert committer.commit([commit]) == {"cam": CommitOutcome.COMMITTED}
    stored = everything(redis_client)
    assert stored["progress"] == f"7 {entry(0.125)} 1 1 {entry(0.125)}".encode()
    assert stored["state"] == b"state"
    assert stored["scores"] == [(entry(0.125).encode(), {b"moved,frozen": b"0.10000,0.90000"})]
    assert stored["events"] == [(opened.id.encode(), float(BASE_MS))]
    assert Event.model_validate_json(stored["event_data"][opened.id.encode()]) == opened
    [(_, fed)] = entries(redis_client, KEYS.feed)
    assert (fed[b"kind"], json.loads(fed[b"event"])["id"]) == (b"opened", opened.id)


def test_a_commit_sent_twice_counts_once(redis_client: redis.Redis, committer: Committer) -> None:
    commit = commit_of(0.125, START, transitions=[("opened", event(0.0))])
    committer.commit([commit])
    before = everything(redis_client)
    assert committer.commit([commit]) == {"cam": CommitOutcome.COMMITTED}
    assert everything(redis_client) == before


def test_a_commit_without_a_state_leaves_it_as_it_was(redis_client: redis.Redis, committer: Committer) -> None:
    first = commit_of(0.125, START)
    committer.commit([first])
    committer.commit([commit_of(0.25, first.wanted, state=b"")])
    stored = everything(redis_client)
    assert (stored["state"], stored["progress"]) == (b"state", f"7 {entry(0.25)} 2 2 {entry(0.25)}".encode())


def test_a_commit_from_elsewhere_in_the_stream_changes_nothing(redis_client: redis.Redis, committer: Committer) -> None:
    committer.commit([commit_of(0.125, START)])
    before = everything(redis_client)
    assert committer.commit([commit_of(0.250, START, transitions=[("opened", event(0.0))])]) == {
        "cam": CommitOutcome.REFUSED
    }
    assert everything(redis_client) == before


def test_a_stale_owner_changes_nothing(redis_client: redis.Redis, committer: Committer) -> None:
    for current in ("4 another", None):
        redis_client.delete(KEYS.lease("inference"))
        if current:
            redis_client.set(KEYS.lease("inference"), current)
        before = everything(redis_client)
        assert committer.commit([commit_of(0.125, START)]) == {"cam": CommitOutcome.FENCED}
        assert everything(redis_client) == before


def test_a_removed_stream_stays_removed(redis_client: redis.Redis, committer: Committer) -> None:
    committer.commit([commit_of(0.125, START)])
    Registry(redis_client).remove("cam")
    late = commit_of(0.250, START._replace(cursor=entry(0.125), sequence=1, frames_processed=1))
    assert committer.commit([late]) == {"cam": CommitOutcome.GONE}
    assert [key for key in redis_client.scan_iter() if b"cam" in key] == []
    assert redis_client.hlen(KEYS.state) == 0


def test_a_stream_registered_anew_is_not_the_old_one(redis_client: redis.Redis, committer: Committer) -> None:
    registry = Registry(redis_client)
    registry.remove("cam")
    registry.add(SPEC.model_copy(update={"generation": 8}))
    assert committer.commit([commit_of(0.125, START)]) == {"cam": CommitOutcome.REFUSED}


def test_one_refused_stream_does_not_hold_up_the_others(redis_client: redis.Redis, committer: Committer) -> None:
    mates = [f"mate{i}" for i in range(200) if keys_of(f"mate{i}").partition == KEYS.partition][:2]
    for mate in mates:
        Registry(redis_client).add(SPEC.model_copy(update={"id": mate}))
    good = [replace(commit_of(0.125, START), stream_id=mate) for mate in mates]
    bad = commit_of(0.125, START._replace(sequence=99))
    assert committer.commit([good[0], bad, good[1]]) == {
        mates[0]: CommitOutcome.COMMITTED,
        "cam": CommitOutcome.REFUSED,
        mates[1]: CommitOutcome.COMMITTED,
    }


def test_consumed_frames_and_old_events_go(redis_client: redis.Redis) -> None:
    Registry(redis_client).add(SPEC)
    redis_client.set(KEYS.lease("inference"), str(LEASE))
    committer = Committer(redis_client, Retention(frames_seconds=1, scores_seconds=60, events_seconds=3600))
    for seconds in range(5):
        redis_client.xadd(KEYS.frames("cam"), {"n": seconds}, id=entry(seconds))
    on = event(1.0)
    first = commit_of(3.0, START, transitions=[("closed", event(0.0, "closed")), ("opened", on)])
    committer.commit([first])
    assert [key.decode() for key, _ in entries(redis_client, KEYS.frames("cam"))] == [entry(2), entry(3), entry(4)]
    checkpoint = commit_of(4000.0, first.wanted, memory=b"memory")
    committer.commit([checkpoint])
    assert kept_events(redis_client) == [on.id]
    off = on.model_copy(update={"state": "closed", "ended_at_ms": BASE_MS + 4_000_000})
    closing = commit_of(4000.125, checkpoint.wanted, transitions=[("closed", off)])
    committer.commit([closing])
    assert kept_events(redis_client) == [on.id]
    committer.commit([commit_of(8000.0, closing.wanted, transitions=[("opened", event(8000.0))])])
    assert kept_events(redis_client) == [event(8000.0).id]


def kept_events(client: redis.Redis) -> list[str]:
    listed: Any = client.zrange(KEYS.events("cam"), 0, -1)
    assert client.hkeys(KEYS.event_data("cam")) == listed
    return [name.decode() for name in listed]


def writer_of(client: redis.Redis) -> FrameWriter:
    return FrameWriter(
        client, "cam", SPEC.generation, "live", seize(client, "ingest", [KEYS.partition])[KEYS.partition]
    )


def frame_at(seconds: float) -> Frame:
    at_ms = BASE_MS + int(seconds * 1000)
    return Frame(at_ms, at_ms, 1, seconds, b"jpeg")


def test_what_a_silent_stream_keeps_goes_by_the_clock(redis_client: redis.Redis, committer: Committer) -> None:
    writer, frames = writer_of(redis_client), KEYS.frames("cam")
    writer.publish([frame_at(0.125), frame_at(0.25)])
    first = commit_of(0.125, START, transitions=[("opened", event(0.0))], memory=b"memory")
    committer.commit([first])
    assert {redis_client.ttl(key) for key in (frames, KEYS.events("cam"))} == {-1}  # one waits; one is open
    closing = [("closed", event(0.0, "closed"))]
    caught_up = commit_of(0.25, first.wanted, transitions=closing, memory=b"memory")
    committer.commit([caught_up])
    assert (
        redis_client.ttl(frames) > 86_000
    )  # more frames are to be expected, and the clock may be set before they come
    silent = replace(caught_up, expected=caught_up.wanted, state=b"", scores=(), transitions=())
    committer.commit([silent])
    assert 0 < redis_client.pttl(frames) <= 10_000
    assert 3_600 < redis_client.ttl(KEYS.scores("cam")) <= 3_600 + 86_400
    assert {redis_client.ttl(key) // 86_400 for key in (KEYS.events("cam"), KEYS.event_data("cam"))} <= {30, 31}
    writer.publish([frame_at(0.375)])
    assert redis_client.ttl(frames) == -1


def test_a_frame_that_was_passed_does_not_come_again_where_the_queue_is_gone(
    redis_client: redis.Redis, committer: Committer
) -> None:
    writer = writer_of(redis_client)
    writer.publish([frame_at(0.125)])
    committer.commit([commit_of(0.125, START, memory=b"memory")])
    redis_client.delete(KEYS.frames("cam"))
    assert writer.publish([frame_at(0.125), frame_at(0.25)]) == (Outcome.OK, 2)
    [(name, fields)] = entries(redis_client, KEYS.frames("cam"))
    assert (name.decode(), fields[b"n"]) == (entry(0.25), b"2")
