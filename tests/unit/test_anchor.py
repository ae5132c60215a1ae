from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.sources.timing.anchor import FURTHEST_APART_SECONDS, Anchor, Pace

Arrivals = Sequence[tuple[float, float]]
"""A picture's own seconds, and those until it came."""


def mapped(arrivals: Arrivals) -> tuple[list[int], Anchor]:
    """When pictures were taken, in ms after the start."""
    anchor = Anchor()
    return [round(1000 * (at - anchor.late_seconds(seconds, at))) for seconds, at in arrivals], anchor


def stalled(step: float, num_pictures: int, begins: float, seconds: float, speed: float = 1e9) -> Arrivals:
    """A network that holds everything back for a while, and brings it so much quicker than it was filmed."""
    times = [step * index for index in range(num_pictures)]
    ends = begins + seconds
    return [(time, max(time, ends + (time - begins) / speed) if time >= begins else time) for time in times]


def test_pictures_that_come_late_keep_their_distance() -> None:
    late = [0.0, 0.3, 0.1, 1.5, 0.0]
    times, anchor = mapped([(index / 10, index / 10 + delay) for index, delay in enumerate(late)])
    assert times == [0, 100, 200, 300, 400]
    assert anchor.num_anchored == 1


@pytest.mark.parametrize("step", [0.04, 0.2, 1.0, 4.0])
@pytest.mark.parametrize("seconds", [2.5, 4.0, 7.0, 60.0])
@pytest.mark.parametrize("speed", [1e9, 2.0, 1.1])
def test_what_a_stall_held_back_keeps_its_distances(step: float, seconds: float, speed: float) -> None:
    times, anchor = mapped(stalled(step, 2000, 10.0, seconds, speed))
    assert {later - earlier for earlier, later in pairwise(times)} == {round(1000 * step)}
    assert anchor.num_anchored == 1


def test_a_stall_that_begins_anew_before_it_is_made_up_for() -> None:
    arrivals = [(0.0, 0.0), (1.0, 8.0), (2.0, 12.0), *((second, max(12.5, second)) for second in range(3, 30))]
    assert mapped(arrivals)[0] == [1000 * second for second in range(30)]

    times, anchor = mapped([(index / 10, index / 10 + (5 if index > 10 else 0)) for index in range(100)])
    steps = [later - earlier for earlier, later in pairwise(times)]
    assert sorted(steps)[-2:] == [pytest.approx(100, abs=2), pytest.approx(5100, abs=60)]
    assert steps.index(max(steps)) <= 45
    assert times[-1] == 14_900
    assert anchor.num_anchored == 2


def test_a_first_burst_is_dated_back() -> None:
    times, _ = mapped([(0.0, 1.0), (0.1, 1.0), (0.2, 1.0), (0.3, 1.0), (1.4, 1.4)])
    assert times == [1000, 1000, 1000, 1000, 1400]
    times, _ = mapped([(0.0, 1.0), (1.0, 1.0), (1.1, 1.1), (1.2, 1.2)])
    assert times[1:] == [1000, 1100, 1200]


def test_a_camera_whose_clock_is_too_quick_is_followed_at_once() -> None:
    times, anchor = mapped([(index / 10 * 1.01, index / 10) for index in range(6000)])
    assert all(abs(ms - 100 * index) <= 1 for index, ms in enumerate(times))
    assert anchor.num_anchored == 1


@pytest.mark.parametrize(("slow", "num_anchored", "late_seconds"), [(0.0001, 1, 0.01), (0.01, 1, 0.7), (0.2, 60, 4.0)])
def test_a_camera_whose_clock_is_too_slow_is_followed(slow: float, num_anchored: int, late_seconds: float) -> None:
    times, anchor = mapped([(index / 10 * (1 - slow), index / 10) for index in range(6000)])
    assert all(0 <= 100 * index - ms <= 1000 * late_seconds for index, ms in enumerate(times))
    assert anchor.num_anchored <= num_anchored


def test_a_network_that_jams_for_a_while_moves_nothing() -> None:
    arrivals = [(index / 10, index / 10 + (0.4 if 100 <= index < 300 else 0.0)) for index in range(600)]
    assert mapped(arrivals)[0] == [100 * index for index in range(600)]


def test_a_clock_that_was_set_forward_is_anchored_to_ours() -> None:
    times, _ = mapped([(0.0, 0.0), (0.1, 0.1), (300.2, 0.2), (300.3, 0.3)])
    assert times == [0, 100, 200, 300]


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), max_size=100), st.floats(0, 1e6))
def test_no_picture_was_taken_after_it_came(arrivals: Arrivals, late: float) -> None:
    """Nor long before, where it is one of many that came as late."""
    now, taken = 1e6, mapped(arrivals)[0]
    assert all(ms <= round(1000 * at) + 1 for ms, (_, at) in zip(taken, arrivals, strict=True))
    following = [(now + second, now + late + second) for second in range(60)]
    times = mapped([*arrivals, *following])[0][-20:]
    assert all(
        1000 * at - ms <= 1000 * FURTHEST_APART_SECONDS + 1 for ms, (_, at) in zip(times, following[-20:], strict=True)
    )


def test_packets_wait_for_their_time() -> None:
    pace = Pace()
    assert pace.early_seconds(100.0, now=7.0) == 0
    assert pace.early_seconds(101.5, now=7.5) == 1.0
    assert pace.early_seconds(102.0, now=10.0) == 0  # a second late
    assert pace.early_seconds(104.0, now=10.0) == 1.0  # which is made up for


def test_a_jump_begins_anew() -> None:
    pace = Pace()
    for media_seconds, now in ((0.0, 0.0), (50.0, 1.0), (3.0, 2.0)):
        assert pace.early_seconds(media_seconds, now) == 0
    assert pace.early_seconds(4.0, now=2.0) == 1.0


def test_what_stalled_is_made_up_for_and_no_buffer_grows_of_it() -> None:
    pace = Pace()
    early = [pace.early_seconds(media, at) for media, at in stalled(0.1, 400, 10.0, 8.0)]
    assert max(early) == pytest.approx(0, abs=1e-9)
    assert pace.early_seconds(40.0, now=39.0) == pytest.approx(1.0)
