import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.sources.decoding.sampler import Sampler, first_point_after, point_time_ms
from services.ingest.sources.decoding.timeline import MAX_GAP_SECONDS, MAX_UNPROVEN_GAP_SECONDS, Timeline, is_stray

RATES = st.sampled_from(
    [5.0, 7.5, 8.0, 10.0, 12.0, 12.5, 15.0, 20.0, 24.0, 24000 / 1001, 25.0, 29.97, 30.0, 50.0, 60.0]
)
GRIDS = st.sampled_from([0.01, 0.08, 0.5, 1.0, 2.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 25.0, 30.0])
TIMESTAMPS = st.lists(
    st.one_of(st.none(), st.floats(-1e9, 1e9), st.sampled_from([math.nan, math.inf, -math.inf, 0.0])), max_size=200
)


def sampled(times: list[float | None], fps: float, frame_seconds: float) -> list[tuple[int, int]]:
    """(index of the frame, grid point) of every frame that is taken."""
    sampler = Sampler(fps, frame_seconds)
    points = [(index, sampler.point(seconds)) for index, seconds in enumerate(times)]
    return [(index, point) for index, point in points if point is not None]


@given(TIMESTAMPS, GRIDS, RATES)
def test_points_rise_strictly_whatever_the_timestamps(times: list[float | None], fps: float, rate: float) -> None:
    points = [point for _, point in sampled(times, fps, 1 / rate)]
    assert all(later > earlier for earlier, later in itertools.pairwise(points))
    assert not times or points[0] == 0


@given(TIMESTAMPS, RATES)
def test_a_timeline_never_runs_back_nor_leaps(times: list[float | None], rate: float) -> None:
    timeline = Timeline(1 / rate)
    placed = [timeline.place(seconds) for seconds in times]
    for earlier, later in itertools.pairwise(placed):
        assert 0 <= later - earlier <= MAX_GAP_SECONDS + 1


@given(RATES, GRIDS, st.integers(1, 400), st.floats(-100, 1e5), st.sampled_from([0.0, 0.001, 1 / 90_000]))
def test_rates_match(rate: float, fps: float, num_frames: int, start: float, tick: float) -> None:
    times: list[float | None] = [
        start + (round(index / rate / tick) * tick if tick else index / rate) for index in range(num_frames)
    ]
    taken = sampled(times, fps, 1 / rate)
    points = [point for _, point in taken]
    if rate >= fps:
        assert points == list(range(len(points)))
        assert abs(len(points) - (num_frames - 1) / rate * fps) <= 1.5
    else:
        assert len(points) == num_frames
    for index, point in taken:
        assert abs(index / rate - point / fps) <= max(1 / rate, 0.6 / fps) + 0.002


@pytest.mark.parametrize(
    ("rate", "fps", "num_frames", "expected"), [(10, 8, 795, 636), (30, 8, 300, 80), (5, 8, 50, 50)]
)
def test_known_counts(rate: float, fps: float, num_frames: int, expected: int) -> None:
    assert len(sampled([index / rate for index in range(num_frames)], fps, 1 / rate)) == expected


def test_the_nearest_frame_is_taken() -> None:
    taken = sampled([index / 30 for index in range(12)], 8.0, 1 / 30)
    assert taken == [(0, 0), (4, 1), (8, 2), (11, 3)]


def test_a_container_that_rounds_to_milliseconds_changes_nothing() -> None:
    exact = [index / 30 for index in range(900)]
    rounded = [round(seconds, 3) for seconds in exact]
    assert sampled(list(exact), 8.0, 1 / 30) == sampled(list(rounded), 8.0, 1 / 30)


def test_missing_timestamps_follow_the_nominal_rate() -> None:
    assert sampled([None] * 31, 10.0, 1 / 30) == [(3 * point, point) for point in range(11)]


def test_timestamps_that_stand_still_become_a_new_clock() -> None:
    taken = sampled([0.0] * 100, 10.0, 1 / 10)
    assert 5 <= len(taken) <= 15


def test_a_restarted_clock_goes_on_one_frame_later() -> None:
    clip: list[float | None] = [index / 10 for index in range(50)]
    assert [point for _, point in sampled(clip + clip, 10.0, 1 / 10)] == list(range(100))


DAY = 86_400


def test_a_leap_of_years_is_bridged_and_a_pause_of_days_kept() -> None:
    assert [point for _, point in sampled([0.0, 0.1, 2e8, 2e8 + 0.1], 10.0, 0.1)] == [0, 1, 2, 3]
    for pause in (60, 601, DAY, 40 * DAY):
        assert [point for _, point in sampled([0.0, 0.1, float(pause)], 10.0, 0.1)] == [0, 1, 10 * pause]


def test_where_no_arrival_proves_it_a_leap_is_bridged() -> None:
    sampler = Sampler(10.0, 0.1, MAX_UNPROVEN_GAP_SECONDS)
    assert [sampler.point(seconds) for seconds in (0.0, 600.0, 1_201.0)] == [0, 6_000, 6_001]


@given(st.sampled_from([0.01, 0.08, 0.5, 8.0]), st.floats(2, 30 * DAY), st.integers(2, 20))
def test_a_time_lapse_gives_every_frame_at_its_time(fps: float, step: float, num_frames: int) -> None:
    step = max(step, 1.1 / fps)
    for frame_seconds in (0.04, step):
        taken = sampled([index * step for index in range(num_frames)], fps, frame_seconds)
        assert [index for index, _ in taken] == list(range(num_frames))
        assert all(abs(index * step - point / fps) <= 1 / fps for index, point in taken)


def test_a_late_frame_is_passed_over_without_shifting_the_rest() -> None:
    times: list[float | None] = [0.0, 0.1, 0.2, 0.15, 0.3, 0.4]
    assert sampled(times, 10.0, 0.1) == [(0, 0), (1, 1), (2, 2), (4, 3), (5, 4)]


@pytest.mark.parametrize("late", [[8.3], [8.3, 8.4, 8.5], [8.3, 8.2, 8.4]])
def test_pictures_that_damage_brings_late_lengthen_nothing(late: list[float]) -> None:
    """Out of a decoder that waited in vain for others; a clock that begins anew goes on, as it did."""
    before, after = [index / 10 for index in range(107)], [10.7 + index / 10 for index in range(50)]
    taken = sampled([*before, *late, *after], 10.0, 0.1)
    assert taken[-1] == (len(before) + len(late) + len(after) - 1, 156)
    assert sampled([*before, *before], 10.0, 0.1)[-1][1] == 213


def test_a_stray_timestamp_is_told_from_a_pause_and_a_new_clock_by_what_follows() -> None:
    later = [100.0 + index for index in range(8)]
    for stamp in (3700.0, -3700.0):
        assert is_stray(99.0, stamp, later)
        assert not is_stray(99.0, stamp, [stamp + index for index in range(8)])
        assert not is_stray(99.0, stamp, [])
        assert not is_stray(99.0, stamp, [*later[:3], *(stamp + index for index in range(5))])
    assert not is_stray(99.0, 108.0, later)


@given(st.integers(1, 1 << 45), GRIDS, st.one_of(st.integers(0, 10_000), st.integers(0, 10**9)))
def test_points_and_times_are_inverse(base_ms: int, fps: float, point: int) -> None:
    time_ms = point_time_ms(base_ms, point, fps)
    assert first_point_after(time_ms, base_ms, fps) == point + 1
    assert first_point_after(time_ms - 1, base_ms, fps) == point
    assert first_point_after(0, base_ms, fps) == 0
