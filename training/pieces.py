"""How an epoch goes over videos: stretches of them, side by side with others about as long."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from training.augment import Augmentation
from training.loop import TrainingBatch, padded
from training.sequences import Sequence8Bit

MAX_STREAMS = 16
MISSING_SHARES = (0.05, 0.4)
"""How many frames a gappy stretch misses."""


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
    sequences: Sequence[Sequence8Bit], *, longest: int, batch_frames: int, rng: Generator, mirror: bool
) -> Iterator[TrainingBatch]:
    """All sequences once, in random stretches, seen otherwise each time, some with frames missing."""
    pieces = pieces_of([len(sequence.images) for sequence in sequences], longest, rng)
    for group in side_by_side(pieces, batch_frames, rng):
        seen = [_seen(sequences[piece.index], piece, rng, mirror=mirror) for piece in group]
        length = max(len(each.images) for each in seen)
        yield padded([(each.images, each) for each in seen], length)


def _seen(sequence: Sequence8Bit, piece: Piece, rng: Generator, *, mirror: bool) -> Sequence8Bit:
    frames = np.arange(piece.start, piece.stop)
    if len(frames) > 8:
        frames = frames[int(rng.integers(0, 1 + len(frames) // 10)) :]
        if rng.random() < 0.3:
            frames = frames[rng.random(len(frames)) >= rng.uniform(*MISSING_SHARES)]
    frames = frames if len(frames) else np.array([piece.start])
    augmentation = Augmentation.draw(rng, *sequence.images.shape[1:3], mirror=mirror)
    return Sequence8Bit(
        augmentation.apply(sequence.images[frames], rng),
        sequence.times_seconds[frames],
        sequence.targets[frames],
        sequence.weights[frames],
        truth=(),
    )
