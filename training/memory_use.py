"""Does a label need a recurrent net? Told from average precision with memory, without, and on shuffled frames.

The three come from the same weights. A network trained without memory may do better without it than one that was
trained with it, so what is said to need memory needs it *in this model*.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from training.evaluation import Evaluation

CLEAR = 0.05
"""Differences of average precision below this are called none."""

BARELY_FOUND = 0.1
"""A label whose average precision lies less than this share of the way from guessing to perfect is not found."""

MOST = 0.5
"""A single frame finds little of a label where it comes less than this share of the way from guessing to the model's
precision; the order counts where its loss costs at least this share of what memory gains."""


class Need(StrEnum):
    """What a label needs."""

    UNKNOWN = "unknown"
    """it does not occur, or the model does not find it"""
    ONE_FRAME = "one frame is enough"
    MEMORY = "memory"
    ORDER = "memory and order"
    REVERSED = "memory does harm"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a label needs, and why, in a sentence."""

    label: str
    need: Need
    recurrent: bool
    """whether it needs a recurrent net: a single frame finds little of it"""
    words: str


def verdicts(evaluation: Evaluation) -> list[Verdict]:
    """One for each label."""
    return [_verdict(evaluation, label) for label in evaluation.labels]


def summary(found: list[Verdict]) -> str:
    """All labels in one sentence or two."""
    parts = [
        (f"A recurrent net is needed for {_listed(found, Need.MEMORY, Need.ORDER, recurrent=True)}"),
        (f"memory helps with {_listed(found, Need.MEMORY, Need.ORDER, recurrent=False)}"),
        (f"a single frame is enough for {_listed(found, Need.ONE_FRAME)}"),
        (f"memory does harm to {_listed(found, Need.REVERSED)}"),
        (f"nothing can be said of {_listed(found, Need.UNKNOWN)}"),
    ]
    said = "; ".join(part for part in parts if not part.endswith(" "))
    return f"{said[0].upper()}{said[1:]}."


def _listed(found: list[Verdict], *needs: Need, recurrent: bool | None = None) -> str:
    named = [f"`{each.label}`" for each in found if each.need in needs and recurrent in (None, each.recurrent)]
    return ", ".join(named)


def _verdict(evaluation: Evaluation, label: str) -> Verdict:
    with_memory, without, shuffled = (
        each.average_precision[label]
        for each in (evaluation.with_memory, evaluation.without_memory, evaluation.shuffled)
    )
    chance = evaluation.prevalence[label]
    if math.isnan(with_memory):
        return Verdict(label, Need.UNKNOWN, recurrent=False, words="does not occur in this data")
    if max(with_memory, without) - chance < BARELY_FOUND * (1 - chance):
        words = f"is not found: {with_memory:.2f} with memory, where guessing gives {chance:.2f}"
        return Verdict(label, Need.UNKNOWN, recurrent=False, words=words)
    if with_memory < without - CLEAR:
        words = f"is found worse with memory ({with_memory:.2f}) than by a single frame ({without:.2f})"
        return Verdict(label, Need.REVERSED, recurrent=False, words=words)
    if with_memory < without + CLEAR:
        words = f"one frame is enough: it finds {without:.2f}, memory {with_memory:.2f}"
        return Verdict(label, Need.ONE_FRAME, recurrent=False, words=words)
    return _gain(label, with_memory, without, shuffled, chance)


def _gain(label: str, with_memory: float, without: float, shuffled: float, chance: float) -> Verdict:
    """Of a label that is found better with memory."""
    recurrent = without - chance < MOST * (with_memory - chance)
    verb = "needs" if recurrent else "gains from"
    found = f"one frame finds {without:.2f}, memory {with_memory:.2f}"
    if with_memory < shuffled + CLEAR:
        words = f"{verb} memory, in any order: {found}, shuffled frames {shuffled:.2f}"
        return Verdict(label, Need.MEMORY, recurrent, words)
    if with_memory - shuffled < MOST * (with_memory - without):
        words = f"{verb} memory, less the order: {found}, in the wrong order {shuffled:.2f}"
        return Verdict(label, Need.MEMORY, recurrent, words)
    words = f"{verb} memory and order: {found}, in the wrong order {shuffled:.2f}"
    return Verdict(label, Need.ORDER, recurrent, words)
