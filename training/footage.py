"""Real footage as the network meets it: read, sampled and sent by the very code that serves."""

import math
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.ingest.sources.decoding.transport import MAX_LONG_SIDE
from services.ingest.sources.options import MAX_FILE_THREADS, ReadOptions
from services.ingest.sources.video import open_video
from shared.entries import Figures
from shared.errors import SourceFailed
from shared.sources import Source
from training.datasets.dataset import LabelledVideo
from training.figures import PictureMeasurer, figures_array
from training.sequences import Sequence8Bit, as_served, at_transport_size, targets_of


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
    """A video's frames on the sampling grid, with a target for each label; every frame counts (weights are 1).

    A frame for a network of 96x128 takes 37 KB, so an hour at 8 frames/s 1 GB (2 while it is read), and four times as
    much at 192x256; after `longest_seconds` no more is read. Raises SourceFailed naming the file that does not read.
    """
    points: list[int] = []
    measured: list[Figures | None] = []
    measurer = PictureMeasurer()

    def looked_at(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        measured.append(measurer.measure(picture))
        return at_transport_size(picture)

    try:
        images = as_served(map(looked_at, _sampled(video.path, fps, points, longest_seconds)), height, width)
    except SourceFailed as err:
        raise SourceFailed(f"{video.path}: {err}") from err
    times = np.array([point / fps for point in points], np.float32)
    targets, figures = targets_of(video.intervals, times, labels), figures_array(measured)
    return Sequence8Bit(images, times, targets, np.ones_like(targets), video.intervals, figures)


def _sampled(path: Path, fps: float, points: list[int], longest_seconds: float) -> Iterator[NDArray[np.uint8]]:
    """One picture at a time, as large as may be, whose grid point is added to `points`."""
    options = ReadOptions(num_threads=MAX_FILE_THREADS, short_side=MAX_LONG_SIDE)
    with open_video(Source(str(path.resolve())), options) as source:
        for frame in source.frames(fps, threading.Event()):
            if points and frame.point - points[0] >= longest_seconds * fps:
                return
            points.append(frame.point)
            yield frame.image
