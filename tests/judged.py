"""Evaluations made of given scores."""

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from shared.manifest import InputSpec, Manifest, WeightsSpec
from training.evaluation import Evaluation
from training.judging import Judge, ScoredVideo
from training.scoring import shuffled
from training.sequences import Sequence8Bit, targets_of
from training.truth import Interval

FPS = 8.0
LABELS = ("fall", "walk")
MANIFEST = Manifest(
    name="given",
    labels=LABELS,
    fps=FPS,
    input=InputSpec(height=48, width=64),
    state_size=1,
    network={},
    weights=WeightsSpec(sha256="0" * 64),
)
JUDGE = Judge(MANIFEST, LABELS, tolerance_seconds=1.0)


def scored(
    name: str,
    truth: tuple[Interval, ...],
    with_memory: NDArray[np.float32],
    *,
    without_memory: NDArray[np.float32] | None = None,
    weights: NDArray[np.float32] | None = None,
    seconds: float = 20.0,
) -> ScoredVideo:
    """A video of given scores; without memory, and where its frames are shuffled, the model says 0.5 throughout."""
    times = (np.arange(round(seconds * FPS)) / FPS).astype(np.float32)
    targets = targets_of(truth, times, LABELS)
    sequence = Sequence8Bit(
        np.zeros((len(times), 0, 0, 3), np.uint8),
        times,
        targets,
        np.ones_like(targets) if weights is None else weights,
        truth,
    )
    flat = np.full_like(with_memory, 0.5)
    without_memory = flat if without_memory is None else without_memory
    return ScoredVideo(name, sequence, with_memory, without_memory, shuffled(sequence, default_rng(0)), flat, seconds)


def evaluation_of(*videos: ScoredVideo) -> Evaluation:
    """What the videos come to."""
    with_memory, without_memory, mixed = JUDGE.passes(videos)
    return Evaluation(
        model=MANIFEST.reference,
        data="given scores",
        labels=LABELS,
        tolerance_seconds=JUDGE.tolerance_seconds,
        prevalence=JUDGE.prevalence(videos),
        with_memory=with_memory,
        without_memory=without_memory,
        shuffled=mixed,
        num_videos=len(videos),
        seconds=sum(video.seconds for video in videos),
        strips=JUDGE.strips(videos),
    )
