"""What becomes of keys and entries when a store is divided anew, without a store."""

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.entries import EntryId
from shared.store.keys import PartitionKeys
from shared.store.layout.partitioning import MAX_COUNT, Partitioning
from shared.store.repartition.merging import FormerEntry, lifetime, merged, stream_of_entry
from shared.store.repartition.ways import WAYS, StoredKey, stream_of_field

LISTS = {"own", "ownership"}


def keys_there_are() -> dict[str, str]:
    """The name of each property and method that gives a key → such a key."""
    place, found = PartitionKeys(5), {}
    for name, member in vars(PartitionKeys).items():
        if name.startswith("_") or name in {*LISTS, "tag", "partition", "count"}:
            continue
        found[name] = member(place, "some") if inspect.isfunction(member) else getattr(place, name)
    return found


def test_every_key_of_a_partition_has_a_way() -> None:
    there_are = keys_there_are()
    assert len(there_are) >= 24
    for name, key in there_are.items():
        assert isinstance(key, str), f"{name} gives no key: name it in LISTS"
        stored = StoredKey.parse(key.encode())
        assert stored, key
        assert stored.way, f"shared.store.repartition.ways does not know {name} ({key})"
    assert {StoredKey.parse(key.encode()).word for key in there_are.values()} == set(WAYS)  # type: ignore[union-attr]


@pytest.mark.parametrize("count", [1, 31, 32, 33, 256, MAX_COUNT])
def test_a_key_is_taken_apart_and_named_in_another_partition(count: int) -> None:
    layout = Partitioning(count)
    for keys in layout.all:
        found = StoredKey.parse(keys.frames("a:b").encode())
        assert found
        assert (found.place, found.word, found.stream_id, found.name) == (
            keys,
            "frames",
            b"a:b",
            keys.frames("a:b").encode(),
        )
        assert found.at(PartitionKeys(7, 64)) == PartitionKeys(7, 64).frames("a:b").encode()
    assert len({keys.tag for keys in layout.all}) == count


@pytest.mark.parametrize(
    "key", ["{p5}:frames:a", "{p32}:feed", "{p005}:feed", "{p9of8}:feed", "{p05of32}:feed", "p05:feed"]
)
def test_what_only_looks_like_a_partitions_key_is_none(key: str) -> None:
    assert StoredKey.parse(key.encode()) is None


def test_no_layouts_keys_are_anothers() -> None:
    layouts = [Partitioning(count) for count in (1, 16, 32, 64, 256)]
    tags = [keys.tag for layout in layouts for keys in layout.all]
    assert len(tags) == len(set(tags))


def test_a_field_tells_whose_it_is() -> None:
    assert stream_of_field("status")(b"cam") == b"cam"
    assert stream_of_field("media")(b"cam.moved.5") == b"cam"
    assert stream_of_field("kept")(b"cam.moved.5/marks") == b"cam"
    assert stream_of_field("delivered")(b"cam moved") == b"cam"
    assert stream_of_field("delivered")(b"hook void cam moved") == b"cam"
    assert stream_of_field("delivered")(b"void void void void") == b"void"


def test_an_entry_tells_whose_it_is() -> None:
    assert stream_of_entry("outbox", {b"s": b"cam"}) == b"cam"
    assert stream_of_entry("feed", {b"event": b'{"stream_id":"cam"}'}) == b"cam"
    assert stream_of_entry("feed", {b"event": b"{"}) == stream_of_entry("feed", {}) == b""


def test_what_is_made_of_keys_lives_as_long_as_the_longest() -> None:
    assert lifetime([5, -2, 9]) == 9
    assert lifetime([5, -1]) is None
    assert lifetime([-2]) == 1


ids = st.builds(EntryId, st.integers(1, 5), st.integers(0, 2))
feeds = st.dictionaries(st.integers(0, 3), st.sets(ids, max_size=8), max_size=4)


@given(feeds, st.dictionaries(st.integers(0, 3), ids))
def test_merged_feeds_rise_and_followers_miss_nothing(feeds: dict[int, set[EntryId]], read: dict[int, EntryId]) -> None:
    entries = [FormerEntry(entry_id, each, {}) for each, found in feeds.items() for entry_id in found]
    result = merged(entries)
    assert result.ids == sorted(set(result.ids))
    assert sorted(result.entries) == sorted(entries)
    for partition in feeds:
        of_it = [each.id for each in result.entries if each.partition == partition]
        assert of_it == sorted(of_it)
    passed = result.entries[: result.num_passed(read)]
    assert all(each.id <= read.get(each.partition, EntryId(0, 0)) for each in passed)
    if len(feeds) == 1:
        [partition] = feeds
        assert len(passed) == sum(each <= read.get(partition, EntryId(0, 0)) for each in feeds[partition])
