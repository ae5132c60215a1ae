from hypothesis import given
from hypothesis import strategies as st

from services.ingest.captures.clock import FURTHEST_APART_MS, MediaClock

START_MS = 1_700_000_000_000


def mapped(arrivals: list[tuple[float, float]]) -> tuple[list[int], MediaClock]:
    """What (media seconds, seconds until it was decoded) become, in ms after the start."""
    clock = MediaClock()
    return [clock.taken_at_ms(media, START_MS + round(1000 * decoded)) - START_MS for media, decoded in arrivals], clock


def test_pictures_that_come_late_keep_their_distance() -> None:
    late = [0.0, 0.3, 0.1, 1.5, 0.0]
    times, clock = mapped([(index / 10, index / 10 + delay) for index, delay in enumerate(late)])
    assert times == [0, 100, 200, 300, 400]
    assert clock.num_anchored == 1


def test_a_first_burst_is_dated_back() -> None:
    times, _ = mapped([(0.0, 1.0), (0.1, 1.0), (0.2, 1.0), (0.3, 1.0), (1.4, 1.4)])
    assert times == [1000, 1000, 1000, 1000, 1400]
    times, _ = mapped([(0.0, 1.0), (1.0, 1.0), (1.1, 1.1), (1.2, 1.2)])
    assert times[1:] == [1000, 1100, 1200]


def test_a_camera_whose_clock_is_too_quick_is_followed_at_once() -> None:
    times, clock = mapped([(index / 10 * 1.01, index / 10) for index in range(6000)])
    assert all(abs(ms - 100 * index) <= 1 for index, ms in enumerate(times))
    assert clock.num_anchored == 1


def test_a_camera_whose_clock_is_too_slow_is_anchored_anew_every_two_seconds() -> None:
    times, clock = mapped([(index / 10 * 0.99, index / 10) for index in range(6000)])
    assert all(0 <= 100 * index - ms <= FURTHEST_APART_MS + 1 for index, ms in enumerate(times))
    assert clock.num_anchored == 3  # 6 s behind after ten minutes, less the last two


def test_a_clock_that_was_set_forward_is_anchored_to_ours() -> None:
    times, _ = mapped([(0.0, 0.0), (0.1, 0.1), (300.2, 0.2), (300.3, 0.3)])
    assert times == [0, 100, 200, 300]


def test_a_stall_moves_the_anchor() -> None:
    times, clock = mapped([(0.0, 0.0), (0.1, 0.1), (0.2, 5.2), (0.3, 5.3)])
    assert times == [0, 100, 5200, 5300]
    assert clock.num_anchored == 2


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), max_size=100))
def test_no_picture_was_taken_after_it_came_nor_much_before(arrivals: list[tuple[float, float]]) -> None:
    times, _ = mapped(arrivals)
    for ms, (_, decoded) in zip(times, arrivals, strict=True):
        assert -1 <= round(1000 * decoded) - ms <= FURTHEST_APART_MS + 1
