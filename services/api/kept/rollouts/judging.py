"""Whether a model is worse than what was, and what to say of it: pure policy, of counts and ages.

That events come more often needs evidence, as few are judged: the conditional test of two Poisson rates (Przyborowski
and Wilenski, Biometrika 31, 1940). Where the new rate is just what is allowed, each of all events is one of the new
model's with a chance that the hours alone say; so unlikely many of them must not be by chance.
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from services.api.kept.rollouts.record import AGE_BOUNDS, RolloutFigures, RolloutLimits, RolloutRecord
from shared.service.quantiles import quantile

CHANCE: Final = 0.01
"""Of what is seen, where the rate is just what is allowed: below, it is taken for worse."""
ALLOWED_SECONDS: Final = 0.25
"""By so much the 95th percentile may rise in any case."""
MIN_AGES: Final = 30
"""Of frames, on either side."""
DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
SHARE: Final = 0.95


class Windows(NamedTuple):
    """Two stretches of a stream's time that are equally long, each from (inclusive) and to (exclusive) in ms."""

    before: tuple[int, int]
    after: tuple[int, int]

    @property
    def hours(self) -> float:
        """Of each."""
        return (self.after[1] - self.after[0]) / HOUR_MS


def windows_of(created_at_ms: int, started_at_ms: int, since_ms: int, now_ms: int) -> Windows | None:
    """What is compared of a stream: the new model's time since `since_ms`, a day of it at most, with as much before.

    Before is the same time of day on the last day that had ended when the rollout was started. Where the stream is
    younger than that, it is the time right before the start, as far as there is any.
    """
    length = min(now_ms - since_ms, DAY_MS)
    if length <= 0:
        return None
    shift = DAY_MS * max(1, -(-(now_ms - started_at_ms) // DAY_MS))
    if created_at_ms <= now_ms - length - shift:
        return Windows((now_ms - length - shift, now_ms - shift), (now_ms - length, now_ms))
    length = min(length, started_at_ms - created_at_ms)
    if length <= 0:
        return None
    return Windows((started_at_ms - length, started_at_ms), (now_ms - length, now_ms))


def tail(at_least: int, trials: int, share: float) -> float:
    """The chance of at least so many successes in so many trials, of which each has this share."""
    if at_least <= 0:
        return 1.0
    if at_least > trials:
        return 0.0
    whole, log_hit, log_miss = math.lgamma(trials + 1), math.log(share), math.log1p(-share)
    return min(
        1.0,
        math.fsum(
            math.exp(
                whole
                - math.lgamma(hits + 1)
                - math.lgamma(trials - hits + 1)
                + hits * log_hit
                + (trials - hits) * log_miss
            )
            for hits in range(at_least, trials + 1)
        ),
    )


def is_more_often(before: int, hours_before: float, after: int, hours_after: float, ratio: float) -> bool:
    """Whether there is evidence that the rate after is more than `ratio` times the rate before."""
    if hours_before <= 0 or hours_after <= 0:
        return False
    share = ratio * hours_after / (ratio * hours_after + hours_before)
    if after <= (before + after) * share:  # no more than is to be expected
        return False
    return tail(after, before + after, share) < CHANCE


def age_within(ages: Sequence[int], share: float) -> float | None:
    """The age, in seconds, below which a share of the frames was; None where none was seen."""
    return quantile(share, list(zip(AGE_BOUNDS, accumulate(ages), strict=True)))


def problem_in(limits: RolloutLimits, before: RolloutFigures, after: RolloutFigures) -> str | None:
    """Why the model is worse, in words; None where nothing says so."""
    kinds = (
        ("judged wrong", before.wrong, after.wrong, limits.max_false_ratio),
        ("in all", before.events, after.events, limits.max_events_ratio),
    )
    for what, count, now, ratio in kinds:
        if ratio is not None and is_more_often(count, before.stream_hours, now, after.stream_hours, ratio):
            return (
                f"events {what}: {now} in {after.stream_hours:.2f} stream-hours, {count} in "
                f"{before.stream_hours:.2f} before; allowed is {ratio:g} times the rate"
            )
    return _lateness_in(limits.max_latency_ratio, before.ages, after.ages)


def _lateness_in(ratio: float, before: Sequence[int], after: Sequence[int]) -> str | None:
    was, now = age_within(before, SHARE), age_within(after, SHARE)
    if was is None or now is None or min(sum(before), sum(after)) < MIN_AGES:
        return None
    if now <= ratio * was + ALLOWED_SECONDS:
        return None
    return (
        f"latency: 95 % of frames were looked at within {now:.2f} s, within {was:.2f} s before; allowed is {ratio:g} "
        f"times that and {ALLOWED_SECONDS:g} s"
    )


def told(record: RolloutRecord) -> str:
    """A sentence for people: the state, why it is so, and what was measured."""
    return f"{verdict_on(record)}; with the former models {_figures(record.before)}; with it {_figures(record.after)}"


def verdict_on(record: RolloutRecord) -> str:
    """What is to be thought of the model so far."""
    why = record.reason or ""
    match record.state:
        case "measuring":
            return "measuring how old frames are with the former models"
        case "switching":
            return f"switching: {record.num_on_model} of {record.num_streams} streams are on it"
        case "trying":
            return f"no worse so far, by what was seen; kept {record.hours:g} hours after the switch if that stays so"
        case "kept":
            return f"kept: {why or f'no worse in {record.hours:g} hours, by what was seen'}"
        case "returning":
            return f"going back, {record.num_on_model} streams are still on it: {why}"
        case "returned":
            return f"returned: {why}" + (f"; {record.num_failed} streams could not be" if record.num_failed else "")


def _figures(figures: RolloutFigures) -> str:
    age = age_within(figures.ages, SHARE)
    late = "no live camera was seen" if age is None else f"95 % of frames were looked at within {age:.2f} s"
    return f"{figures.events} events, {figures.wrong} judged wrong, in {figures.stream_hours:.2f} stream-hours, {late}"
