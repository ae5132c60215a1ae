"""Real footage as the network meets it: read, sampled and sent by the very code that serves."""

import math
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.ingest.sources.options import MAX_FILE_THREADS, ReadOptions
from services.ingest.sources.video import open_video
from shared.entries import Figures, told
from shared.errors import SourceFailed
from shared.sources import Source
from training.datasets.dataset import LabelledVideo
from training.sequences import Sequence8Bit, as_served, targets_of


def unlabelled(path: Path) -> LabelledVideo:
    """A video file of which nothing is known to be true."""
    return LabelledVideo(path.name, path, intervals=())


def read_video(
    video: LabelledVideo,
    labels: Sequence[str],
    fps: float,
    height: int,
    width: int,
    *,
    longest_seconds: float = math.inf,
) -> Sequence8Bit:
    """A video's frames on the sampling grid, with a target for each label; weights are 1 where that is known, else 0.

    A frame for a network of 96x128 takes 37 KB, so an hour at 8 frames/s 1 GB (2 while it is read), and four times as
    much at 192x256; after `longest_seconds` no more is read. Raises SourceFailed naming the file that does not read.
    """
    points: list[int] = []
    facts: list[Figures] = []
    try:
        images = as_served(_sampled(video.path, fps, longest_seconds, points, facts), height, width)
    except SourceFailed as err:
        raise SourceFailed(f"{video.path}: {err}") from err
    times = np.array([point / fps for point in points], np.float32)
    targets = targets_of(video.intervals, times, labels)
    known = np.ones_like(targets) if video.judged is None else targets_of(video.judged, times, labels)
    return Sequence8Bit(images, times, targets, known, video.intervals, np.array(facts, np.float32))


def _sampled(
    path: Path, fps: float, longest_seconds: float, points: list[int], facts: list[Figures]
) -> Iterator[NDArray[np.uint8]]:
    """One picture at a time, whose grid point and `told` are added to the lists: pictures of transport size are
    large."""
    with open_video(Source(str(path.resolve())), ReadOptions(num_threads=MAX_FILE_THREADS, measures=True)) as source:
        for frame in source.frames(fps, threading.Event()):
            if points and frame.point - points[0] >= longest_seconds * fps:
                return
            points.append(frame.point)
            facts.append(told(frame.figures, damaged=frame.damaged))
            yield frame.image
