from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from services.inference.pipeline.batcher import Batcher


def filled(max_size: int, *keys: str, deadline_seconds: float = 1.0) -> Batcher[str, tuple[str, int]]:
    batcher: Batcher[str, tuple[str, int]] = Batcher(max_size, deadline_seconds)
    counts: dict[str, int] = defaultdict(int)
    for key in keys:
        batcher.put(key, [(key, counts[key])], now=0.0)
        counts[key] += 1
    return batcher


def test_an_empty_batcher_is_never_due() -> None:
    assert not filled(4).is_due(now=1e9)


def test_a_batch_closes_on_size_or_on_the_deadline_after_its_first_frame() -> None:
    assert filled(2, "a", "b").is_due(now=0.0)
    one = filled(2, "a")
    assert not one.is_due(now=0.5)
    assert one.is_due(now=1.0)


def test_streams_take_turns() -> None:
    batcher = filled(4, "a", "a", "a", "a", "a", "b", "c")
    assert batcher.take(now=0.0) == [("a", 0), ("b", 0), ("c", 0), ("a", 1)]
    assert batcher.take(now=0.0) == [("a", 2), ("a", 3), ("a", 4)]


def test_room_counts_what_waits() -> None:
    batcher = filled(4, "a", "b")
    assert (len(batcher), batcher.room) == (2, 2)
    batcher.take(now=0.0)
    assert (len(batcher), batcher.room) == (0, 4)


def test_discarded_streams_leave_nothing_behind() -> None:
    batcher = filled(4, "a", "b", "a")
    batcher.discard(["a", "unknown"])
    assert batcher.take(now=0.0) == [("b", 0)]
    assert not batcher.is_due(now=1e9)


@given(st.lists(st.sampled_from("abcde"), max_size=60), st.integers(1, 9))
def test_nothing_is_lost_reordered_or_oversized(keys: list[str], max_size: int) -> None:
    batcher = filled(max_size, *keys)
    taken: list[tuple[str, int]] = []
    while len(batcher):
        batch = batcher.take(now=0.0)
        assert 0 < len(batch) <= max_size
        taken += batch
    assert len(taken) == len(keys)
    for key in set(keys):
        assert [number for name, number in taken if name == key] == list(range(keys.count(key)))
