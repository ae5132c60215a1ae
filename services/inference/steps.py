"""Arranges a batch's frames into time steps for the recurrent part: pure policy."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Reset = Literal["first", "gap"]


@dataclass(frozen=True, slots=True)
class Elapsed:
    """Seconds since the stream's previous frame, and why the memory is emptied before this one, if it is."""

    dt_seconds: float
    reset: Reset | None = None


def elapsed(previous_ms: int | None, at_ms: int, reset_after_seconds: float) -> Elapsed:
    """The time between two frames; a first frame, and one after a gap, begins with dt 0 and an empty memory."""
    if previous_ms is None:
        return Elapsed(0.0, "first")
    seconds = (at_ms - previous_ms) / 1000
    return Elapsed(0.0, "gap") if seconds > reset_after_seconds else Elapsed(seconds)


@dataclass(frozen=True, slots=True)
class Step:
    """At most one frame of each stream: `frames` are indices into the batch, `rows` into the state slab."""

    frames: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    dt_seconds: list[float] = field(default_factory=list)
    resets: list[int] = field(default_factory=list)


def arrange(rows: Sequence[int], times: Iterable[Elapsed]) -> list[Step]:
    """Time steps for frames whose slab rows and elapsed times are given in batch order.

    A stream's k-th frame of the batch falls into step k, so every step sees the memory that the one before left.
    `resets` lists the rows to be zeroed before the step.
    """
    steps: list[Step] = []
    depth: dict[Hashable, int] = {}
    for index, (row, time) in enumerate(zip(rows, times, strict=True)):
        level = depth[row] = depth.get(row, -1) + 1
        if level == len(steps):
            steps.append(Step())
        step = steps[level]
        step.frames.append(index)
        step.rows.append(row)
        step.dt_seconds.append(time.dt_seconds)
        if time.reset:
            step.resets.append(row)
    return steps
