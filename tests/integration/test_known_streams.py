"""What a key for some groups is shown is what lies in Redis at that moment, and costs no reading of what stands."""

import random
from collections.abc import Iterable, Iterator

import pytest
import redis
from api_server import RunningApi, running_api
from default_layout import PARTITIONS, keys_of
from ingest_runner import stream_spec

from services.api.kept.known import REREAD_SECONDS, KnownStreams
from shared.store.registry import Registry
from shared.words.sealing import Vault, new_key

GROUPS = ("north", "south", "east", "west")
NUM_STREAMS = 60


@pytest.fixture
def registry(redis_client: redis.Redis) -> Registry:
    """As another process has it, whose sources are sealed."""
    return Registry(redis_client, Vault(new_key()))


def add(registry: Registry, stream_id: str, *groups: str) -> None:
    registry.add(stream_spec(stream_id, "rtsp://camera.invalid/1", groups=groups))


def regroup(registry: Registry, stream_id: str, *groups: str) -> None:
    seen = registry.get(stream_id).spec
    assert registry.replace(seen, seen.model_copy(update={"groups": groups}))


def plainly(registry: Registry, groups: Iterable[str]) -> list[str]:
    """The ids of those in the groups, by reading every spec."""
    return sorted(each for each, spec in registry.specs().items() if set(spec.groups) & set(groups))


def calls(client: redis.Redis, command: str) -> int:
    told: dict[str, dict[str, int]] = client.info("commandstats")
    return told.get(f"cmdstat_{command}", {"calls": 0})["calls"]


def test_it_equals_what_is_stored_whatever_happens(redis_client: redis.Redis, registry: Registry) -> None:
    known, rng = KnownStreams(redis_client), random.Random(1)
    there: set[str] = set()
    for _ in range(300):
        stream_id, groups = f"cam{rng.randrange(NUM_STREAMS)}", rng.sample(GROUPS, rng.randrange(3))
        if stream_id not in there:
            add(registry, stream_id, *groups)
            there.add(stream_id)
        elif rng.random() < 0.6:
            regroup(registry, stream_id, *groups)
        else:
            registry.remove(stream_id)
            there.remove(stream_id)
        wanted = rng.sample(GROUPS, rng.randrange(1, 3))
        assert sorted(known.in_groups(wanted)) == plainly(registry, wanted)
    streams = known.all()
    assert {each: (stream.id, stream.groups) for each, stream in streams.items()} == {
        each: (each, spec.groups) for each, spec in registry.specs().items()
    }


def test_what_stands_is_not_read_again_and_what_moves_is(redis_client: redis.Redis, registry: Registry) -> None:
    known = KnownStreams(redis_client, clock=lambda: 0.0)
    for keys in PARTITIONS:
        add(registry, next(f"cam{each}" for each in range(9999) if keys_of(f"cam{each}") == keys), "north")
    assert len(known.in_groups(["north"])) == len(PARTITIONS)
    before = calls(redis_client, "hgetall")
    assert len(known.in_groups(["north"])) == len(known.all()) == len(PARTITIONS)
    assert calls(redis_client, "hgetall") == before
    regroup(registry, known.in_groups(["north"])[0], "south")
    assert (len(known.in_groups(["north"])), len(known.in_groups(["south"]))) == (len(PARTITIONS) - 1, 1)
    assert calls(redis_client, "hgetall") == before + 1


def test_partitions_that_nothing_was_ever_in_are_not_read_again(redis_client: redis.Redis, registry: Registry) -> None:
    known = KnownStreams(redis_client, clock=lambda: 0.0)
    assert known.ids() == []
    before = calls(redis_client, "hgetall")
    assert known.ids() == []
    assert calls(redis_client, "hgetall") == before
    add(registry, "cam", "north")
    assert known.in_groups(["north"]) == ["cam"]
    assert calls(redis_client, "hgetall") == before + 1


def test_what_no_counter_tells_of_is_found_in_time(redis_client: redis.Redis, registry: Registry) -> None:
    now = 0.0
    known, keys = KnownStreams(redis_client, clock=lambda: now), keys_of("cam")
    add(registry, "cam", "north")
    assert known.in_groups(["north", "north"]) == ["cam"]
    by_hand = stream_spec("cam", "rtsp://camera.invalid/1", groups=("south",)).model_dump_json()
    redis_client.hset(keys.streams, "cam", by_hand)
    now = REREAD_SECONDS
    assert (known.in_groups(["north"]), known.in_groups(["south"])) == ([], ["cam"])
    redis_client.hset(keys.streams, "cam", "no spec")
    redis_client.delete(keys.changes)
    redis_client.hset(keys.changes, "of another", "type")  # it moves no more, so it is not trusted
    assert (known.in_groups(["south"]), known.all()) == ([], {})
    redis_client.hset(keys.streams, "cam", by_hand)
    assert known.in_groups(["south"]) == ["cam"]
    redis_client.delete(keys.streams)
    redis_client.set(keys.streams, "of another type")
    assert known.in_groups(["south"]) == []


@pytest.fixture
def api(redis_url: str, redis_client: redis.Redis) -> Iterator[RunningApi]:
    with running_api(redis_url) as api:
        yield api


def test_a_group_that_changes_counts_at_the_next_request(api: RunningApi, registry: Registry) -> None:
    ring = api.context.keyring
    ring.create("a", "admin")
    key, _ = ring.create("s", "viewer", ("south",))
    headers = {"Authorization": f"Bearer {key.text}"}

    def seen(query: str = "") -> list[str]:
        return [each["id"] for each in api.http.get(f"/v1/streams{query}", headers=headers).json()["items"]]

    for stream_id, group in (("one", "south"), ("two", "north")):
        add(registry, stream_id, group)
    assert seen() == ["one"]
    for _ in range(5):
        regroup(registry, "one", "north")
        regroup(registry, "two", "south")
        assert (seen(), seen("?text=TW"), seen("?text=one"), seen("?group=north")) == (["two"], ["two"], [], [])
        regroup(registry, "one", "south", "north")
        regroup(registry, "two", "north")
        assert (seen(), seen("?group=north")) == (["one"], ["one"])
    registry.remove("one")
    assert seen() == []
