import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.sources.decoding.tally import NUM_COUNTS, TALLY_BYTES, Tally

COUNT = st.integers(0, 2**62)
SECONDS = st.floats(0, 1e9)


@given(st.builds(Tally, *[COUNT] * NUM_COUNTS, *[SECONDS] * 5))
def test_what_is_taken_comes_out_again_and_nothing_is_left(tally: Tally) -> None:
    tally.decoded += tally.skipped + tally.dropped
    tally.damaged = min(tally.damaged, tally.decoded)
    before = replace(tally)
    packed = tally.take()
    assert Tally.unpack(packed) == before
    assert tally == Tally()


@pytest.mark.parametrize("num_bytes", [0, 1, TALLY_BYTES - 1, TALLY_BYTES + 1])
def test_anything_else_is_no_tally(num_bytes: int) -> None:
    with pytest.raises(ValueError, match=f"a tally of {num_bytes} bytes; it has {TALLY_BYTES}"):
        Tally.unpack(bytes(num_bytes))


IMPOSSIBLE = [
    Tally(decoded=2, skipped=2, dropped=1),
    Tally(decoded=2, damaged=3),
    Tally(decode_seconds=-0.1),
    Tally(read_seconds=math.inf),
    Tally(encode_seconds=math.nan),
]


@pytest.mark.parametrize("tally", IMPOSSIBLE, ids=str)
def test_counts_that_cannot_be_are_refused(tally: Tally) -> None:
    with pytest.raises(ValueError, match=r"skipped and|damaged of|seconds that are"):
        Tally.unpack(tally.take())
