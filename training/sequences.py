"""Clips as the network meets them: through the very transport and decoding that serve, with a target per frame."""

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context, parent_process

import cv2
import numpy as np
from numpy.typing import NDArray

from services.inference.images import decode_image
from services.ingest.transport import encode_jpeg
from training.incidents import LABELS
from training.scenes import Clip, render_clip
from training.truth import Interval

FPS = 8.0
SIZES = ((256, 192), (256, 192), (340, 192))
"""Transport sizes of the usual cameras: 4:3 and 16:9."""
UNSURE_SECONDS = 0.3
"""Around a label's start and end a frame may be called either way; it does not count in training."""


@dataclass(frozen=True, slots=True)
class Sequence8Bit:
    """A clip's frames and targets in memory."""

    images: NDArray[np.uint8]
    """[T, H, W, 3], RGB, of the network's size."""
    times_seconds: NDArray[np.float32]
    targets: NDArray[np.float32]
    """[T, L], 1 where the label holds."""
    weights: NDArray[np.float32]
    """[T, L], 0 where nobody could say."""
    truth: tuple[Interval, ...]


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
    return Sequence8Bit(images, times, targets_of(clip.truth, times), weights_of(clip.truth, times), clip.truth)


def as_served(frames: Iterable[NDArray[np.uint8]], height: int, width: int) -> NDArray[np.uint8]:
    """BGR frames of transport size as they reach the network, [T, height, width, 3], RGB."""
    return np.stack([decode_image(encode_jpeg(frame), height, width) for frame in frames])


def targets_of(truth: Sequence[Interval], times_seconds: NDArray[np.float32]) -> NDArray[np.float32]:
    """[T, L]: 1 where a label holds."""
    targets = np.zeros((len(times_seconds), len(LABELS)), np.float32)
    for interval in truth:
        inside = (times_seconds >= interval.start_seconds) & (times_seconds < interval.end_seconds)
        targets[inside, LABELS.index(interval.label)] = 1
    return targets


def weights_of(truth: Sequence[Interval], times_seconds: NDArray[np.float32]) -> NDArray[np.float32]:
    """[T, L]: 0 around a label's own starts and ends."""
    weights = np.ones((len(times_seconds), len(LABELS)), np.float32)
    for interval in truth:
        for border in (interval.start_seconds, interval.end_seconds):
            weights[np.abs(times_seconds - border) < UNSURE_SECONDS, LABELS.index(interval.label)] = 0
    return weights


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
