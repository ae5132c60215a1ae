from typing import Any, get_args

import pytest
import redis
from default_layout import NUM_PARTITIONS, keys_of, partition_of

from shared.errors import Fenced, StreamExists, StreamUnknown
from shared.store import registry as registry_room
from shared.store.keys import Role
from shared.store.leases import Lease
from shared.store.registry import Registry, RegistryListing
from shared.streams import InferenceStatus, Progress, StreamSpec, StreamStatus

SPEC = StreamSpec(id="cam", name="cam", source="a.mp4", base_ms=1, generation=7, created_at_ms=1)


ALL = range(NUM_PARTITIONS)
LEASE = Lease(keys_of("cam").partition, 3, "the-test")


@pytest.fixture
def registry(redis_client: redis.Redis) -> Registry:
    registry = Registry(redis_client)
    for role in get_args(Role):
        redis_client.set(keys_of("cam").lease(role), str(LEASE))
    registry.add(SPEC)
    return registry


def test_a_new_stream_has_a_spec_and_no_past(registry: Registry) -> None:
    record = registry.get("cam")
    assert record.spec == SPEC
    assert record.progress == Progress(7)
    assert (record.frames_published, record.lag_frames, record.frames_dropped) == (0, 0, 0)
    assert record.inference == InferenceStatus()
    assert registry.specs() == {"cam": SPEC}


def test_the_very_same_registration_may_be_repeated_another_may_not(registry: Registry) -> None:
    registry.add(SPEC)
    with pytest.raises(StreamExists, match="'cam'"):
        registry.add(SPEC.model_copy(update={"generation": 8}))


def test_a_spec_is_replaced_only_if_it_is_the_one_seen(registry: Registry) -> None:
    faster = SPEC.model_copy(update={"fps": 16.0, "revision": 1})
    slower = SPEC.model_copy(update={"fps": 1.0})
    assert registry.replace(SPEC, faster)
    assert registry.replace(SPEC, faster)
    assert not registry.replace(SPEC, slower)
    assert registry.get("cam").spec == faster


def test_what_services_say_of_another_generation_are_refused(registry: Registry) -> None:
    assert registry.set_status("cam", StreamStatus(generation=7, epoch=3), LEASE)
    assert not registry.set_status("cam", StreamStatus(generation=6, epoch=9), LEASE)
    registry.set_inference([(SPEC.model_copy(update={"generation": 6}), InferenceStatus(model="a@1"), LEASE)])
    record = registry.get("cam")
    assert (record.status.epoch, record.inference.model) == (3, None)


def test_a_worker_whose_lease_ran_out_says_nothing_more(registry: Registry) -> None:
    late = Lease(LEASE.partition, 2, "another")
    with pytest.raises(Fenced, match="'cam'"):
        registry.set_status("cam", StreamStatus(generation=7, epoch=9), late)
    assert registry.set_inference([(SPEC, InferenceStatus(model="a@1"), late)]) == {"cam": None}
    record = registry.get("cam")
    assert (record.status.epoch, record.inference.model) == (0, None)


def test_what_inference_sees_of_many_streams_takes_one_round_trip(
    registry: Registry, redis_client: redis.Redis
) -> None:
    specs = [SPEC.model_copy(update={"id": f"cam-{number}"}) for number in range(2000)]
    owned = [each for each in specs if partition_of(each.id) == LEASE.partition]
    for each in owned:
        registry.add(each)
    num_reads = redis_client.info("stats")["total_reads_processed"]
    assert registry.set_inference([(each, InferenceStatus(model="a@1"), LEASE) for each in owned]) == {}
    assert redis_client.info("stats")["total_reads_processed"] - num_reads < len(owned) / 4
    assert {registry.get(each.id).inference.model for each in owned} == {"a@1"}


def test_a_removed_stream_leaves_nothing(registry: Registry, redis_client: redis.Redis) -> None:
    registry.set_status("cam", StreamStatus(generation=7), LEASE)
    assert registry.set_inference([(SPEC, InferenceStatus(reason="no model"), LEASE)]) == {}
    keys = keys_of("cam")
    redis_client.xadd(keys.frames("cam"), {"n": 1})
    redis_client.zadd(keys.events("cam"), {"e": 1})
    registry.remove("cam")
    left = {keys.changes, *(keys.lease(role) for role in get_args(Role))}
    assert {key.decode() for key in redis_client.scan_iter()} == left
    with pytest.raises(StreamUnknown):
        registry.remove("cam")
    with pytest.raises(StreamUnknown):
        registry.get("cam")
    assert not registry.set_status("cam", StreamStatus(generation=7), LEASE)


def test_a_spec_that_cannot_be_read_hides_no_other(registry: Registry, redis_client: redis.Redis) -> None:
    redis_client.hset(keys_of("odd").streams, "odd", "{}")
    assert registry.specs() == {"cam": SPEC}


def num_hashes_read(client: redis.Redis) -> int:
    told: Any = client.info("commandstats")
    client.config_resetstat()
    return int(told.get("cmdstat_hgetall", {"calls": 0})["calls"])


def test_a_listing_reads_what_has_changed_and_no_more(
    registry: Registry, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_room, "TURN_SECONDS", 3600.0)
    other, faster = SPEC.model_copy(update={"id": "other"}), SPEC.model_copy(update={"fps": 16.0})
    listing = RegistryListing(redis_client)
    assert listing.look(ALL) == {"cam"}
    num_hashes_read(redis_client)
    assert listing.look(ALL) == set()
    assert num_hashes_read(redis_client) == 0
    registry.add(other)
    assert listing.look(ALL) == {"other"}
    assert num_hashes_read(redis_client) == 1
    known = listing.specs["other"]
    registry.replace(SPEC, faster)
    assert listing.look(ALL) == {"cam"}
    assert listing.specs == {"cam": faster.model_copy(update={"revision": 1}), "other": other}
    assert listing.specs["other"] is known
    registry.remove("cam")
    assert listing.look(ALL) == {"cam"}
    assert listing.look([]) == {"other"}
    assert listing.look(ALL) == {"other"}
    assert listing.specs == {"other": other}


def test_a_listing_finds_what_was_written_by_hand(
    registry: Registry, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_room, "TURN_SECONDS", 0.0)
    listing = RegistryListing(redis_client)
    listing.look(ALL)
    redis_client.hset(keys_of("odd").streams, "odd", "{}")
    assert {stream_id for _ in ALL for stream_id in listing.look(ALL)} == {"odd"}
    assert listing.unreadable.keys() == {"odd"}
    monkeypatch.setattr(registry_room, "TURN_SECONDS", 3600.0)
    redis_client.set(keys_of("cam").changes, "what is this")
    mended = SPEC.model_copy(update={"id": "odd"})
    redis_client.hset(keys_of("odd").streams, "odd", mended.model_dump_json())
    assert listing.look(ALL) == {"odd"}
    assert (listing.specs, listing.unreadable) == ({"cam": SPEC, "odd": mended}, {})
    assert registry.replace(SPEC, SPEC.model_copy(update={"fps": 16.0}))
