"""A batch's scores, rounded in one go."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.inference.pipeline.compute import rounded
from shared.entries import scores_text

SCORES = st.floats(0, 1, width=32)
HALFWAY = st.builds(lambda number, power: (number % 2**power) / 2**power, st.integers(0, 2**20), st.integers(1, 20))
"""Among them those that lie between two numbers of five decimals, as far as a float can."""


@given(st.lists(SCORES | HALFWAY, min_size=1, max_size=8))
def test_each_is_what_rounding_it_alone_gives(scores: list[float]) -> None:
    numbers = np.array([scores], np.float32)
    [row] = rounded(numbers)
    assert row == [round(score, 5) for score in numbers[0].tolist()]
    assert scores_text(row) == ",".join(f"{score:.5f}" for score in numbers[0].tolist())
