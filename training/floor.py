"""The floor of an evaluation: what the videos' files would score if nobody looked at a picture."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.datasets.dataset import FileFacts
from training.learned import Learned

NEIGHBOURS: Final = 3
SAME: Final = 1e-6
"""Is added to the square of a distance: files that are equal have none."""


def floor_scores(
    learned: Learned, videos: Sequence[tuple[str, FileFacts | None]], labels: Sequence[str]
) -> list[NDArray[np.float32]] | None:
    """A score [L] for each video, given as (fingerprint, facts); None where the facts of one, or of all learned, lack.

    It is the share of time for which the labels hold in the three videos learned from that are nearest by size of
    file and picture, rate and duration (logarithms, standardised), nearer ones counting more. A video is no neighbour
    of itself. Judged as the model is: clips called rightly where a clip has one label, and average precision over
    frames. The latter alone is there for labelled events: a score that stays the same throughout a video tells which
    videos have them, not when, so that it opens none to match.
    """
    known = [video for video in learned.videos if video.use == "learned" and video.facts is not None]
    given = [[facts.num_bytes, facts.num_pixels, facts.fps, facts.seconds] for _, facts in videos if facts is not None]
    if not known or len(given) < len(videos):
        return None
    theirs = np.log1p(np.array([video.facts for video in known], np.float64))
    spread = theirs.std(axis=0)
    spread[spread < SAME] = 1.0
    names = np.array([video.fingerprint for video in known])
    shares = np.array([[video.labels.get(label, 0.0) for label in labels] for video in known], np.float64)
    found = []
    for (fingerprint, _), ours in zip(videos, np.log1p(np.array(given, np.float64)), strict=True):
        squares = (((theirs - ours) / spread) ** 2).sum(axis=1)
        squares[names == fingerprint] = np.inf
        nearest = np.argsort(squares, kind="stable")[:NEIGHBOURS]
        weights = 1 / (SAME + squares[nearest])
        found.append((weights @ shares[nearest] / (weights.sum() or 1.0)).astype(np.float32))
    return found
