"""What is true of a clip: labelled intervals."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A label holds from `start_seconds` (inclusive) to `end_seconds` (exclusive) of the clip's time."""

    label: str
    start_seconds: float
    end_seconds: float

    def holds(self, at_seconds: float) -> bool:
        """Whether the label holds at that time."""
        return self.start_seconds <= at_seconds < self.end_seconds

    def overlap_seconds(self, other: "Interval") -> float:
        """How long both hold."""
        return max(0.0, min(self.end_seconds, other.end_seconds) - max(self.start_seconds, other.start_seconds))


def joined(label: str, holds: Iterable[bool], fps: float, gap_seconds: float, min_seconds: float) -> list[Interval]:
    """Intervals of a label that holds frame by frame: gaps up to `gap_seconds` closed, shorter ones left out."""
    spans: list[tuple[float, float]] = []
    for index, held in enumerate(holds):
        if not held:
            continue
        start, end = index / fps, (index + 1) / fps
        if spans and start - spans[-1][1] <= gap_seconds:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return [Interval(label, start, end) for start, end in spans if end - start >= min_seconds]
