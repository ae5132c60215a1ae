"""Feeds that are joined as a store is divided anew: a follower that was behind in them loses nothing of what it had
before it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import divided
import pytest
import redis
from divided import FOLLOWERS, History, unread

from services.api.followers.cursors import Cursors, FeedEnds
from shared.life.event_desk import EventDesk
from shared.life.marks import EventMarks, Mark
from shared.store.client import connect
from shared.store.layout.known import check_layout, layout_of
from shared.store.layout.partitioning import FEED_ENTRIES
from shared.store.repartition.steps import Repartition
from shared.store.repartition.watch import own_name

NUM_STREAMS = 12  # some in each
BEHIND = FEED_ENTRIES * 6 // 10
"""So many entries of each of two feeds lie before the followers: more than one feed keeps."""


@pytest.fixture
def url(redis_url: str) -> Iterator[str]:
    """A Redis that nobody is connected to, with a store of two partitions."""
    with closing(connect(redis_url)) as client:
        client.flushall()
    with closing(connect(redis_url, partitions=2)) as client:
        check_layout(client)
        History(client, NUM_STREAMS).fill()
    yield redis_url
    with closing(connect(redis_url)) as client:
        client.flushall()


def divide(url: str, number: int) -> None:
    name = own_name()
    with closing(connect(url, name=name)) as client:
        Repartition(client, name, settle_seconds=0).run(number)


def happen(client: redis.Redis, num_entries: int) -> None:
    """So much is told of a stream of each partition."""
    for keys in layout_of(client).all:
        found: Any = client.xrange(keys.feed, count=1)
        pipeline = client.pipeline(transaction=False)
        for number in range(num_entries):
            pipeline.xadd(keys.feed, found[0][1] | {b"number": number})
        pipeline.execute()


def catch_up(client: redis.Redis) -> None:
    """Followers have passed all there is."""
    for keys in layout_of(client).all:
        found: Any = client.xrevrange(keys.feed, count=1)
        for role in FOLLOWERS:
            client.set(keys.cursor(role), found[0][0])


def mark(client: redis.Redis, stream_id: str) -> None:
    """Something is told, and what is too long is cut."""

    def change(marks: EventMarks) -> EventMarks:
        return marks.model_copy(update={"kept": None if marks.kept else Mark(at_ms=5, by="me")})

    EventDesk(client).mark(divided._event(stream_id, ended=False).id, change)


def length(client: redis.Redis) -> int:
    [keys] = layout_of(client).all
    return int(client.xlen(keys.feed))


def test_what_lies_before_a_follower_of_several_feeds_lies_before_it_in_the_joined_one(url: str) -> None:
    with closing(connect(url)) as client:
        happen(client, BEHIND)
        before = unread(client)
    divide(url, 1)
    with closing(connect(url)) as client:
        had = length(client)
        assert had > 2 * BEHIND > FEED_ENTRIES
        for number in range(NUM_STREAMS):
            mark(client, f"cam-{number}")
        after = unread(client)
        for key, told in before.items():
            assert not Counter(told) - Counter(after[key]), key
        for role in FOLLOWERS:
            ends = Cursors(client, role).ends([0])[0]
            assert isinstance(ends, FeedEnds)
            assert ends.gap(ends.cursor) is None


def test_a_feed_grows_no_longer_for_it_than_it_must_and_only_until_it_is_divided_again(url: str) -> None:
    with closing(connect(url)) as client:
        happen(client, BEHIND)
    divide(url, 1)
    with closing(connect(url)) as client:
        kept = layout_of(client).feed_entries
        assert 2 * BEHIND + FEED_ENTRIES // 2 <= kept <= length(client) + FEED_ENTRIES // 2
        happen(client, FEED_ENTRIES)
        mark(client, "cam-0")
        assert kept <= length(client) < kept + FEED_ENTRIES // 10
        catch_up(client)
    divide(url, 2)
    with closing(connect(url)) as client:
        assert layout_of(client).feed_entries == FEED_ENTRIES


def test_for_followers_that_are_up_to_date_a_feed_is_as_long_as_ever(url: str) -> None:
    with closing(connect(url)) as client:
        happen(client, BEHIND)
        catch_up(client)
    divide(url, 1)
    with closing(connect(url)) as client:
        assert layout_of(client).feed_entries == FEED_ENTRIES
        mark(client, "cam-0")
        assert FEED_ENTRIES <= length(client) < FEED_ENTRIES + FEED_ENTRIES // 10


def test_who_never_followed_begins_with_all_there_is(url: str) -> None:
    with closing(connect(url)) as client:
        happen(client, BEHIND)
        catch_up(client)
        client.delete(*(keys.cursor("recorder") for keys in layout_of(client).all))
        before = Counter(unread(client)["recorder", "cam-0"])
    divide(url, 1)
    with closing(connect(url)) as client:
        mark(client, "cam-1")
        assert not before - Counter(unread(client)["recorder", "cam-0"])
