"""Arranges a batch's frames for the recurrent part: pure policy."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Reset = Literal["first", "gap"]


class Elapsed(NamedTuple):
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
class Block:
    """Runs of equally many frames, one of each of several streams.

    `frames` and `dt_seconds` hold a list per run: indices into the batch, and times. `rows` are the runs' places in
    the state slab, `resets` those of them that are emptied first: all that a block before it has as well.
    """

    frames: list[list[int]] = field(default_factory=list)
    dt_seconds: list[list[float]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    resets: list[int] = field(default_factory=list)


def arrange(rows: Sequence[int], times: Sequence[Elapsed]) -> list[Block]:
    """Blocks for frames whose slab rows and elapsed times are given in batch order, to be worked off in turn.

    A stream's frames make one run, or several where its memory is reset on the way. Runs of one length that need not
    wait for each other share a block: with a frame per stream that is a single step over all streams, with one stream
    a single run over all frames.
    """
    runs: dict[int, list[list[int]]] = {}
    for index, (row, time) in enumerate(zip(rows, times, strict=True)):
        stream_runs = runs.setdefault(row, [])
        if time.reset or not stream_runs:
            stream_runs.append([])
        stream_runs[-1].append(index)
    blocks: dict[tuple[int, int], Block] = {}
    for row, stream_runs in runs.items():
        for turn, run in enumerate(stream_runs):
            block = blocks.setdefault((turn, len(run)), Block())
            block.frames.append(run)
            block.dt_seconds.append([times[index].dt_seconds for index in run])
            block.rows.append(row)
            if times[run[0]].reset:
                block.resets.append(row)
    return [blocks[key] for key in sorted(blocks)]
