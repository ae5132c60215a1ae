"""Scores of whole sequences from the very runner that serves: carried memory, none, or frames out of order."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from services.inference.models.images import planes_of
from services.inference.models.runner import Runner
from services.inference.models.steps import Block, Elapsed, arrange, elapsed
from training.events import DEFAULT_RESET_SECONDS
from training.sequences import Sequence8Bit

FRAMES_AT_ONCE = 64
"""Frames of a batch; a full one of the worker has as many."""


def served_scores(
    runner: Runner, sequence: Sequence8Bit, *, with_memory: bool = True, frames_at_once: int = FRAMES_AT_ONCE
) -> NDArray[np.float32]:
    """The scores [T, L] of one sequence, streamed from a fresh state in batches, as the worker would compute them.

    As there, a gap longer than a stream's default `reset_after_seconds` empties the memory. Without memory it is
    emptied before every frame.
    """
    times = _elapsed(sequence.times_seconds)
    rows = [runner.acquire(None) for _ in range(1 if with_memory else frames_at_once)]
    try:
        parts = []
        for start in range(0, len(sequence.images), frames_at_once):
            images = planes_of(sequence.images[start : start + frames_at_once])
            told = None if sequence.told is None else sequence.told[start : start + frames_at_once]
            part = times[start : start + frames_at_once]
            blocks = arrange(rows * len(part), part) if with_memory else [_alone(rows, part)]
            parts.append(runner.run(images, blocks, rows[:1], told).scores)
        return np.concatenate(parts)
    finally:
        for row in rows:
            runner.release(row)


def shuffled(sequence: Sequence8Bit, rng: Generator) -> Sequence8Bit:
    """The same frames with their targets and weights in a random order, on the same grid of times; without truth."""
    order = rng.permutation(len(sequence.images))
    return replace(
        sequence,
        images=sequence.images[order],
        told=None if sequence.told is None else sequence.told[order],
        targets=sequence.targets[order],
        weights=sequence.weights[order],
        truth=(),
    )


def _elapsed(times_seconds: NDArray[np.float32]) -> list[Elapsed]:
    at_ms = [round(at * 1000) for at in times_seconds.tolist()]
    before: list[int | None] = [None, *at_ms[:-1]]
    return [elapsed(previous, at, DEFAULT_RESET_SECONDS) for previous, at in zip(before, at_ms, strict=True)]


def _alone(rows: Sequence[int], times: Sequence[Elapsed]) -> Block:
    """A batch in which every frame finds an empty memory, and is told the time since the frame before all the same."""
    used = list(rows[: len(times)])
    return Block([[index] for index in range(len(times))], [[time.dt_seconds] for time in times], used, used)
