"""Seeds of rendered clips: four splits that cannot share one."""

from enum import IntEnum


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
