from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.sources.decoding.timeline import ArrivalClock

Packet = tuple[float | None, float]
"""timestamp and time of arrival"""


def corrected(packets: Sequence[Packet]) -> list[float | None]:
    clock = ArrivalClock()
    return [clock.seconds(stamp, at) for stamp, at in packets]


def steady(num_packets: int, seconds: float = 0.1) -> list[float]:
    return [index * seconds for index in range(num_packets)]


def test_timestamps_that_can_be_true_stay_as_they_are() -> None:
    times = steady(50)
    late = [time + (2.0 if 10 <= index < 30 else 0.0) for index, time in enumerate(times)]
    late = [max(late[: index + 1]) for index in range(50)]
    burst = [max(4.0, time) for time in times]
    rare = steady(20, 12.5)
    for stamps, arrivals in ((times, times), (times, late), (times, burst), (rare, rare)):
        assert corrected(list(zip(stamps, arrivals, strict=True))) == stamps


@pytest.mark.parametrize("seconds", [0.04, 1.0, 12.5])
def test_pictures_between_others_come_in_decoding_order(seconds: float) -> None:
    stamps = [seconds * index for group in range(0, 40, 4) for index in (group + 4, group + 2, group + 1, group + 3)]
    assert corrected([(stamp, seconds * index) for index, stamp in enumerate(stamps)]) == stamps


def test_fields_of_one_timestamp_are_no_standstill() -> None:
    packets = [(index // 2 * 0.04, index * 0.02) for index in range(100)]
    assert corrected(packets) == [stamp for stamp, _ in packets]


@pytest.mark.parametrize("first", [[(None, 0.0)], [(0.0, 0.0)], [(5.0, 0.0), (5.1, 0.1)]])
def test_where_timestamps_stand_still_arrival_counts(first: list[Packet]) -> None:
    stood = first[-1][0] or 0.0
    packets = [*first, *((stood, 0.2 + time) for time in steady(40))]
    times = [time for time in corrected(packets)[-35:] if time is not None]
    assert times == pytest.approx([times[0] + time for time in steady(35)])


def test_after_a_standstill_timestamps_count_again() -> None:
    packets = [(0.0, time) for time in steady(30)] + [(7.0 + time, 3.0 + time) for time in steady(30)]
    assert corrected(packets)[10:] == pytest.approx(steady(60)[10:])


@pytest.mark.parametrize("leap", [3600.0, -3600.0, 30.0, -30.0, 23_000.0])
def test_a_stray_timestamp_does_not_touch_the_others(leap: float) -> None:
    packets = [(time + (leap if index % 10 == 9 else 0.0), time) for index, time in enumerate(steady(60))]
    assert corrected(packets) == pytest.approx(steady(60))


@pytest.mark.parametrize("leap", [3600.0, -3600.0, 30.0, -30.0, 1e8])
def test_a_clock_that_was_set_goes_on_where_it_was(leap: float) -> None:
    packets = [(time + (leap if time > 2 else 0.0), time) for time in steady(60)]
    assert corrected(packets) == pytest.approx(steady(60))


def test_a_first_timestamp_that_strays_is_left_behind() -> None:
    times = [time for time in corrected([(9e5, 0.0), *((time, time) for time in steady(20)[1:])]) if time is not None]
    assert times == pytest.approx([9e5 + time for time in steady(20)])


def test_a_pause_is_a_gap_even_where_what_was_held_back_comes_first() -> None:
    sent = [*steady(20), *(60 + time for time in steady(20))]
    arrivals = [time if time < 1.5 else max(61.0, time) for time in sent]
    assert corrected(list(zip(sent, arrivals, strict=True))) == sent


SOON = 150
"""So many packets, ten a second, show a rate that is wrong by a good part."""


@pytest.mark.parametrize("rate", [0.01, 0.089, 0.5, 0.7, 1.4, 2.0, 11.1, 50.0])
def test_where_timestamps_run_at_a_wrong_rate_arrival_counts(rate: float) -> None:
    times = steady(SOON + 300)
    jitter = [0.05 * (index % 7) for index in range(len(times))]
    arrivals = [time + late for time, late in zip(times, jitter, strict=True)]
    found = corrected([(rate * time, at) for time, at in zip(times, arrivals, strict=True)])[SOON:]
    assert found == pytest.approx([(found[0] or 0.0) + at - arrivals[SOON] for at in arrivals[SOON:]])


@pytest.mark.parametrize("rate", [0.9, 0.99, 1.01, 1.1])
def test_a_clock_that_is_a_little_wrong_is_believed(rate: float) -> None:
    stamps = [rate * time for time in steady(3000)]
    assert corrected(list(zip(stamps, steady(3000), strict=True))) == stamps


@pytest.mark.parametrize("begin", range(0, 60, 3))
@pytest.mark.parametrize("seconds", [1.0, 4.0, 8.0])
def test_what_the_network_holds_back_is_no_wrong_rate(begin: int, seconds: float) -> None:
    times = steady(200)
    arrivals = [max(time, times[begin] + seconds) if time >= times[begin] else time for time in times]
    assert corrected(list(zip(times, arrivals, strict=True))) == times


@pytest.mark.parametrize("seconds", [3.0, 10.0, 60.0])
def test_what_a_server_sends_ahead_at_first_is_no_wrong_rate(seconds: float) -> None:
    times = steady(1000)
    arrivals = [0.001 * index + max(0.0, time - seconds) for index, time in enumerate(times)]
    assert corrected(list(zip(times, arrivals, strict=True))) == times


def test_a_rate_that_is_right_again_counts_again() -> None:
    times = steady(600)
    packets = [(0.1 * time if time < 20 else time - 18, time + 0.05 * (index % 7)) for index, time in enumerate(times)]
    found = corrected(packets)[200 + SOON :]
    assert found == pytest.approx([(found[0] or 0.0) + time for time in steady(len(found))])


@given(st.lists(st.tuples(st.none() | st.floats(-1e9, 1e9), st.floats(0, 100)), max_size=60))
def test_no_timestamps_carry_time_away(packets: list[tuple[float | None, float]]) -> None:
    """Whatever comes, a packet's time is at most so far ahead of any earlier one's as a burst can explain."""
    at, clock, lead = 0.0, ArrivalClock(), -1e18
    for stamp, waited in packets:
        at += waited
        passed = at - clock._last.at if clock._last else 0.0
        seconds = clock.seconds(stamp, at)
        if seconds is not None:
            assert lead < -1e17 or seconds - at <= lead + 5 + 4 * passed + 1e-3
            lead = max(lead, seconds - at)
