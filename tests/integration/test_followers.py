"""Followers of the feed on a real Redis: what they hand on, where they go on, and what they say of a wrong place."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import redis
from default_layout import PARTITIONS
from leasing import tenancy
from patience import eventually
from prometheus_client import CollectorRegistry

from services.api.followers.cursors import BEFORE_ALL, Cursors, FeedEnds
from services.api.followers.entries import FeedEntry
from services.api.followers.follower import Follower, FollowerMetrics
from shared.entries import EntryId
from shared.store.leases import Lease

FEED, CURSOR = PARTITIONS[7].feed, PARTITIONS[7].cursor("delivery")


class Notebook:
    """Notes what is handed on; it is done with as many entries of a call as it `may` be."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.may = 1000
        self.owned: set[int] = set()
        self.broken = threading.Event()
        self.crashed = threading.Event()

    def take_over(self, lease: Lease) -> None:
        self.owned.add(lease.partition)

    def handle(self, _lease: Lease, entries: Sequence[FeedEntry]) -> int:
        if self.broken.is_set():
            self.crashed.set()
            raise RuntimeError("the handler crashes")
        done = entries[: self.may]
        self.seen += [entry.label for entry in done]
        return len(done)

    def leave(self, lease: Lease) -> None:
        self.owned.remove(lease.partition)


def happen(client: redis.Redis, *names: str, key: str = FEED, entry_id: str = "*") -> None:
    for name in names:
        client.xadd(key, {"kind": "opened", "event": json.dumps({"stream_id": "a", "label": name})}, id=entry_id)


@contextmanager
def following(client: redis.Redis, notebook: Notebook) -> Iterator[CollectorRegistry]:
    registry, stop = CollectorRegistry(), threading.Event()
    keeper = tenancy(client, "delivery", ttl_seconds=1.0)
    follower = Follower(Cursors(client, "delivery"), keeper, notebook, FollowerMetrics(registry), stop)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            follower.run()
        except RuntimeError as err:
            failed.append(err)

    thread = threading.Thread(target=run)
    thread.start()
    yield registry
    stop.set()
    thread.join()
    assert bool(failed) == notebook.broken.is_set()


def gaps(registry: CollectorRegistry) -> dict[str, float]:
    return {
        way: registry.get_sample_value("afterimage_follower_gaps_total", {"way": way}) or 0
        for way in ("behind", "ahead")
    }


def test_a_follower_goes_on_where_it_was_done(redis_client: redis.Redis) -> None:
    notebook = Notebook()
    happen(redis_client, "one", "two", "three")
    redis_client.xadd(FEED, {"kind": "opened"})  # makes no sense, and is passed
    notebook.may = 2
    with following(redis_client, notebook) as registry:
        eventually(lambda: len(notebook.seen) == 4, "all entries")
        eventually(lambda: redis_client.get(CURSOR) == newest(redis_client), "the cursor")
        eventually(lambda: registry.get_sample_value("afterimage_follower_entries_total") == 4, "their count")
        assert len(notebook.owned) == 32
    assert notebook.seen == ["one", "two", "three", ""]
    assert notebook.owned == set()
    happen(redis_client, "four")
    notebook.may, stuck = 0, Notebook()
    with following(redis_client, notebook) as registry:
        lag = "afterimage_follower_lag_seconds"
        eventually(lambda: (registry.get_sample_value(lag) or 0) > 0, "the lag of what is not done")
    notebook.broken.set()
    with following(redis_client, notebook):
        eventually(notebook.crashed.is_set, "the crash")
    assert notebook.seen[4:] == []
    with following(redis_client, stuck) as registry:
        eventually(lambda: stuck.seen == ["four"], "what nobody was done with")
        assert gaps(registry) == {"behind": 0, "ahead": 0}


def newest(client: redis.Redis) -> bytes:
    told: Any = client.xinfo_stream(FEED)
    return bytes(told["last-generated-id"])


