"""How an epoch goes over clips of which the features are kept: a stretch of each, seen otherwise every time."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from services.inference.network.network import Network
from training.loop import TrainingBatch, padded
from training.scenes.seeds import log_uniform
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
REFRAMED, LEAST_FRAMED = 0.6, 0.66
"""How often a part of the view is the whole, and the least part along each side."""
MIRRORED, UPENDED = 0.5, 0.15
"""Of those, how often left is right, and how often up is down."""
TONED, GAMMAS, SHARPNESSES, SATURATIONS = 0.4, (0.7, 1.42), (0.6, 1.5), (0.7, 1.4)
"""How often the camera has another curve, how often other optics, how often other colours, and which: not so much paler
or stronger ones that a tint would no longer be one, or a lamp's warmth become one."""
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
    size: tuple[int, int]
    """Rows and columns of tiles; colours are told of two by two."""

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
        if network.comparison or network.histograms is None:
            nowhere = slice(0, 0)
            return cls(nowhere, nowhere, nowhere, figures, marks, (0, 0))
        return cls(grey, detail, tint, figures, marks, network.histograms.size)


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
    if rng.random() < REFRAMED and places.grey.stop:
        reframe(
            features,
            places,
            *(
                _framed(side // 2, share, rng, whole=any(each.label == "glare" for each in clip.truth))
                for side, share in zip(places.size, (UPENDED, MIRRORED), strict=True)
            ),
        )
    if rng.random() < TONED:
        tone(features, places, log_uniform(rng, *GAMMAS))
    if rng.random() < TONED:
        sharpen(features, places, log_uniform(rng, *SHARPNESSES))
    if rng.random() < TONED:
        features[:, places.tint] *= log_uniform(rng, *SATURATIONS) * rng.choice((1, -1), p=(0.7, 0.3))
    if rng.random() < RELIT:
        gain, shift = log_uniform(rng, *GAINS), rng.uniform(*SHIFTS)
        relight(features, places, min(gain, headroom(features, places, shift)), shift)
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


def _framed(count: int, turned: float, rng: Generator, *, whole: bool) -> NDArray[np.int64]:
    """A part of so many, in order or the other way round; some stand twice, so that they are as many as before.

    whole: all of them, where what is to be seen could lie beside the part.
    """
    part = int(rng.integers(math.ceil(LEAST_FRAMED * count), count + 1))
    part = count if whole else part
    chosen = np.sort(np.concatenate((np.arange(part), rng.integers(0, part, count - part)))) + rng.integers(
        0, count - part + 1
    )
    return chosen[::-1] if rng.random() < turned else chosen


def reframe(features: NDArray[np.float32], places: Places, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
    """As if the camera saw these rows and columns of its view, in tiles twice as large as those of the grey levels."""
    coarse = (places.size[0] // 2, places.size[1] // 2)
    fine_rows, fine_columns = (_tiles(chosen, side) for chosen, side in zip((rows, columns), places.size, strict=True))
    for part in (places.grey, places.detail):
        grid = features[:, part].reshape(-1, *places.size)
        features[:, part] = grid[:, fine_rows][:, :, fine_columns].reshape(len(features), -1)
    colours = features[:, places.tint].reshape(-1, 2, *coarse)
    features[:, places.tint] = colours[:, :, rows][:, :, :, columns].reshape(len(features), -1)


def _tiles(pairs: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    """The tiles of pairs, in the pairs' direction; an odd one at the end stays."""
    both = np.stack((2 * pairs, 2 * pairs + 1), axis=1)
    if len(pairs) > 1 and pairs[0] > pairs[-1]:
        both = both[:, ::-1]
    return np.concatenate((both.ravel(), np.arange(side // 2 * 2, side)))


def tone(features: NDArray[np.float32], places: Places, gamma: float) -> None:
    """As if the camera gave levels by another curve; of detail that is the curve's slope at the tile's level."""
    grey = features[:, places.grey].clip(LEAST_DETAIL, 1)
    features[:, places.grey] = grey**gamma
    _scale_detail(features, places, (gamma * grey ** (gamma - 1)).clip(0.25, 4))


def sharpen(features: NDArray[np.float32], places: Places, sharpness: float) -> None:
    """As if the optics were better, or worse."""
    _scale_detail(features, places, sharpness)


def _scale_detail(features: NDArray[np.float32], places: Places, by: float | NDArray[np.float32]) -> None:
    edges = np.exp(features[:, places.detail]) - LEAST_DETAIL
    features[:, places.detail] = np.log(by * edges.clip(0) + LEAST_DETAIL)


def relight(features: NDArray[np.float32], places: Places, gain: float, shift: float) -> None:
    """As if the camera had another contrast and brightness."""
    features[:, places.grey] = (gain * features[:, places.grey] + shift).clip(0, 1)
    _scale_detail(features, places, gain)
    features[:, places.tint] *= gain


def headroom(features: NDArray[np.float32], places: Places, shift: float) -> float:
    """The greatest gain by which, beside that shift, nothing is overexposed that was not, for that would be a glare."""
    brightest = float(features[:, places.grey].max(initial=0.0))
    return (1 - shift) / max(brightest, 1e-3)


def _forget(figures: NDArray[np.float32], rng: Generator) -> None:
    """As if figures, and the mark that they are known, had not been measured."""
    chance = rng.random()
    if chance < WITHOUT_FIGURES:
        figures[:] = 0
    elif chance < WITHOUT_FIGURES + LACKING_FIGURES:
        figures[rng.random(len(figures)) < rng.uniform(0.05, 0.7)] = 0
