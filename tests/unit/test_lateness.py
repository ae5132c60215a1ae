"""Latency while the host's clock is set."""

import pytest

from services.inference.latency import REMEMBERED_MS, Lateness

START_MS = 1_700_000_000_000


@pytest.mark.parametrize("step_ms", [-3_600_000, -40_000, 40_000, 3_600_000])
@pytest.mark.parametrize("late_ms", [0, 20, 5000])
def test_a_clock_that_is_set_makes_no_frame_late(step_ms: int, late_ms: int) -> None:
    lateness = Lateness()
    lateness.look(START_MS, 0)
    lateness.look(START_MS + step_ms, 100)
    now_ms = START_MS + step_ms + 100
    assert lateness.seconds(START_MS + 100 - late_ms, now_ms) == late_ms / 1000  # dated before
    assert lateness.seconds(now_ms - late_ms, now_ms) == late_ms / 1000


def test_a_step_is_forgotten() -> None:
    lateness = Lateness()
    lateness.look(START_MS, 0)
    lateness.look(START_MS + 5000, 100)
    assert lateness.seconds(START_MS, START_MS + 6000) == 1
    lateness.look(START_MS + 5000, 101 + REMEMBERED_MS)
    assert lateness.seconds(START_MS, START_MS + 6000) == 6


def test_a_clock_that_is_disciplined_was_not_set() -> None:
    lateness = Lateness()
    lateness.look(START_MS, 0)
    lateness.look(START_MS + 3000, 3_600_000)
    assert lateness.seconds(START_MS, START_MS + 6000) == 6


def test_a_host_whose_clock_is_ahead_dates_nothing_before_it_was_due() -> None:
    assert Lateness().seconds(START_MS + 100, START_MS) == 0
