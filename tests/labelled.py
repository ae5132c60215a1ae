"""Small labelled video files: a square that goes right, or left."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from training.datasets.dataset import Dataset, LabelledVideo
from training.truth import Interval

LABELS = ("leftwards", "rightwards")
FPS = 8
NUM_FRAMES = 16
SIZE = (128, 96)


def crossings(folder: Path, num_pairs: int, seed: int = 0) -> Dataset:
    """So many clips of two seconds of each label; a pair shows the same frames in opposite order."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    videos = []
    for pair in range(num_pairs):
        frames = _crossing(rng)
        for label, shown in (("rightwards", frames), ("leftwards", frames[::-1])):
            path = folder / f"{pair}-{label}.mp4"
            _write(path, shown)
            whole = (Interval(label, 0.0, NUM_FRAMES / FPS),)
            videos.append(LabelledVideo(path.name, path, whole, group=f"pair-{pair}"))
    return Dataset(LABELS, tuple(videos))


def _crossing(rng: np.random.Generator) -> list[NDArray[np.uint8]]:
    width, height = SIZE
    dark, light = int(rng.integers(20, 100)), int(rng.integers(150, 250))
    top, side = int(rng.integers(5, height - 35)), int(rng.integers(16, 30))
    frames = []
    for left in np.linspace(0, width - side, NUM_FRAMES).astype(int):
        frame = np.full((height, width, 3), dark, np.uint8)
        frame[top : top + side, left : left + side] = light
        frames.append(frame)
    return frames


def _write(path: Path, frames: list[NDArray[np.uint8]]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
