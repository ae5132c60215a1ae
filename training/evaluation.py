"""What an evaluation found: pure results, and their JSON."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.metrics import Matches
from training.truth import Interval

SECONDS_PER_HOUR = 3600.0
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class EventResult:
    """How the events of a label, or of several, match the truth; what nothing can be said of is not a number."""

    matches: Matches = field(default_factory=Matches)
    delays_seconds: tuple[float, ...] = ()
    """Of each matched event: when it opened (not its start, which is dated back) minus the true start."""
    seconds: float = 0.0
    """How long was watched."""

    def __add__(self, other: "EventResult") -> "EventResult":
        """The results of both over the same time."""
        delays = self.delays_seconds + other.delays_seconds
        return EventResult(self.matches + other.matches, delays, max(self.seconds, other.seconds))

    def then(self, other: "EventResult") -> "EventResult":
        """The results of both over one time after the other."""
        return EventResult(
            self.matches + other.matches, self.delays_seconds + other.delays_seconds, self.seconds + other.seconds
        )

    @property
    def precision(self) -> float:
        """The share of events that are true."""
        return _ratio(self.matches.found, self.matches.found + self.matches.false)

    @property
    def recall(self) -> float:
        """The share of the truth that was found."""
        return _ratio(self.matches.found, self.matches.found + self.matches.missed)

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        return _ratio(2 * self.matches.found, 2 * self.matches.found + self.matches.false + self.matches.missed)

    @property
    def onset_delay_median_seconds(self) -> float:
        """Median over the matched events; negative where they opened before the truth begins."""
        return median(self.delays_seconds) if self.delays_seconds else NAN

    @property
    def false_per_hour(self) -> float:
        """Events that match nothing, per hour watched."""
        return _ratio(self.matches.false * SECONDS_PER_HOUR, self.seconds)

    def figures(self) -> dict[str, float | None]:
        """Everything above by name."""
        names = ("precision", "recall", "f1", "onset_delay_median_seconds", "false_per_hour")
        return {name: known(getattr(self, name)) for name in names}


@dataclass(frozen=True, slots=True)
class Curve:
    """A precision-recall curve."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over the data gave, label by label: with memory, without, or over shuffled frames."""

    average_precision: Mapping[str, float]
    clip_accuracy: float
    events: Mapping[str, EventResult] = field(default_factory=dict)
    """None where frames are shuffled: there is nothing for an event to last over."""
    curves: Mapping[str, Curve] = field(default_factory=dict)

    @property
    def mean_average_precision(self) -> float:
        """Over the labels that occur."""
        values = [value for value in self.average_precision.values() if not math.isnan(value)]
        return sum(values) / len(values) if values else NAN

    @property
    def all_events(self) -> EventResult:
        """Every label's events together."""
        return reduce(add, self.events.values(), EventResult())

    def frame_figures(self) -> dict[str, Any]:
        """What it says of frames and clips, by name; None where nothing can be said."""
        return {"map": known(self.mean_average_precision), "clip_accuracy": known(self.clip_accuracy)}


@dataclass(frozen=True, slots=True)
class Strip:
    """One video's scores beside its truth, to look at."""

    name: str
    times_seconds: NDArray[np.float32]
    with_memory: NDArray[np.float32]
    """[T, L]"""
    without_memory: NDArray[np.float32]
    """[T, L]"""
    truth: tuple[Interval, ...]
    events: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model's results on labelled videos."""

    model: str
    """name@hash8"""
    data: str
    """what it was measured on, in words"""
    labels: tuple[str, ...]
    tolerance_seconds: float
    prevalence: Mapping[str, float]
    """share of the frames on which a label holds: the average precision of guessing"""
    with_memory: Pass
    without_memory: Pass
    """the state is reset before every frame"""
    shuffled: Pass
    """memory is carried over the frames of each video in a random order"""
    num_videos: int
    seconds: float
    strips: tuple[Strip, ...] = ()
    notes: tuple[str, ...] = ()
    """what was left out, and why"""
    learned_from: int | None = None
    """how many of the videos the model has learned from; None where its folder does not say"""
    tuned_on: int | None = None
    """how many others chose its epoch and thresholds"""
    floor: Pass | None = None
    """what the files' size, resolution, rate and duration alone would score, without events"""

    def as_json(self) -> dict[str, Any]:
        """The figures as `afterimage evaluate --json` prints them; None where nothing can be said."""
        events = self.with_memory.events
        return {
            "model": self.model,
            **self.with_memory.frame_figures(),
            "labels": {label: self._precisions(label) for label in self.labels},
            "events": {
                **self.with_memory.all_events.figures(),
                "labels": {label: events[label].figures() for label in self.labels},
            },
            "videos": self.num_videos,
            "seconds": round(self.seconds, 3),
            "learned_from": self.learned_from,
            "tuned_on": self.tuned_on,
            "floor": self.floor and self.floor.frame_figures(),
        }

    def _precisions(self, label: str) -> dict[str, float | None]:
        return {
            "ap": known(self.with_memory.average_precision[label]),
            "ap_without_memory": known(self.without_memory.average_precision[label]),
            "ap_shuffled": known(self.shuffled.average_precision[label]),
        }


def known(value: float) -> float | None:
    """The value to five decimals; None for what is not a number, which JSON does not know."""
    return None if math.isnan(value) else round(value, 5)


def over_time(results: Iterable[EventResult]) -> EventResult:
    """One result of those of several videos."""
    return reduce(EventResult.then, results, EventResult())


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else NAN
