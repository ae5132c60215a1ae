"""Alarms on footage in which nothing happens to a camera: each is false, and how many a day that allows. Pure."""

import math
from dataclasses import dataclass
from typing import Final

from training.bench.staging.takes import KINDS
from training.events import Detection

SECONDS_PER_DAY: Final = 86_400.0
CHANCE: Final = 0.05


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

    @property
    def seconds(self) -> float:
        """How long all files last."""
        return sum(file.seconds for file in self.files)

    def count(self, *kinds: str) -> int:
        """False alarms of these kinds, of all where none is named."""
        return sum(each.interval.label in (kinds or KINDS) for file in self.files for each in file.alarms)

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


def _chance(at_most: int, expected: float) -> float:
    logs = (count * math.log(expected) - math.lgamma(count + 1) - expected for count in range(at_most + 1))
    return math.fsum(map(math.exp, logs))
