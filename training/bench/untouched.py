"""Alarms on footage in which nothing happens to a camera: each is false, and how many a day that allows. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from training.bench.staging.takes import KINDS
from training.choosing import ChosenFootage
from training.evaluation import SECONDS_PER_HOUR
from training.events import Detection

SECONDS_PER_DAY: Final = 86_400.0
CHANCE: Final = 0.05
MAX_NAMED: Final = 10
LITTLE_SECONDS: Final = SECONDS_PER_HOUR
"""Films shorter than this together say next to nothing of a day."""


@dataclass(frozen=True, slots=True)
class Untouched:
    """A file nobody tampered with, and the alarms that a model raised."""

    file: str
    seconds: float
    alarms: tuple[Detection, ...]


@dataclass(frozen=True, slots=True)
class UntouchedReport:
    """A model's false alarms."""

    model: str
    files: tuple[Untouched, ...]
    kinds: tuple[str, ...] = KINDS
    """that the model knows"""
    unreadable: tuple[str, ...] = ()
    """files that did not read"""
    choice: ChosenFootage | None = None
    """how the files were chosen"""

    @property
    def seconds(self) -> float:
        """How long all files last."""
        return sum(file.seconds for file in self.files)

    def count(self, *kinds: str) -> int:
        """False alarms of these kinds, of all where none is named."""
        return sum(each.interval.label in (kinds or KINDS) for file in self.files for each in file.alarms)

    @property
    def cautions(self) -> tuple[str, ...]:
        """What must be said in red."""
        return self.choice.cautions() if self.choice else ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, and why; and where the time is too short to say much."""
        notes = self.choice.notes() if self.choice else ()
        if self.unreadable:
            count = len(self.files) + len(self.unreadable)
            notes += (f"{len(self.unreadable)} of {count} files do not read: {named(self.unreadable)}",)
        if self.seconds < LITTLE_SECONDS:
            least = upper_bound(0) * SECONDS_PER_DAY / LITTLE_SECONDS
            notes += (
                f"less than an hour of film says next to nothing of a day: no alarm in a whole hour would still allow "
                f"{least:.0f} a camera and day, none in three days 1",
            )
        return notes

    def per_day(self, *kinds: str) -> float:
        """False alarms a camera and day."""
        return self.count(*kinds) * SECONDS_PER_DAY / self.seconds

    def bound_per_day(self, *kinds: str) -> float:
        """The rate a camera and day that is exceeded with a chance of 5 % only, were it as here by chance."""
        return upper_bound(self.count(*kinds)) * SECONDS_PER_DAY / self.seconds


def upper_bound(seen: int) -> float:
    """The expected number of rare events above which so few as were seen come with a chance of 5 %: 3.0 for none.

    The exact one-sided limit of a Poisson process (Garwood, 1936).
    """
    low, high = float(seen), seen + 4 * math.sqrt(seen + 1) + 4
    while high - low > 1e-6:
        middle = (low + high) / 2
        if _chance(seen, middle) > CHANCE:
            low = middle
        else:
            high = middle
    return high


def named(files: Sequence[str]) -> str:
    """The first of some files by name, and how many more there are."""
    more = len(files) - MAX_NAMED
    return f"{', '.join(files[:MAX_NAMED])}{f' and {more} more' if more > 0 else ''}"


def _chance(at_most: int, expected: float) -> float:
    logs = (count * math.log(expected) - math.lgamma(count + 1) - expected for count in range(at_most + 1))
    return math.fsum(map(math.exp, logs))
