from collections.abc import Iterable
from itertools import count, pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest_runner import stream_spec

from services.ingest.captures.account import Account
from services.ingest.captures.clock import (
    FAR_MS,
    MOST_GLIDE_MS,
    NEWS_MS,
    SLEW,
    CameraTimes,
    Glide,
    HostClock,
    StreamClock,
    outlook,
)
from shared import clock as shared_clock
from shared.clock import now_ms, steady_ms, wall_offset_ms

START_MS = 1_700_000_000_000


STEP_MS = 125.0
GAP_MS = 10_000.0
BACK_MS = (40_000.0, 3_600_000.0)


def dated(clock: StreamClock, num_frames: int, *, first_ms: float, offset_ms: float) -> list[int]:
    """So many frames, a grid step apart, under a wall clock that reads `offset_ms` more than the steady one."""
    return [clock.date(first_ms + STEP_MS * number, offset_ms) for number in range(num_frames)]


def distances(times: list[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(times)]


@pytest.mark.parametrize("step_ms", [*(-back for back in BACK_MS), *BACK_MS, -0.5 * FAR_MS, -1e12])
def test_a_clock_that_is_set_leaves_distances_as_they_are(step_ms: float) -> None:
    clock = StreamClock(0, STEP_MS, GAP_MS)
    times = dated(clock, 100, first_ms=1000.0, offset_ms=START_MS)
    assert times[0] == START_MS + 1000
    assert clock.ahead_ms == 0
    times += dated(clock, 1000, first_ms=1000 + 100 * STEP_MS, offset_ms=START_MS + step_ms)
    assert all(abs(each - STEP_MS) <= SLEW * STEP_MS + 1 for each in distances(times))
    passed = 1000 * STEP_MS
    slewed = min(abs(step_ms), SLEW * passed) if abs(step_ms) <= FAR_MS else 0.0  # it would take months
    assert abs(-step_ms - clock.ahead_ms) == pytest.approx(slewed, abs=1)


@pytest.mark.parametrize("step_ms", [-40_000.0, 40_000.0])
def test_the_stream_agrees_with_the_clock_again(step_ms: float) -> None:
    clock = StreamClock(0, STEP_MS, GAP_MS)
    dated(clock, 1, first_ms=0.0, offset_ms=START_MS)
    num_frames = round(40_000 / SLEW / STEP_MS)
    dated(clock, num_frames - 100, first_ms=STEP_MS, offset_ms=START_MS + step_ms)
    assert abs(clock.ahead_ms) > 100
    times = dated(clock, 200, first_ms=STEP_MS * (num_frames - 99), offset_ms=START_MS + step_ms)
    assert clock.ahead_ms == 0
    assert times[-1] == START_MS + step_ms + STEP_MS * (num_frames + 100)


def test_a_gap_stays_one_when_the_clock_is_set_in_it() -> None:
    for step_ms in (-40_000.0, 40_000.0):
        clock = StreamClock(0, STEP_MS, GAP_MS)
        first = clock.date(0.0, START_MS)
        clock.begin()
        gap_ms = clock.date(60_000.0, START_MS + step_ms) - first
        assert gap_ms == (100_000 if step_ms > 0 else 60_000 * (1 - SLEW))


def test_a_clock_set_forward_is_followed_after_a_gap_that_resets_the_memory_and_no_other() -> None:
    clock, step_ms = StreamClock(0, STEP_MS, GAP_MS), 3_600_000
    dated(clock, 10, first_ms=0.0, offset_ms=START_MS)
    before = dated(clock, 10, first_ms=10 * STEP_MS, offset_ms=START_MS + step_ms)[-1]
    clock.begin()
    after = clock.date(20 * STEP_MS + 1_000, START_MS + step_ms)
    assert after - before == pytest.approx(1_000 + STEP_MS, abs=1 + SLEW * (1_000 + STEP_MS))
    clock.begin()
    assert clock.date(60_000.0, START_MS + step_ms) == START_MS + step_ms + 60_000


def test_a_clock_that_had_never_been_set_is_followed_at_once() -> None:
    clock = StreamClock(0, STEP_MS, GAP_MS)
    dated(clock, 10, first_ms=0.0, offset_ms=START_MS)
    assert clock.date(5_125.0, START_MS + 2 * FAR_MS) == START_MS + 5_125 + 2 * FAR_MS


def test_what_becomes_of_times_far_ahead_is_said() -> None:
    assert outlook(-1e12) == outlook(40_000.0) == ""
    assert "in 8 days" in outlook(4 * 3_600_000.0)
    assert "until they are registered anew" in outlook(1e12)


def test_a_stream_of_a_host_whose_clock_is_ahead_goes_on_from_there() -> None:
    last_ms = START_MS + 40_000
    clock = StreamClock(last_ms, STEP_MS, GAP_MS)
    times = [last_ms, *dated(clock, 1000, first_ms=500.0, offset_ms=START_MS)]
    assert all(abs(each - STEP_MS) <= SLEW * STEP_MS + 1 for each in distances(times))
    assert 0 < clock.ahead_ms < 40_000


def test_a_stream_that_is_taken_up_soon_goes_on_now_however_seldom_its_pictures_are() -> None:
    clock = StreamClock(START_MS, 100_000.0, GAP_MS)
    assert clock.date(0.0, START_MS + 2_000) == START_MS + 2_000
    spec = stream_spec("door", "rtsp://camera/", fps=0.01)
    assert CameraTimes(spec, Account("door", last_ms=START_MS))._stream_clock._step_ms <= 1_000


def test_a_stream_that_was_left_a_while_ago_goes_on_now() -> None:
    clock = StreamClock(START_MS - 60_000, STEP_MS, GAP_MS)
    assert clock.date(500.0, START_MS) == START_MS + 500


@pytest.mark.parametrize("late_ms", [[200.0], [200.0, 150.0, 90.0], [90.0, 200.0, 10.0, 60.0]])
def test_first_pictures_that_a_busy_machine_sees_late_keep_their_distances(late_ms: list[float]) -> None:
    glide, taken = Glide(), []
    for number in range(200):
        late = late_ms[number] if number < len(late_ms) else 0.0
        taken.append(glide.taken_ms(number * STEP_MS / 1000, number * STEP_MS + late))
    assert all(abs(later - earlier - STEP_MS) <= SLEW * STEP_MS + 1e-6 for earlier, later in pairwise(taken))
    assert taken[-1] == pytest.approx(199 * STEP_MS)


@given(st.lists(st.tuples(st.floats(0, 1e3), st.floats(0, 1e6)), max_size=50))
def test_no_picture_is_dated_long_after_it_came(arrivals: list[tuple[float, float]]) -> None:
    glide = Glide()
    assert all(glide.taken_ms(seconds, at_ms) - at_ms <= MOST_GLIDE_MS + 0.1 for seconds, at_ms in arrivals)


def test_a_first_burst_is_dated_back_but_for_a_little() -> None:
    glide = Glide()
    taken = [glide.taken_ms(number * STEP_MS / 1000, 10_000.0) for number in range(20)]
    assert max(taken) <= 10_000 + MOST_GLIDE_MS
    following = [
        glide.taken_ms((20 + number) * STEP_MS / 1000, 10_000 + (1 + number) * STEP_MS) for number in range(200)
    ]
    assert all(abs(later - earlier - STEP_MS) <= SLEW * STEP_MS + 1e-6 for earlier, later in pairwise(following))
    assert following[-1] == pytest.approx(10_000 + 200 * STEP_MS)


@given(
    st.lists(st.tuples(st.floats(0, 1e5), st.floats(-1e8, 1e8), st.booleans()), max_size=100),
    st.integers(0, START_MS + 100_000),
)
def test_times_rise_whatever_clocks_do(frames: list[tuple[float, float, bool]], last_ms: int) -> None:
    clock, times = StreamClock(last_ms, STEP_MS, GAP_MS), [last_ms]
    for taken_ms, set_by_ms, is_new in frames:
        if is_new:
            clock.begin()
        times.append(clock.date(taken_ms, START_MS + set_by_ms))
    assert all(later > earlier for earlier, later in pairwise(times))


def test_a_host_s_clock_that_is_set_is_noticed_once_and_drift_is_not() -> None:
    host = HostClock()
    assert host.step_ms(START_MS, 0.0) == 0
    assert host.step_ms(START_MS + 1_800, 3_600_000.0) == 0
    assert host.step_ms(START_MS + 1_800 - 40_000, 3_600_250.0) == -40_000
    assert host.step_ms(START_MS + 1_800 - 40_000, 3_600_500.0) == 0
    assert host.step_ms(START_MS + 1_800, 3_600_750.0) == 40_000


def test_of_many_streams_that_lie_ahead_one_is_told_of() -> None:
    host = HostClock()
    assert not host.is_news(100.0, 0.0)
    assert [host.is_news(40_000.0, now) for now in (0.0, 1.0, NEWS_MS + 1.0)] == [True, False, True]


def wall_offset_by(monkeypatch: pytest.MonkeyPatch, steady: Iterable[int]) -> int:
    """The offset as it is found where the steady clock gives these readings, in ms, and the wall clock START_MS."""
    readings = iter(steady)
    clocks = SimpleNamespace(
        clock_gettime_ns=lambda _: 1_000_000 * next(readings), time_ns=lambda: 1_000_000 * START_MS
    )
    with monkeypatch.context() as patch:
        patch.setattr(shared_clock, "time", clocks)
        return wall_offset_ms()


def test_the_wall_clock_is_read_anew_where_the_machine_was_busy_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wall_offset_by(monkeypatch, [100, 4_100, 4_100, 4_102]) == START_MS - 4_101


def test_a_machine_that_is_always_busy_gets_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert abs(wall_offset_by(monkeypatch, count(0, 1_000)) - START_MS) < 60_000


def test_the_steady_clock_runs_as_the_wall_clock_does() -> None:
    assert abs(steady_ms() + wall_offset_ms() - now_ms()) < 5_000
