from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.sources.decoding.sampler import Sampler
from services.ingest.sources.decoding.thinning import MAX_AHEAD, Thinning

Coded = tuple[float | None, bool]
"""a picture's time, and whether others refer to it"""


def coded(times: Sequence[float | None], num_between: int) -> Iterator[Coded]:
    """In decoding order: every reference goes before the pictures between it and the reference before."""
    yield times[0], True
    for first in range(1, len(times), num_between + 1):
        group = times[first : first + num_between + 1]
        yield group[-1], True
        yield from ((seconds, False) for seconds in group[:-1])


def played(
    pictures: Iterator[Coded], sampler: Sampler, needs: Callable[[float | None], bool]
) -> tuple[list[tuple[int, float]], int]:
    """The points with their times as a decoder gives them, and how many pictures it decoded."""
    points, held, num_decoded = [], None, 0

    def show(seconds: float | None) -> None:
        point = sampler.point(seconds)
        if point is not None:
            points.append((point, sampler.seconds))

    for seconds, is_reference in pictures:
        if not needs(seconds) and not is_reference:
            continue
        num_decoded += 1
        if is_reference:
            if held:
                show(held[0])
            held = (seconds,)
        else:
            show(seconds)
    if held:
        show(held[0])
    return points, num_decoded


STEPS = st.lists(st.sampled_from([0.01, 1 / 60, 1 / 30, 0.04, 0.05, 0.1, 0.3, 5.0]), min_size=1, max_size=120)
GRIDS = st.sampled_from([0.5, 2.0, 5.0, 8.0, 10.0, 25.0])


@given(STEPS, GRIDS, st.integers(0, 4), st.floats(-1e5, 1e5))
def test_the_sampled_frames_are_those_of_full_decoding(
    steps: list[float], fps: float, num_between: int, start: float
) -> None:
    times: list[float | None] = [start + sum(steps[:index]) for index in range(len(steps) + 1)]
    full, num_full = played(coded(times, num_between), Sampler(fps, 0.04), lambda _: True)
    sampler = Sampler(fps, 0.04)
    thin, num_thin = played(coded(times, num_between), sampler, Thinning(sampler).needs)
    assert thin == [pytest.approx(shown) for shown in full]  # sums of other steps are rounded otherwise
    assert num_thin <= num_full


def decoded_share(rate: float, fps: float, num_between: int) -> float:
    times: list[float | None] = [index / rate for index in range(500)]
    sampler = Sampler(fps, 1 / rate)
    return played(coded(times, num_between), sampler, Thinning(sampler).needs)[1] / len(times)


def test_what_neither_the_grid_nor_another_picture_needs_is_left_out() -> None:
    assert decoded_share(25, 8, num_between=0) == 1
    assert decoded_share(25, 8, num_between=1) < 0.7
    assert decoded_share(25, 2, num_between=2) < 0.45
    assert decoded_share(8, 8, num_between=2) == 1
    assert decoded_share(5, 8, num_between=2) == 1


def test_after_a_picture_without_a_time_all_are_needed_for_a_while() -> None:
    sampler = Sampler(0.01, 0.04)
    thinning = Thinning(sampler)
    assert thinning.needs(0.0)
    sampler.point(0.0)
    assert [thinning.needs(seconds) for seconds in (0.04, 0.08)] == [False, False]
    assert thinning.needs(None)
    wary = [thinning.needs(0.12 + 0.04 * index) for index in range(MAX_AHEAD + 1)]
    assert wary == [True] * MAX_AHEAD + [False]


def test_before_the_first_picture_and_after_a_leap_back_all_are_needed() -> None:
    sampler = Sampler(2.0, 0.04)
    thinning = Thinning(sampler)
    assert all(thinning.needs(seconds) for seconds in (10.0, 10.04, 10.08))
    sampler.point(10.0)
    assert all(thinning.needs(seconds) for seconds in (1.0, 1.04))


def test_what_the_decoder_refused_is_replaced() -> None:
    sampler = Sampler(2.0, 0.04)
    thinning = Thinning(sampler)
    sampler.point(0.0)
    assert [thinning.needs(seconds) for seconds in (0.6, 0.64)] == [True, False]
    thinning.refused()
    assert [thinning.needs(seconds) for seconds in (0.68, 0.72)] == [True, False]


def test_it_remembers_a_bounded_number_of_windows() -> None:
    sampler = Sampler(8.0, 0.04)
    thinning = Thinning(sampler)
    sampler.point(0.0)
    for index in range(1, 1000):
        thinning.needs(index / 8)
    assert len(thinning._kept) == MAX_AHEAD