def test_followers_share_the_feeds(redis_client: redis.Redis) -> None:
    one, other = Notebook(), Notebook()
    with following(redis_client, one), following(redis_client, other):
        eventually(lambda: (len(one.owned), len(other.owned)) == (16, 16), "half of the partitions each")
        for keys in PARTITIONS:
            happen(redis_client, str(keys.partition), key=keys.feed)
        eventually(lambda: len(one.seen) + len(other.seen) == 32, "all entries")
        owned = {int(name) for name in one.seen}
        assert owned == one.owned
        assert {int(name) for name in other.seen} == other.owned
    assert one.owned == other.owned == set()


@pytest.mark.parametrize(("cursor", "way"), [("5-0", "behind"), ("99999999999999-0", "ahead")])
def test_a_cursor_outside_its_feed_is_told_once_and_corrected(redis_client: redis.Redis, cursor: str, way: str) -> None:
    for ms in (7, 8):
        happen(redis_client, str(ms), entry_id=f"{ms}-0")
    redis_client.set(CURSOR, cursor)
    notebook = Notebook()
    with following(redis_client, notebook) as registry:
        eventually(lambda: notebook.seen == ["7", "8"], "what there is")
        eventually(lambda: redis_client.get(CURSOR) == b"8-0", "the cursor")
        happen(redis_client, "9", entry_id="9-0")
        eventually(lambda: notebook.seen == ["7", "8", "9"], "what came later")
        assert gaps(registry) == {"behind": 0, "ahead": 0} | {way: 1}


def calls(client: redis.Redis) -> dict[str, int]:
    """How often Redis was asked for entries, by command."""
    told: Any = client.info("commandstats")
    found = {name: told.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("xread", "xrange")}
    return {name: count for name, count in found.items() if count}


def test_all_feeds_are_asked_at_once_and_one_that_is_none_holds_up_no_other(redis_client: redis.Redis) -> None:
    happen(redis_client, *"abcd")
    happen(redis_client, "z", key=PARTITIONS[30].feed)
    wanted = {keys.partition: (BEFORE_ALL, 3 if keys.partition == 7 else 64) for keys in PARTITIONS}
    cursors = Cursors(redis_client, "delivery")
    redis_client.config_resetstat()
    found = cursors.read(wanted)
    assert calls(redis_client) == {"xread": 1}
    assert {each: [entry.label for entry in entries] for each, entries in found.items()} == {7: [*"abc"], 30: ["z"]}
    wanted[7] = found[7][-1].entry_id, 64
    redis_client.set(PARTITIONS[3].feed, "no stream")
    assert [[entry.label for entry in entries] for entries in cursors.read(wanted).values()] == [["d"], ["z"]]
    assert cursors.read({}) == {}


def test_a_cursor_is_moved_by_its_owner_alone_and_never_back(redis_client: redis.Redis) -> None:
    cursors, lease = Cursors(redis_client, "delivery"), Lease(7, 1, "gone")
    happen(redis_client, "one", entry_id="9-0")
    assert cursors.move({lease: EntryId(9)}) == [lease]
    assert redis_client.get(CURSOR) is None
    with tenancy(redis_client, "delivery") as keeper:
        held = eventually(keeper.held, "leases")[7]
        assert cursors.move({held: EntryId(9)}) == []
        assert cursors.move({held: EntryId(8)}) == []
        assert redis_client.get(CURSOR) == b"9-0"


def test_what_was_taken_out_on_purpose_is_no_gap() -> None:
    ends = FeedEnds(oldest=EntryId(9), newest=EntryId(9), removed=EntryId(5), cursor=EntryId(5))
    assert ends.gap(EntryId(5)) is None
    assert ends.gap(EntryId(4)) == "behind"
    assert ends.gap(EntryId(9)) is None
    assert ends.gap(EntryId(0)) is None
    assert ends.gap(EntryId(9, 1)) == "ahead"
