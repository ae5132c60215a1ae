"""Rendered clips as sequences: rendered in processes beside the caller's, in the same order whoever renders."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch

from services.ingest.sources.figures import Measurer, Planes
from shared.entries import told
from training.scenes.footage import FPS, Footage
from training.scenes.incidents import LABELS
from training.scenes.scene import Clip, render_clip
from training.scenes.seeds import Split, clip_seed
from training.sequences import Sequence8Bit, as_served, at_transport_size, targets_of, weights_of

Given = TypeVar("Given")
Made = TypeVar("Made")

SIZES = (
    (320, 240),
    (384, 288),
    (426, 240),
    (512, 288),
    (256, 192),
    (340, 192),
    (352, 288),
    (240, 320),
    (320, 256),
)
"""Of small cameras: most are 4:3 or 16:9; what is measured at full size is so of several sizes."""
SIZE_SEEDS = 7919
"""Keeps the draw of a size apart from what the same seed draws in the scene."""


@dataclass(frozen=True, slots=True)
class SequenceSpec:
    """What to render."""

    seed: int
    seconds: float
    height: int
    width: int
    split: Split | None = Split.TRAINING
    """which part of the footage it may show; None: all"""
    footage: Footage | None = None
    """None: painted scenes alone"""
    labels: tuple[str, ...] = LABELS
    """which incidents it may show, and its targets tell of"""


def plan_specs(  # noqa: PLR0913  (all but two by name)
    split: Split,
    count: int,
    *,
    seed: int,
    seconds: float,
    height: int,
    width: int,
    footage: Footage | None,
    first: int = 0,
) -> list[SequenceSpec]:
    """The `first`-th and further sequences of a run; runs with other seeds train on other clips.

    What is not trained on is the same for every seed, so that runs compare.
    """
    offset = seed * 1_000_000 if split is Split.TRAINING else 0
    return [
        SequenceSpec(clip_seed(split, offset + index), seconds, height, width, split, footage)
        for index in range(first, first + count)
    ]


def render_sequence(spec: SequenceSpec) -> Sequence8Bit:
    """Renders one sequence with a random plan, the same for the same spec and files."""
    size = SIZES[int(np.random.default_rng((SIZE_SEEDS, spec.seed)).integers(0, len(SIZES)))]
    files = _files(spec.footage, spec.split) if spec.footage else None
    clip = render_clip(spec.seed, None, spec.seconds, FPS, size, footage=files, labels=spec.labels)
    return as_sequence(clip, spec.height, spec.width, spec.labels)


@cache
def _files(footage: Footage, split: Split | None) -> dict[str, tuple[Path, ...]]:
    return footage.files(split)


def as_sequence(clip: Clip, height: int, width: int, labels: Sequence[str] = LABELS) -> Sequence8Bit:
    """A clip's frames, figures and marks as they reach the network, and its truth as targets."""
    measure = Measurer().measure_planes
    shown = zip(clip.frames, clip.damaged.tolist(), strict=True)
    facts = [told(measure(Planes.of_picture(frame)), damaged=damaged) for frame, damaged in shown]
    images = as_served(map(at_transport_size, clip.frames), height, width)
    times = (np.arange(len(images)) / clip.fps).astype(np.float32)
    targets, weights = targets_of(clip.truth, times, labels), weights_of(clip.truth, times, labels)
    for interval in clip.unsure:
        inside = (times >= interval.start_seconds) & (times < interval.end_seconds)
        if interval.label in labels:
            weights[inside, labels.index(interval.label)] = 0
    return Sequence8Bit(images, times, targets, weights, clip.truth, np.array(facts, np.float32))


def rendered(specs: Sequence[SequenceSpec], num_workers: int, num_ahead: int = 1) -> Iterator[Sequence8Bit]:
    """Renders sequences in order: in this process (0 workers), or in others up to `num_ahead` before the caller."""
    yield from in_turn(render_sequence, specs, num_workers, num_ahead)


def in_turn(
    make: Callable[[Given], Made], all_given: Sequence[Given], num_workers: int, num_ahead: int
) -> Iterator[Made]:
    """What `make` makes of each, in order: in this process (0 workers), or in others up to `num_ahead` before."""
    if num_workers == 0:
        yield from map(make, all_given)
        return
    with ProcessPoolExecutor(num_workers, mp_context=get_context("spawn"), initializer=_prepare_worker) as pool:
        waiting = iter(all_given)
        ahead = deque(pool.submit(make, given) for given in islice(waiting, num_ahead))
        try:
            while ahead:
                result = ahead.popleft().result()
                ahead.extend(pool.submit(make, given) for given in islice(waiting, 1))
                yield result
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _prepare_worker() -> None:
    """One thread, and no life after the parent's, however that ends."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)
