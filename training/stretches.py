"""How an epoch goes over clips of which the features are kept: a stretch of each, seen otherwise every time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from services.inference.network.network import Network
from training.loop import TrainingBatch, padded
from training.sequences import SensedClip
from training.stock import load_clip

STREAMS = 16
"""Clips side by side."""
LATEST_START = 16
"""Frames that a stretch may begin late."""
GAPPY, GAPS = 0.3, (0.05, 0.6)
"""How often frames are lost, and which share of them."""
THINNED = 0.1
"""How often every second frame is left out, or two of three."""
RELIT = 0.5
GAINS, SHIFTS = (0.8, 1.25), (-0.05, 0.05)
"""How often contrast and brightness are others, and which."""
WITHOUT_FIGURES, LACKING_FIGURES = 0.3, 0.08
"""How often figures are missing throughout, and how often here and there."""
WITHOUT_MARKS = 0.5
"""How often the decoder's marks are missing: most damage that is seen was baked in by who encoded it again."""
LEAST_DETAIL = 1e-3
"""Is added to the detail of a tile before its logarithm is taken."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where in a frame's features that lies which may be seen otherwise."""

    grey: slice
    detail: slice
    tint: slice
    figures: slice
    marks: slice

    @classmethod
    def of(cls, network: Network) -> "Places":
        """Those of a network without a look; what it does not have, or what is compared as well, stays as it is."""
        at = sum(network.comparison.glance_sizes) if network.comparison else 0
        sizes = network.histograms.glance_sizes if network.histograms else [0, 0, 0]
        places = []
        for sense in (network.full_size, network.marks):
            sizes = [*sizes, sum(sense.glance_sizes) if sense else 0]
        for size in sizes:
            places.append(slice(at, at + size))
            at += size
        grey, detail, tint, figures, marks = places
        if network.comparison:
            grey = detail = tint = slice(0, 0)
        return cls(grey, detail, tint, figures, marks)


def batches(files: Sequence[Path], network: Network, num_frames: int, rng: Generator) -> Iterator[TrainingBatch]:
    """A stretch of up to `num_frames` frames of each clip, shuffled, in batches of STREAMS, padded to that length."""
    places = Places.of(network)
    order = rng.permutation(len(files))
    for start in range(0, len(order), STREAMS):
        clips = [load_clip(files[index]) for index in order[start : start + STREAMS]]
        seen = [_seen(clip, places, num_frames, rng) for clip in clips if len(clip.features)]
        if seen:
            yield padded(seen, num_frames)


def _seen(clip: SensedClip, places: Places, num_frames: int, rng: Generator) -> SensedClip:
    kept = _kept(len(clip.features), num_frames, rng)
    features = clip.features[kept].copy()
    if rng.random() < RELIT:
        relight(features, places, np.exp(rng.uniform(*np.log(GAINS))), rng.uniform(*SHIFTS))
    _forget(features[:, places.figures], rng)
    if rng.random() < WITHOUT_MARKS:
        features[:, places.marks] = 0
    return replace(
        clip,
        features=features,
        times_seconds=clip.times_seconds[kept],
        targets=clip.targets[kept],
        weights=clip.weights[kept],
    )


def _kept(length: int, num_frames: int, rng: Generator) -> NDArray[np.int64]:
    """The frames of a stretch, in order: it begins somewhere, and some may be lost."""
    late = int(rng.integers(0, min(LATEST_START, length)))
    first = int(rng.integers(0, max(0, length - num_frames) + 1))
    frames = np.arange(first, min(length, first + num_frames))[late:]
    chance = rng.random()
    if chance < THINNED:
        frames = frames[:: int(rng.integers(2, 4))]
    elif chance < THINNED + GAPPY:
        frames = frames[rng.random(len(frames)) >= rng.uniform(*GAPS)]
    return frames if len(frames) else np.array([first])


def relight(features: NDArray[np.float32], places: Places, gain: float, shift: float) -> None:
    """As if the camera had another contrast and brightness."""
    features[:, places.grey] = (gain * features[:, places.grey] + shift).clip(0, 1)
    edges = np.exp(features[:, places.detail]) - LEAST_DETAIL
    features[:, places.detail] = np.log(gain * edges.clip(0) + LEAST_DETAIL)
    features[:, places.tint] *= gain


def _forget(figures: NDArray[np.float32], rng: Generator) -> None:
    """As if figures, and the mark that they are known, had not been measured."""
    chance = rng.random()
    if chance < WITHOUT_FIGURES:
        figures[:] = 0
    elif chance < WITHOUT_FIGURES + LACKING_FIGURES:
        figures[rng.random(len(figures)) < rng.uniform(0.05, 0.7)] = 0
