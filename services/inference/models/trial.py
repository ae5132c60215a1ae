"""A batch through a model, however it goes: where it fails, fewer frames at a time, down to the stream at fault."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from services.inference.models.runner import Computed, Runner
from services.inference.models.steps import Elapsed, arrange
from services.inference.settings import LIVE_SHARE
from shared.entries import NUM_TOLD

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ToScore:
    """Frames in order: pictures [3, H, W] uint8, their rows of the slab, times, and what is told of them, [B, 17]."""

    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]
    rows: Sequence[int]
    times: Sequence[Elapsed]
    told: NDArray[np.float32]
    is_timed: bool = False
    """whether it is to be known what the parts of the model take"""

    def only(self, frames: Sequence[int]) -> Self:
        """Some of them."""
        return type(self)(
            [self.images[frame] for frame in frames],
            [self.rows[frame] for frame in frames],
            [self.times[frame] for frame in frames],
            self.told[list(frames)],
        )


@dataclass(frozen=True, slots=True)
class Tried:
    """What was computed, and by row why nothing could be: of these, neither scores nor states say anything."""

    computed: Computed
    faults: dict[int, Exception]


def attempt(runner: Runner, seen: ToScore, rows: Sequence[int]) -> Tried:
    """Scores the frames and moves the states on, each once; the states of `rows` after it are asked for.

    What is too much for the device's memory is tried in halves, and so are later batches. What fails otherwise is tried
    once more, stream by stream. Raises AcceleratorError: nothing runs on such a device any more.
    """
    trial, frames = _Trial(runner, seen), range(len(seen.images))
    whole = trial.tried(frames, rows) if len(frames) <= runner.most_frames else None
    if isinstance(whole, Computed):
        return Tried(whole, {})
    if whole is None or isinstance(whole, torch.OutOfMemoryError):
        trial.go_through(frames)
    else:
        trial.go_by_stream(frames)
    return Tried(Computed(trial.scores, runner.run([], [], rows).states), trial.faults)


def warm_up(runner: Runner, batch_size: int) -> None:
    """Runs empty batches, so that the first real ones find kernels chosen and memory taken, and no larger than fits it.

    They are as those of a recording that is worked off alone, and of live streams; raises what the model does.
    """
    size, live = runner.manifest.input, max(1, batch_size // LIVE_SHARE)
    for num_streams, num_frames in ((1, batch_size), *((count, count) for count in runner.buckets_for(live))):
        rows = [runner.acquire(None) for _ in range(num_streams)]
        pictures = np.zeros((num_frames, 3, size.height, size.width), np.uint8)
        told = np.zeros((num_frames, NUM_TOLD), np.float32)
        times = [Elapsed(0.1)] * num_frames
        outcome = attempt(runner, ToScore(pictures, rows * (num_frames // num_streams), times, told), rows)
        for row in rows:
            runner.release(row)
        for fault in outcome.faults.values():
            raise fault


class _Trial:
    """A batch of which parts may fail; a part that does has moved no state."""

    def __init__(self, runner: Runner, seen: ToScore) -> None:
        self._runner = runner
        self._seen = seen
        self.scores = np.zeros((len(seen.images), len(runner.manifest.labels)), np.float32)
        self.faults: dict[int, Exception] = {}

    def tried(self, frames: Sequence[int], rows: Sequence[int] = ()) -> Computed | Exception:
        """What comes of it; where that is too little memory, later batches are half as large."""
        part = self._seen if len(frames) == len(self._seen.rows) else self._seen.only(frames)
        try:
            blocks = arrange(part.rows, part.times)
            return self._runner.run(part.images, blocks, rows, part.told, is_timed=part.is_timed)
        except torch.AcceleratorError:
            raise
        except Exception as err:  # noqa: BLE001  whatever a model does with some stream's frames, others go on
            failed = err.with_traceback(None)  # which holds on to all that was computed
        if isinstance(failed, torch.OutOfMemoryError):
            self._runner.most_frames = max(1, len(frames) // 2)
            torch.cuda.empty_cache()
        log.warning("%s fails on %d frames: %s", self._runner.manifest.reference, len(frames), words_of(failed))
        return failed

    def go_through(self, frames: Sequence[int]) -> None:
        """As many at a time as there is memory for."""
        at = 0
        while at < len(frames):
            part = frames[at : at + self._runner.most_frames]
            at += len(part)
            if left := [frame for frame in part if self._seen.rows[frame] not in self.faults]:
                self._go_on(left)

    def go_by_stream(self, frames: Sequence[int]) -> None:
        """Each stream's by themselves."""
        by_row = dict[int, list[int]]()
        for frame in frames:
            by_row.setdefault(self._seen.rows[frame], []).append(frame)
        for own in by_row.values():
            self.go_through(own)

    def _go_on(self, frames: Sequence[int]) -> None:
        outcome, rows = self.tried(frames), {self._seen.rows[frame] for frame in frames}
        if isinstance(outcome, Computed):
            self.scores[frames] = outcome.scores
        elif isinstance(outcome, torch.OutOfMemoryError) and len(frames) > 1:
            self.go_through(frames)
        elif len(rows) > 1:
            self.go_by_stream(frames)
        else:
            self.faults[rows.pop()] = outcome


def words_of(err: Exception) -> str:
    """An error's type and first line."""
    return f"{type(err).__name__}: {str(err).partition(chr(10))[0][:200]}"
