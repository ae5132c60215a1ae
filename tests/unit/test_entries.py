"""Entries' ids, and a frame as an entry: what it may lack, and what it may hold beyond the picture."""

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.entries import MAX_FIGURES, Frame

FIGURES = st.lists(st.floats(width=32, min_value=-(2.0**127), max_value=2.0**127))
TRACEPARENT = f"00-{'4b' * 16}-{'00f0' * 4}-01"
OLD: dict[bytes, bytes] = {b"n": b"7", b"j": b"jpeg", b"e": b"2", b"m": b"0.875", b"w": b"900"}
"""As it was before frames had marks."""


def stored(frame: Frame) -> dict[bytes, bytes]:
    """The entry as Redis gives it back."""
    names, values = frame.fields()[::2], frame.fields()[1::2]
    return {name.encode(): as_bytes(value) for name, value in zip(names, values, strict=True)} | {b"n": b"7"}


def as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def parsed(fields: dict[bytes, bytes]) -> Frame:
    return Frame.parse(b"1000-0", fields)


@given(
    st.booleans(),
    FIGURES.filter(lambda figures: 1 <= len(figures) <= MAX_FIGURES) | st.none(),
    st.none() | st.just(TRACEPARENT),
)
def test_what_goes_in_comes_out(damaged: bool, figures: list[float] | None, traceparent: str | None) -> None:
    told = None if figures is None else tuple(figures)
    frame = parsed(stored(Frame(1000, 900, 2, 0.875, b"jpeg", damaged, told, traceparent=traceparent)))
    assert (frame.jpeg, frame.damaged, frame.figures, frame.traceparent) == (b"jpeg", damaged, told, traceparent)


def test_a_frame_without_either_takes_no_more_room_than_before() -> None:
    assert stored(Frame(1000, 900, 2, 0.875, b"jpeg")) == OLD
    frame = parsed(OLD)
    assert (frame.damaged, frame.figures, frame.traceparent) == (False, None, None)


def test_the_end_of_a_source_has_neither() -> None:
    end = Frame.parse(b"1000-1", {b"n": b"7", b"end": b"1"})
    assert end == Frame.end(1000)._replace(sequence=7)
    assert (end.jpeg, end.damaged, end.figures) == (None, False, None)


@pytest.mark.parametrize("entry_id", [b"1000-1", b"1000-2", b"01000-0", b"1000"])
def test_a_frame_under_an_id_that_is_not_its_own_is_none(entry_id: bytes) -> None:
    with pytest.raises(ValueError, match="id"):  # who reads on after it would read it for ever
        Frame.parse(entry_id, OLD)


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\x01",
        b"\x00" + bytes(4),
        b"\x02" + bytes(4),
        b"\x01" + bytes(3),
        b"\x01" + bytes(5),
        b"\x01" + bytes(4 * (MAX_FIGURES + 1)),
        b"\x01" + struct.pack("<2f", 1.0, math.nan),
        b"\x01" + struct.pack("<f", math.inf),
    ],
    ids=bytes.hex,
)
def test_figures_of_another_version_or_length_are_missing(packed: bytes) -> None:
    frame = parsed({**OLD, b"x": packed})
    assert (frame.jpeg, frame.figures) == (b"jpeg", None)


@given(st.binary(max_size=100), st.binary(max_size=10), st.binary(max_size=60))
def test_no_bytes_make_an_entry_unreadable(figures: bytes, mark: bytes, traceparent: bytes) -> None:
    frame = parsed({**OLD, b"x": figures, b"d": mark, b"traceparent": traceparent})
    assert frame.traceparent is None
    assert frame.damaged is (mark == b"1")
    assert frame.figures is None or 1 <= len(frame.figures) <= MAX_FIGURES


@pytest.mark.parametrize("figures", [(), (0.0,) * (MAX_FIGURES + 1), (math.nan,), (math.inf,), (1e39,)], ids=str)
def test_figures_that_do_not_fit_are_refused(figures: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=f"allowed are 1 to {MAX_FIGURES} numbers"):
        Frame(1, 1, 1, 0.0, b"jpeg", figures=figures).fields()
