"""Seeds of rendered clips: four splits that cannot share one; and a draw that many make."""

from enum import IntEnum

import numpy as np
from numpy.random import Generator


class Split(IntEnum):
    """What a rendered clip is for."""

    TRAINING = 0
    VALIDATION = 1
    EVALUATION = 2
    DEMO = 3


def clip_seed(split: Split, index: int) -> int:
    """The seed of a split's index-th clip: no two splits ever share a seed."""
    if index < 0:
        raise ValueError(f"index is {index}; allowed are 0 and above")
    return index * len(Split) + split


def log_uniform(rng: Generator, least: float, most: float) -> float:
    """A number between two above 0: as often in one octave as in another."""
    return float(np.exp(rng.uniform(np.log(least), np.log(most))))
