"""Whether a model on trial is worse: numbers worked out by hand."""

from typing import Any

import pytest

from services.api.kept.rollouts.judging import (
    DAY_MS,
    HOUR_MS,
    Windows,
    age_within,
    is_more_often,
    problem_in,
    tail,
    windows_of,
)
from services.api.kept.rollouts.record import AGE_BOUNDS, RolloutFigures, RolloutLimits

MINUTE_MS = 60_000
STARTED_MS = 10 * DAY_MS


@pytest.mark.parametrize(
    ("at_least", "trials", "share", "chance"),
    [
        (0, 3, 0.5, 1.0),
        (4, 3, 0.5, 0.0),
        (2, 3, 0.5, 4 / 8),
        (3, 3, 0.75, 27 / 64),
        (10, 12, 0.5, (66 + 12 + 1) / 4096),
        (5001, 10_001, 0.5, 0.5),
    ],
)
def test_the_tail_of_a_binomial(at_least: int, trials: int, share: float, chance: float) -> None:
    assert tail(at_least, trials, share) == pytest.approx(chance)


@pytest.mark.parametrize(
    ("before", "after", "ratio", "is_worse"),
    [
        ((0, 1), (6, 1), 1.0, False),  # 1/64
        ((0, 1), (7, 1), 1.0, True),  # 1/128
        ((2, 9), (11, 9), 1.0, False),  # 92/8192
        ((2, 9), (12, 9), 1.0, True),  # 106/16384
        ((0, 3), (3, 1), 1.0, False),  # a quarter of the hours: 1/64
        ((0, 3), (4, 1), 1.0, True),  # 1/256
        ((0, 1), (16, 1), 3.0, False),  # 0.75 ** 16 = 0.01002
        ((0, 1), (17, 1), 3.0, True),  # 0.75 ** 17 = 0.0075
        ((1000, 10), (1000, 10), 1.0, False),
        ((1000, 10), (1200, 10), 1.0, True),
        ((1000, 10), (1200, 10), 1.5, False),
        ((12, 9), (2, 9), 1.0, False),
        ((0, 0), (50, 1), 1.0, False),  # nothing to compare with
    ],
)
def test_a_rate_is_higher_where_there_is_evidence(
    before: tuple[int, float], after: tuple[int, float], ratio: float, is_worse: bool
) -> None:
    assert is_more_often(*before, *after, ratio) is is_worse


def test_what_is_compared_is_equally_long_and_the_same_time_of_day() -> None:
    since_ms = STARTED_MS + 2 * MINUTE_MS
    after_an_hour = windows_of(1, STARTED_MS, since_ms, STARTED_MS + HOUR_MS)
    assert after_an_hour == Windows(
        (since_ms - DAY_MS, STARTED_MS + HOUR_MS - DAY_MS), (since_ms, STARTED_MS + HOUR_MS)
    )
    assert after_an_hour.hours == pytest.approx(58 / 60)
    now_ms = STARTED_MS + 30 * HOUR_MS  # of which the last day counts, and two days before it were the former model's
    assert windows_of(1, STARTED_MS, since_ms, now_ms) == Windows(
        (now_ms - 3 * DAY_MS, now_ms - 2 * DAY_MS), (now_ms - DAY_MS, now_ms)
    )


def test_of_a_young_stream_as_much_is_compared_as_there_was_before() -> None:
    since_ms, now_ms = STARTED_MS + 2 * MINUTE_MS, STARTED_MS + HOUR_MS
    length = 10 * MINUTE_MS
    assert windows_of(STARTED_MS - length, STARTED_MS, since_ms, now_ms) == Windows(
        (STARTED_MS - length, STARTED_MS), (now_ms - length, now_ms)
    )
    assert windows_of(STARTED_MS, STARTED_MS, since_ms, now_ms) is None
    assert windows_of(1, STARTED_MS, since_ms, since_ms) is None


def ages(seconds: float, count: int) -> tuple[int, ...]:
    """So many frames of about that age."""
    place = next(at for at, bound in enumerate(AGE_BOUNDS) if seconds <= bound)
    return tuple(count if at == place else 0 for at in range(len(AGE_BOUNDS)))


def problem(before: dict[str, Any], after: dict[str, Any], **limits: Any) -> str | None:
    return problem_in(
        RolloutLimits(model="new", **limits),
        RolloutFigures(stream_hours=2, **before),
        RolloutFigures(stream_hours=2, **after),
    )


def test_frames_that_are_looked_at_late_are_a_problem() -> None:
    was = {"ages": ages(0.15, 100)}
    assert age_within(was["ages"], 0.95) == pytest.approx(0.195)
    assert problem(was, {"ages": ages(0.4, 100)}) is None  # 0.49 s: within 2 * 0.195 s + 0.25 s
    said = problem(was, {"ages": ages(0.7, 100)})  # 0.7375 s
    assert said is not None
    assert said.startswith("latency: 95 % of frames were looked at within 0.74 s, within 0.20 s before")
    assert problem(was, {"ages": ages(0.7, 100)}, max_latency_ratio=3) is None
    assert problem(was, {"ages": ages(100, 100)}) is not None
    assert problem(was, {"ages": ages(100, 29)}) is None  # too few to say
    assert problem({"ages": ages(0.15, 29)}, {"ages": ages(100, 100)}) is None
    assert problem({}, {"ages": ages(100, 100)}) is None


def test_events_that_are_judged_wrong_have_a_limit_of_their_own() -> None:
    wrong = problem({"events": 20, "wrong": 0}, {"events": 20, "wrong": 12})
    assert wrong is not None
    assert wrong.startswith("events judged wrong: 12 in 2.00 stream-hours, 0 in 2.00 before; allowed is 1.5 times")
    assert problem({"events": 20, "wrong": 0}, {"events": 20, "wrong": 8}) is None  # 0.6 ** 8 = 0.017
    many = problem({"events": 0}, {"events": 17})
    assert many is not None
    assert many.startswith("events in all: 17 in")
    assert problem({"events": 0}, {"events": 1000}, max_events_ratio=None) is None
