"""Average precision of a model's scores, label by label."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.metrics import average_precision
from training.sequences import Sequence8Bit


def precisions_of(
    labels: Sequence[str], sequences: Sequence[Sequence8Bit], scores: Sequence[NDArray[np.float32]]
) -> dict[str, float]:
    """For each label the average precision over all frames that count."""
    rows = np.concatenate(scores)
    targets = np.concatenate([sequence.targets for sequence in sequences])
    counts = np.concatenate([sequence.weights for sequence in sequences]) > 0
    return {
        label: average_precision(rows[counts[:, index], index], targets[counts[:, index], index])
        for index, label in enumerate(labels)
    }
