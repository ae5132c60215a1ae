"""Which queues an inference worker reads: those that have news, few others, and each in its turn."""

from typing import Any, cast

import pytest
import redis
from default_layout import PARTITIONS, keys_of
from worker_runner import spec_of

from services.inference.pipeline import places as rooms
from services.inference.pipeline.messages import Stream
from services.inference.pipeline.places import AWAY_SECONDS, TURN_SECONDS, Arrivals, Place
from shared.entries import EntryId
from shared.store.leases import Lease

NUM_AWAY = 20
IDS = [f"cam{number}" for number in range(NUM_AWAY + 2)]
HERE = IDS[-2:]
HELD = sorted({keys_of(stream_id).partition for stream_id in IDS})


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def place_of(stream_id: str, *, is_away: bool) -> Place:
    spec = spec_of(stream_id, pace="live")
    stream = Stream(spec, Lease(keys_of(stream_id).partition, 1, "w"), cast(Any, None))
    return Place(stream, spec, "0-0", EntryId(0), is_away=is_away)


def publish(client: redis.Redis, stream_id: str) -> None:
    client.hincrby(keys_of(stream_id).published, stream_id)
    client.incr(keys_of(stream_id).arrivals)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr("shared.store.registry.TURN_SECONDS", 1e9)  # of the counters; here its own is looked at
    return Clock()


def settled(client: redis.Redis, clock: Clock) -> tuple[Arrivals, dict[str, Place]]:
    """Everything that it did not know is known."""
    found = Arrivals(client, clock)
    places = {stream_id: place_of(stream_id, is_away=stream_id not in HERE) for stream_id in IDS}
    for place in places.values():
        found.put(place)
    assert found.look(HELD) == set(IDS), "of none it is known how much was published"
    found._turn_at = 1e9
    clock.now += AWAY_SECONDS
    assert found.look(HELD) == set()
    return found, places


def test_of_those_that_are_away_only_those_are_read_of_which_something_came_once_a_second(
    redis_client: redis.Redis, clock: Clock
) -> None:
    found, places = settled(redis_client, clock)
    publish(redis_client, IDS[0])
    publish(redis_client, HERE[0])
    assert found.look(HELD) >= {IDS[0], HERE[0]}
    publish(redis_client, IDS[1])
    publish(redis_client, HERE[0])
    assert found.look(HELD) & {IDS[1], HERE[0]} == {HERE[0]}
    clock.now += AWAY_SECONDS
    assert found.look(HELD) == {IDS[1]}
    assert found.look(HELD) == set()
    places[IDS[1]].is_away = False
    publish(redis_client, IDS[1])
    assert IDS[1] in found.look(HELD), "it sends again: there is no waiting"
    found.drop(places[IDS[1]].stream)
    publish(redis_client, IDS[1])
    clock.now += AWAY_SECONDS
    assert IDS[1] not in found.look(HELD)


def test_each_queue_is_read_in_its_turn_whatever_is_counted(redis_client: redis.Redis, clock: Clock) -> None:
    found, _ = settled(redis_client, clock)
    found._turn_at = 0.0
    read: set[str] = set()
    for _ in range(32):
        read |= found.look(HELD)
        clock.now += TURN_SECONDS
    assert read == set(IDS)


def test_the_turn_of_few_comes_no_more_often_than_of_all(redis_client: redis.Redis, clock: Clock) -> None:
    found, places = settled(redis_client, clock)
    for stream_id in IDS[:-1]:
        found.drop(places[stream_id].stream)
    found._turn_at, num_read = 0.0, 0
    for _ in range(96):
        num_read += len(found.look(range(32)))
        clock.now += TURN_SECONDS
    assert num_read == 3


def test_of_those_from_whom_nothing_is_to_be_expected_no_queue_is_read_in_its_turn(
    redis_client: redis.Redis, clock: Clock
) -> None:
    found, places = settled(redis_client, clock)
    over, paused, ending = IDS[:3]
    places[over].position = "9-1"
    places[paused].spec = spec_of(paused, pace="live", paused=True)
    places[ending].position, places[ending].is_away = "9-1", False
    found._turn_at = 0.0
    read: set[str] = set()
    for _ in range(32):
        read |= found.look(HELD)
        clock.now += TURN_SECONDS
    assert read == set(IDS) - {over, paused}
    publish(redis_client, paused)
    clock.now += AWAY_SECONDS
    assert paused in found.look(HELD), "what comes all the same is read"


def test_of_many_partitions_those_are_asked_about_in_which_anything_is_open(
    redis_client: redis.Redis, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, places = settled(redis_client, clock)
    asked: list[list[str]] = []
    mget = redis_client.mget

    def noted(keys: list[str]) -> Any:
        asked.append(keys)
        return mget(keys)

    monkeypatch.setattr(redis_client, "mget", noted)
    found.look(range(32))
    assert asked == [[PARTITIONS[each].arrivals for each in HELD]]
    mates = [place for each, place in places.items() if keys_of(each) == keys_of(HERE[0])]
    for place in mates:
        found.drop(place.stream)
    publish(redis_client, HERE[0])
    found.look(range(32))
    for place in mates:
        found.put(place)
    assert HERE[0] in found.look(range(32)), "what came while nothing was open there"
    for place in places.values():
        found.drop(place.stream)
    assert found.look(range(32)) == set()


def test_nothing_is_forgotten_where_redis_fails_in_between(
    redis_client: redis.Redis, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = settled(redis_client, clock)
    publish(redis_client, IDS[0])
    publish(redis_client, HERE[0])
    clock.now += AWAY_SECONDS
    with monkeypatch.context() as patch:
        patch.setattr(rooms, "replies_of", _fail)
        with pytest.raises(ConnectionError):
            found.look(HELD)
    assert found.look(HELD) >= {IDS[0], HERE[0]}


def _fail(_pipeline: object) -> None:
    raise ConnectionError
