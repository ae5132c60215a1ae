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


def precision_recall(
    scores: NDArray[np.float32], targets: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall of taking all scores down to each distinct one, the highest first; needs positives."""
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(targets[order], dtype=np.float64)
    last = np.append(ranked[1:] != ranked[:-1], True)
    return (hits / np.arange(1, len(hits) + 1))[last], (hits / hits[-1])[last]


def average_precision(scores: NDArray[np.float32], targets: NDArray[np.float32]) -> float:
    """Area under the precision-recall curve by steps, as scikit-learn defines it; not a number without positives."""
    if not targets.any():
        return float("nan")
    precision, recall = precision_recall(scores, targets)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def matched_pairs(
    events: Sequence[Interval], truth: Sequence[Interval], tolerance_seconds: float = MAX_ONSET_SECONDS
) -> list[tuple[int, int]]:
    """Indices of events of one clip and of the true intervals they match, one to one, the best overlaps first.

    An event and a true interval match where the labels agree and either the intersection over union reaches 0.5 or
    the starts lie within the tolerance.
    """
    candidates = sorted(
        (
            (_iou(event, true), -abs(event.start_seconds - true.start_seconds), event_index, true_index)
            for event_index, event in enumerate(events)
            for true_index, true in enumerate(truth)
            if _agree(event, true, tolerance_seconds)
        ),
        reverse=True,
    )
    partners: dict[int, int] = {}
    for _, _, event_index, true_index in candidates:
        if event_index not in partners and true_index not in partners.values():
            partners[event_index] = true_index
    return sorted(partners.items())


def match(
    events: Sequence[Interval], truth: Sequence[Interval], tolerance_seconds: float = MAX_ONSET_SECONDS
) -> Matches:
    """Counts how the events of one clip match the truth, as `matched_pairs` matches them."""
    found = len(matched_pairs(events, truth, tolerance_seconds))
    return Matches(found, len(events) - found, len(truth) - found)


def _agree(event: Interval, true: Interval, tolerance_seconds: float) -> bool:
    near = abs(event.start_seconds - true.start_seconds) <= tolerance_seconds
    return event.label == true.label and (near or _iou(event, true) >= MIN_IOU)


def _iou(first: Interval, second: Interval) -> float:
    overlap = first.overlap_seconds(second)
    union = first.end_seconds - first.start_seconds + second.end_seconds - second.start_seconds - overlap
    return overlap / union if union > 0 else 0.0
