"""How good scores and events are: average precision, and events matched one to one with the truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.truth import Interval

MIN_IOU = 0.5
MAX_ONSET_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Matches:
    """Counts of events found rightly, found wrongly and missed."""

    found: int = 0
    false: int = 0
    missed: int = 0

    def __add__(self, other: "Matches") -> "Matches":
        """The counts of both."""
        return Matches(self.found + other.found, self.false + other.false, self.missed + other.missed)

    @property
    def precision(self) -> float:
        """The share of events that are true; 1 where there are none."""
        return self.found / (self.found + self.false) if self.found + self.false else 1.0

    @property
    def recall(self) -> float:
        """The share of the truth that was found; 1 where there is none."""
        return self.found / (self.found + self.missed) if self.found + self.missed else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        total = 2 * self.found + self.false + self.missed
        return 2 * self.found / total if total else 1.0


def average_precision(scores: NDArray[np.float32], targets: NDArray[np.float32]) -> float:
    """Area under the precision-recall curve by steps, as scikit-learn defines it; not a number without positives."""
    if not targets.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(targets[order])
    last = np.append(ranked[1:] != ranked[:-1], True)
    precision, recall = (hits / np.arange(1, len(hits) + 1))[last], (hits / hits[-1])[last]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def match(events: Sequence[Interval], truth: Sequence[Interval]) -> Matches:
    """Matches events of one clip one to one with the truth, the best overlaps first.

    An event and a true interval match where the labels agree and either the intersection over union reaches 0.5 or
    the starts lie within 1 s.
    """
    pairs = sorted(
        (
            (_iou(event, true), -abs(event.start_seconds - true.start_seconds), event_index, true_index)
            for event_index, event in enumerate(events)
            for true_index, true in enumerate(truth)
            if _agree(event, true)
        ),
        reverse=True,
    )
    used_events: set[int] = set()
    used_truth: set[int] = set()
    for _, _, event_index, true_index in pairs:
        if event_index not in used_events and true_index not in used_truth:
            used_events.add(event_index)
            used_truth.add(true_index)
    return Matches(len(used_events), len(events) - len(used_events), len(truth) - len(used_truth))


def _agree(event: Interval, true: Interval) -> bool:
    near = abs(event.start_seconds - true.start_seconds) <= MAX_ONSET_SECONDS
    return event.label == true.label and (near or _iou(event, true) >= MIN_IOU)


def _iou(first: Interval, second: Interval) -> float:
    overlap = first.overlap_seconds(second)
    union = first.end_seconds - first.start_seconds + second.end_seconds - second.start_seconds - overlap
    return overlap / union if union > 0 else 0.0
