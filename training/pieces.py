"""How an epoch goes over videos: stretches of them, side by side with others about as long."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.augment import Augmentation
from training.loop import TrainingBatch, padded
from training.recipes import PLAIN, Regularisation
from training.sequences import Labelled, SensedClip
from training.truth import Interval

MAX_STREAMS = 16
MISSING_SHARES = (0.05, 0.4)
"""How many frames a gappy stretch misses."""
MIRRORED = 0.5
"""How often, where that is allowed."""
SHARES = (0.5, 1.0)
"""Of a clip that another is mixed into."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Frames `start` to `stop` of a sequence."""

    index: int
    start: int
    stop: int

    @property
    def num_frames(self) -> int:
        """Its length."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Shown:
    """Frames as they are shown once."""

    seen: NDArray[Any]
    times_seconds: NDArray[np.float32]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]
    truth: tuple[Interval, ...] = ()


def pieces_of(lengths: Sequence[int], longest: int, rng: Generator) -> list[Piece]:
    """Every frame of every sequence in one piece; what is longer than `longest` frames is cut at random places."""
    pieces = []
    for index, length in enumerate(lengths):
        first = 0 if length <= longest else int(rng.integers(1, longest + 1))
        cuts = [0, *range(first, length, longest), length] if first else [0, length]
        pieces += [Piece(index, start, stop) for start, stop in itertools.pairwise(cuts) if stop > start]
    return pieces


def side_by_side(pieces: Sequence[Piece], batch_frames: int, rng: Generator) -> list[list[Piece]]:
    """Pieces of about one length together, in random order; at most `batch_frames` frames a batch, or one piece."""
    jitter = np.exp(rng.uniform(-0.2, 0.2, len(pieces)))
    ordered = [pieces[index] for index in np.argsort([-p.num_frames * j for p, j in zip(pieces, jitter, strict=True)])]
    groups: list[list[Piece]] = []
    for piece in ordered:
        tallest = max((each.num_frames for each in groups[-1]), default=0) if groups else 0
        room = groups and len(groups[-1]) < MAX_STREAMS
        if room and (len(groups[-1]) + 1) * max(tallest, piece.num_frames) <= batch_frames:
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return [groups[index] for index in rng.permutation(len(groups))]


def num_batches(lengths: Sequence[int], longest: int, batch_frames: int) -> int:
    """How many batches an epoch has, about: it differs with the random cuts."""
    rng = np.random.default_rng(0)
    return len(side_by_side(pieces_of(lengths, longest, rng), batch_frames, rng))


def epoch_of(
    sequences: Sequence[Labelled],
    *,
    longest: int,
    batch_frames: int,
    rng: Generator,
    mirror: bool,
    recipe: Regularisation = PLAIN,
) -> Iterator[TrainingBatch]:
    """All sequences once, in random stretches, seen otherwise each time, some with frames missing, some mixed."""
    pieces = pieces_of([len(sequence.seen) for sequence in sequences], longest, rng)
    for group in side_by_side(pieces, batch_frames, rng):
        shown = [_shown(sequences, piece, rng, mirror=mirror, recipe=recipe) for piece in group]
        yield padded(shown, max(len(each.seen) for each in shown))


def _shown(
    sequences: Sequence[Labelled], piece: Piece, rng: Generator, *, mirror: bool, recipe: Regularisation
) -> Shown:
    """The piece, or it and a stretch of any sequence over each other."""
    clip = _seen(sequences[piece.index], piece, rng, mirror=mirror, recipe=recipe)
    if not recipe.mixed or rng.random() >= recipe.mixed:
        return clip
    index = int(rng.integers(len(sequences)))
    length, most = len(sequences[index].seen), len(clip.seen)
    start = int(rng.integers(0, max(0, length - most) + 1))
    stretch = Piece(index, start, min(length, start + most))
    other = _seen(sequences[index], stretch, rng, mirror=mirror, recipe=recipe)
    return mixed(clip, other, float(rng.uniform(*SHARES)))


def _seen(sequence: Labelled, piece: Piece, rng: Generator, *, mirror: bool, recipe: Regularisation) -> Shown:
    frames = np.arange(piece.start, piece.stop)
    if len(frames) > 8:
        frames = frames[int(rng.integers(0, 1 + len(frames) // 10)) :]
        if rng.random() < 0.3:
            frames = frames[rng.random(len(frames)) >= rng.uniform(*MISSING_SHARES)]
    frames = frames if len(frames) else np.array([piece.start])
    seen = _sides_of(sequence, rng, mirror=mirror)[frames]
    if recipe.pictures and seen.dtype == np.uint8:
        seen = Augmentation.draw(rng, *seen.shape[1:3], mirror=mirror, recipe=recipe).apply(seen, rng)
    return Shown(seen, sequence.times_seconds[frames], sequence.targets[frames], sequence.weights[frames])


def _sides_of(sequence: Labelled, rng: Generator, *, mirror: bool) -> NDArray[Any]:
    """What is seen of a sequence; of one whose features are kept, at times those of the mirrored pictures."""
    if mirror and isinstance(sequence, SensedClip) and sequence.mirrored is not None and rng.random() < MIRRORED:
        return sequence.mirrored
    return sequence.seen


def mixed(clip: Shown, other: Shown, share: float) -> Shown:
    """Both over each other while both last: the clip by its share, the other by the rest, and so are the targets.

    The times are the clip's; what is unknown of either is unknown.
    """
    last = min(len(clip.seen), len(other.seen))
    seen, targets = (
        share * one[:last].astype(np.float32) + (1 - share) * two[:last].astype(np.float32)
        for one, two in ((clip.seen, other.seen), (clip.targets, other.targets))
    )
    whole = np.issubdtype(clip.seen.dtype, np.integer)
    return Shown(
        (np.rint(seen) if whole else seen).astype(clip.seen.dtype),
        clip.times_seconds[:last],
        targets.astype(np.float32),
        np.minimum(clip.weights[:last], other.weights[:last]),
    )
