"""Rendered clips as sequences: rendered in processes beside the caller's, in the same order whoever renders."""

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context, parent_process

import cv2
import numpy as np

from training.incidents import LABELS
from training.scenes import Clip, render_clip
from training.sequences import Sequence8Bit, as_served, targets_of, weights_of

FPS = 8.0
SIZES = ((256, 192), (256, 192), (340, 192))
"""Transport sizes of the usual cameras: 4:3 and 16:9."""


@dataclass(frozen=True, slots=True)
class SequenceSpec:
    """What to render."""

    seed: int
    seconds: float
    height: int
    width: int


def render_sequence(spec: SequenceSpec) -> Sequence8Bit:
    """Renders one sequence with a random plan, the same for the same spec."""
    size = SIZES[(spec.seed // 4) % len(SIZES)]
    return as_sequence(render_clip(spec.seed, None, spec.seconds, FPS, size), spec.height, spec.width)


def as_sequence(clip: Clip, height: int, width: int) -> Sequence8Bit:
    """A clip's frames as they reach the network, and its truth as targets."""
    images = as_served(clip.frames, height, width)
    times = (np.arange(len(images)) / clip.fps).astype(np.float32)
    targets, weights = targets_of(clip.truth, times, LABELS), weights_of(clip.truth, times, LABELS)
    return Sequence8Bit(images, times, targets, weights, clip.truth)


def rendered(specs: Sequence[SequenceSpec], num_workers: int, num_ahead: int = 1) -> Iterator[Sequence8Bit]:
    """Renders sequences in order: in this process (0 workers), or in others up to `num_ahead` before the caller."""
    if num_workers == 0:
        yield from map(render_sequence, specs)
        return
    with ProcessPoolExecutor(num_workers, mp_context=get_context("spawn"), initializer=_prepare_worker) as pool:
        waiting = iter(specs)
        ahead = deque(pool.submit(render_sequence, spec) for spec in islice(waiting, num_ahead))
        try:
            while ahead:
                sequence = ahead.popleft().result()
                ahead.extend(pool.submit(render_sequence, spec) for spec in islice(waiting, 1))
                yield sequence
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _prepare_worker() -> None:
    """One thread, and no life after the parent's, however that ends."""
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)
