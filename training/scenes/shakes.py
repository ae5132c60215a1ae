"""Views that tremble or sway and come back to where they were: wind, motors, traffic; and jolts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.scenes.incidents import Incident, Ramp, random_ramp
from training.scenes.seeds import log_uniform

MANNERS = ("wind", "traffic", "motor", "hand")
MANNER_SHARES = (0.3, 0.2, 0.25, 0.25)
HERTZ = {"wind": (0.25, 1.5), "traffic": (2.0, 8.0), "motor": (6.0, 30.0), "hand": (0.4, 4.0)}
SIZES = {"wind": (0.012, 0.1), "traffic": (0.01, 0.06), "motor": (0.008, 0.03), "hand": (0.012, 0.1)}
"""How far it goes, in shares of the height."""
NUM_WAVES = 3
DEGREES = 45.0
"""By which a view may turn while it goes as far as it is high."""
STRONG = 0.03
"""From this size on nobody can say whether it moved meanwhile."""
SOFT = 0.02
"""Shares of the height that it goes while a picture is exposed: from there on none is sharp."""
MOST_MOMENTS, STEP = 7, 0.006
"""A picture is the mean of so many moments at most, about so far apart."""
MAX_RISE_SECONDS = 2.0

Offset = NDArray[np.float64]
"""[3]: right and down in shares of the view's height, and degrees"""


@dataclass(frozen=True, slots=True)
class Shake:
    """How a camera is shaken for the length of an incident."""

    ramp: Ramp
    alike: tuple[str, ...]
    reach: NDArray[np.float64]
    """[3 waves, 3], as of an offset"""
    hertz: NDArray[np.float64]
    phase: NDArray[np.float64]
    gusts: tuple[float, float]
    """How often a second it abates, and by which share"""
    exposure_seconds: float
    settles_seconds = 0.0

    @classmethod
    def draw(cls, incident: Incident, rng: Generator) -> "Shake":
        """A random one for an incident."""
        manner = str(rng.choice(MANNERS, p=MANNER_SHARES))
        size, hertz = log_uniform(rng, *SIZES[manner]), log_uniform(rng, *HERTZ[manner])
        axis = rng.uniform(0, math.pi)
        shares = np.array((math.cos(axis), math.sin(axis), rng.uniform(0, 1) * DEGREES * (rng.random() < 0.6)))
        shares[:2] += rng.uniform(-0.3, 0.3, 2)
        weights = rng.uniform(0.2, 1, (NUM_WAVES, 3))
        gusts = rng.uniform(0.2, 1.2), rng.uniform(0.5, 0.95) if manner in {"wind", "traffic"} else rng.uniform(0, 0.4)
        exposure = log_uniform(rng, 0.004, 0.08)
        alike: tuple[str, ...] = ("moved", "activity") if size > STRONG else ()
        alike += ("defocused",) if 4 * size * hertz * exposure > SOFT else ()
        return cls(
            random_ramp(incident, rng, MAX_RISE_SECONDS),
            alike,
            size * shares * weights / np.linalg.norm(weights, axis=0),
            hertz * rng.uniform(0.6, 1.6, (NUM_WAVES, 3)),
            rng.uniform(0, 2 * math.pi, (NUM_WAVES, 3)),
            gusts,
            exposure,
        )

    def offsets(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """By how much the view is elsewhere, [T, 3], at full strength."""
        turns = self.hertz * times[:, None, None] + self.phase / (2 * math.pi)
        often, depth = self.gusts
        abated = 1 - depth * np.sin(math.pi * often * times) ** 2
        return np.asarray(abated[:, None] * (self.reach * np.sin(2 * math.pi * turns)).sum(axis=1))


def moments(shakes: Sequence[Shake], at_seconds: float) -> NDArray[np.float64]:
    """The offsets at which a view is seen while a picture is exposed, [N, 3]: one where it stands still, or nearly."""
    moving = [(shake, strength) for shake in shakes if (strength := shake.ramp.strength(at_seconds)) > 0]
    if not moving:
        return np.zeros((1, 3))
    exposure = max(shake.exposure_seconds for shake, _ in moving)
    times = at_seconds - exposure * np.linspace(0, 1, MOST_MOMENTS)
    way = np.sum([strength * shake.offsets(times) for shake, strength in moving], axis=0)
    long = float(np.abs(np.diff(way, axis=0) @ (1, 1, math.pi / 360)).sum())
    count = min(MOST_MOMENTS, 1 + round(long / STEP))
    return np.asarray(way[np.linspace(0, MOST_MOMENTS - 1, count).astype(int)])
