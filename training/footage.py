"""Real footage as the network meets it: read, sampled and sent by the very code that serves."""

import threading
from pathlib import Path

import numpy as np

from services.ingest.source import open_video
from training.incidents import LABELS
from training.rendered import FPS
from training.sequences import Sequence8Bit, as_served


def read_footage(path: Path, height: int, width: int) -> Sequence8Bit:
    """A video file's frames, of which nothing is known to be true; raises SourceFailed where it does not read."""
    with open_video(str(path.resolve()), is_file=True) as video:
        sampled = list(video.frames(FPS, threading.Event()))
    times = np.array([frame.point / FPS for frame in sampled], np.float32)
    images = as_served((frame.image for frame in sampled), height, width)
    unknown = np.zeros((len(sampled), len(LABELS)), np.float32)
    return Sequence8Bit(images, times, targets=unknown, weights=unknown, truth=())
