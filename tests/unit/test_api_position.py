import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.live.position import NOTHING_YET, Position
from shared.entries import MAX_NUMBER, EntryId
from shared.store.layout.partitioning import MAX_COUNT

numbers = st.integers(0, MAX_NUMBER)
positions = st.builds(
    Position,
    st.dictionaries(st.integers(0, MAX_COUNT - 1), st.builds(EntryId, numbers, numbers), max_size=32),
    st.integers(0, 1000),
)


@given(positions)
def test_its_text_says_all(position: Position) -> None:
    assert Position.parse(str(position)) == position


def test_the_longest_text_is_accepted() -> None:
    position = Position(dict.fromkeys(range(MAX_COUNT), EntryId(MAX_NUMBER, MAX_NUMBER)), 999_999_999)
    assert Position.parse(str(position)) == position


def test_before_the_first_entry_it_has_a_text_too() -> None:
    assert str(Position()) == NOTHING_YET
    assert Position.parse(NOTHING_YET) == Position()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "3",
        "3:",
        "3:5",
        "3:5-",
        "3:-1-0",
        "3:5-0,",
        "1024:5-0",
        "0/3:5-0",
        "x/3:5-0",
        "1/2/3:5-0",
        "1/",
        "-1:5-0",
        "3:5-0,3:6-0",
        "3:5-0 ",
        "3:٣-0",
        "3:1e3-0",
        f"3:{MAX_NUMBER + 1}-0",
        "1:1-1," * 20000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (that it is one is the contract)
        Position.parse(text)


def test_it_never_goes_back() -> None:
    position = Position()
    position.advance(3, EntryId(10, 2))
    position.advance(3, EntryId(10, 1))
    assert position.of(3) == EntryId(10, 2)
    assert position.has_passed(3, EntryId(9, 99))
    assert not position.has_passed(3, EntryId(10, 3))
    assert not position.has_passed(4, EntryId(0, 1))


def test_it_covers_what_it_has_passed_in_every_partition() -> None:
    position = Position({1: EntryId(10, 0), 2: EntryId(5, 0)})
    assert position.covers(Position({1: EntryId(10, 0)}))
    assert not position.covers(Position({1: EntryId(10, 1)}))
    assert not position.covers(Position({3: EntryId(1, 0)}))


def test_a_copy_moves_on_alone() -> None:
    position = Position({1: EntryId(10, 0)})
    position.copy().advance(1, EntryId(11, 0))
    assert position.of(1) == EntryId(10, 0)


def test_entry_ids_are_ordered_as_numbers() -> None:
    assert EntryId.parse(b"10-0") > EntryId.parse("9-99")
