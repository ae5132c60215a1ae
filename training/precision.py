"""Average precision of a model's scores, label by label."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.metrics import average_precision
from training.sequences import Labelled


def precisions_of(
    labels: Sequence[str], sequences: Sequence[Labelled], scores: Sequence[NDArray[np.float32]]
) -> dict[str, float]:
    """For each label the average precision over all frames that count."""
    return {label: average_precision(*counted(sequences, scores, index)) for index, label in enumerate(labels)}


def counted(
    sequences: Sequence[Labelled], scores: Sequence[NDArray[np.float32]], column: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One label's scores and targets on all frames that count, of all sequences in a row."""
    counts = [sequence.weights[:, column] > 0 for sequence in sequences]
    kept = [rows[count, column] for rows, count in zip(scores, counts, strict=True)]
    targets = [sequence.targets[count, column] for sequence, count in zip(sequences, counts, strict=True)]
    return np.concatenate(kept), np.concatenate(targets)
