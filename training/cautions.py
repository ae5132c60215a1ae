"""What must be said beside an evaluation's figures: videos that the model knew, and what needs no picture."""

import math
from typing import Final

from training.evaluation import Evaluation

NEAR: Final = 0.1
"""A floor that is no further below the result, and as far above guessing, speaks against the data."""


def cautions(evaluation: Evaluation) -> tuple[str, ...]:
    """Sentences in the face of which the figures must not be believed; to be shown in red."""
    return tuple(words for words in (_learned_words(evaluation), _near_words(evaluation)) if words)


def floor_words(evaluation: Evaluation) -> tuple[str, ...]:
    """The floor in a sentence, beside the model's own figures; none where it is not known."""
    if evaluation.floor is None:
        return ()
    own, floor = evaluation.with_memory, evaluation.floor
    figures = [
        ("mean AP", floor.mean_average_precision, own.mean_average_precision),
        ("clips called rightly", floor.clip_accuracy, own.clip_accuracy),
    ]
    said = "; ".join(
        f"{what} {value:.3f} (the model: {result:.3f})" for what, value, result in figures if not math.isnan(value)
    )
    return (f"The floor, by file size, resolution, rate and duration alone: {said}.",) if said else ()


def learned_words(learned_from: int, tuned_on: int, count: int, what: str) -> str | None:
    """What must be said of figures on so many videos or files, of which a model knows some."""
    if not learned_from:
        flatter = f"{tuned_on} of these {count} {what} chose the model's epoch and thresholds: the figures flatter."
        return flatter if tuned_on else None
    others = f", and {tuned_on} more chose its epoch and thresholds" if tuned_on else ""
    return (
        f"The model has learned from {learned_from} of these {count} {what}{others}: "
        f"these are not the figures of new {what}."
    )


def _learned_words(evaluation: Evaluation) -> str | None:
    """Nothing of videos held out, that only chose epoch and thresholds: a note says so."""
    if not evaluation.learned_from:
        return None
    return learned_words(evaluation.learned_from, evaluation.tuned_on or 0, evaluation.num_videos, "videos")


def _near_words(evaluation: Evaluation) -> str | None:
    if evaluation.floor is None:
        return None
    own, floor, shares = evaluation.with_memory, evaluation.floor, evaluation.prevalence.values()
    what, result, alone = "clips called rightly", own.clip_accuracy, floor.clip_accuracy
    guess = max(shares)
    if math.isnan(alone):
        what, result, alone = "mean AP", own.mean_average_precision, floor.mean_average_precision
        guess = sum(shares) / len(shares)
    if not (result - alone <= NEAR <= alone - guess):
        return None
    return (
        f"The files' size, resolution, rate and duration alone come to {alone:.3f} ({what}), the model to "
        f"{result:.3f}, no more than {NEAR:g} above: the data may let a model cheat."
    )
