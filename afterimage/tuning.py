"""Which thresholds would have given the events that people called right, and not those that they called wrong.

What each choice would have given is found by the tracker itself, over the stored scores.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

from shared.life.tracker import Tracker, TrackerState
from shared.manifest import Thresholds

MARGIN_MS: Final = 2_000
"""So far before an event its scores must be stored for it to count."""
MAX_CHOICES: Final = 60


class Span(NamedTuple):
    """From when to when something lasted, in ms."""

    started_at_ms: int
    ended_at_ms: int

    def meets(self, other: "Span") -> bool:
        """Whether both have a moment in common."""
        return self.started_at_ms <= other.ended_at_ms and other.started_at_ms <= self.ended_at_ms


@dataclass(frozen=True, slots=True)
class JudgedSpans:
    """What people said of a label's events, as far as their scores are stored."""

    right: Sequence[Span]
    wrong: Sequence[Span]

    @classmethod
    def of(cls, events: Iterable[Mapping[str, Any]], label: str, times_ms: Sequence[int]) -> "JudgedSpans":
        """Of closed events as the api gives them, those of the label within the scores' times, ascending."""
        spans: dict[str, list[Span]] = {"right": [], "wrong": []}
        for event in events:
            if event["label"] != label or event["feedback"] is None or event["ended_at_ms"] is None or not times_ms:
                continue
            span = Span(event["started_at_ms"], event["ended_at_ms"])
            if times_ms[0] <= span.started_at_ms - MARGIN_MS and span.ended_at_ms <= times_ms[-1]:
                spans[event["feedback"]["verdict"]].append(span)
        return cls(spans["right"], spans["wrong"])


@dataclass(frozen=True, slots=True)
class TunedChoice:
    """Thresholds, and what they would have given: how many of the right and wrong events, and of others."""

    thresholds: Thresholds
    num_right: int
    num_wrong: int
    num_others: int

    @property
    def rank(self) -> tuple[int, int]:
        """The higher the better: judgements that it agrees with, then few events that nobody judged."""
        return self.num_right - self.num_wrong, -self.num_others


def replayed(scores: Sequence[tuple[int, float]], thresholds: Thresholds, frame_ms: float) -> list[Span]:
    """The events that thresholds make of a label's scores, (time in ms, score) in order; one that lasts ends there."""
    tracker = Tracker(["label"], {"label": thresholds}, TrackerState(), frame_ms)
    transitions = [each for at_ms, score in scores for each in tracker.update(at_ms, 0.0, 0, [score])]
    transitions += tracker.close_all("source_ended")
    closed = (each.track for each in transitions if each.kind == "closed")
    return [Span(track.started_at_ms, track.last_above_ms) for track in closed]


def choices(
    scores: Sequence[tuple[int, float]], judged: JudgedSpans, present: Thresholds, frame_ms: float
) -> list[TunedChoice]:
    """What the present thresholds give, and then others that differ in `enter`, the best of them first.

    They lie half-way between the peaks of judged events, the highest MAX_CHOICES of them; `exit` keeps its proportion
    to `enter`. Of equals the one nearest to the present comes first.
    """
    peaks = sorted({peak for span in (*judged.right, *judged.wrong) if (peak := _peak(scores, span)) is not None})
    between = [round((low + high) / 2, 3) for low, high in pairwise([0.0, *peaks, 1.0])][-MAX_CHOICES:]
    ratio = present.exit / present.enter
    wanted = [
        present.model_copy(update={"enter": enter, "exit": round(max(enter * ratio, 0.001), 3)})
        for enter in between
        if 0.001 < enter < 1
    ]
    found = [_choice(scores, judged, each, frame_ms) for each in (present, *wanted)]
    others = sorted(found[1:], key=lambda choice: abs(choice.thresholds.enter - present.enter))
    return [found[0], *sorted(others, key=lambda choice: choice.rank, reverse=True)]


def _choice(
    scores: Sequence[tuple[int, float]], judged: JudgedSpans, thresholds: Thresholds, frame_ms: float
) -> TunedChoice:
    spans = replayed(scores, thresholds, frame_ms)
    known = (*judged.right, *judged.wrong)
    return TunedChoice(
        thresholds,
        num_right=sum(any(span.meets(each) for each in spans) for span in judged.right),
        num_wrong=sum(any(span.meets(each) for each in spans) for span in judged.wrong),
        num_others=sum(not any(span.meets(each) for each in known) for span in spans),
    )


def _peak(scores: Sequence[tuple[int, float]], span: Span) -> float | None:
    return max((score for at_ms, score in scores if span.started_at_ms <= at_ms <= span.ended_at_ms), default=None)
