"""Films like a camera's, rendered for benchmarks: texture that pans, things that cross it, the sensor's noise."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

FPS: Final = 25
NOISE: Final = 3.0
"""Standard deviation of a grey value: a sensor in the evening."""
KEYFRAME_SECONDS: Final = 2


@dataclass(frozen=True, slots=True)
class BenchFilm:
    """H.264 as a camera sends it: size in pixels, mean bit rate, B-frames between two others."""

    name: str
    width: int
    height: int
    bits_per_second: int
    b_frames: int


def render(film: BenchFilm, path: Path, num_frames: int) -> None:
    """Writes the film, `num_frames` at 25 fps, into the container that the path's suffix says."""
    rate = str(film.bits_per_second)
    options = {"preset": "veryfast", "bf": str(film.b_frames), "b": rate, "maxrate": rate, "bufsize": rate}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = film.width, film.height, "yuv420p"
        stream.codec_context.gop_size = KEYFRAME_SECONDS * FPS
        scene = _Street(film.width, film.height)
        for index in range(num_frames):
            frame = av.VideoFrame.from_ndarray(scene.picture(index), format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


class _Street:
    """Pictures as [3/2 H, W] uint8, planes of YUV 4:2:0 one below the other."""

    def __init__(self, width: int, height: int) -> None:
        random = np.random.default_rng(0)
        coarse = random.integers(40, 210, (height // 24, width // 24), dtype=np.uint8)
        fine = random.normal(0, 6, (height, width))
        wide = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        self._wall = np.clip(wide + fine, 0, 255).astype(np.uint8)
        self._noise = random.normal(0, NOISE, (8, height, width)).round().astype(np.int16)
        self._chroma = cv2.resize(coarse, (width, height // 2), interpolation=cv2.INTER_CUBIC) // 4 + 96

    def picture(self, index: int) -> NDArray[np.uint8]:
        """The picture at index / 25 s."""
        height, width = self._wall.shape
        luma: NDArray[Any] = np.roll(self._wall, (index // 3, index), (0, 1))
        side = height // 5
        for place in range(3):
            left = (7 + 4 * place) * index % (width - side)
            top = side + place * side
            luma[top : top + side, left : left + side // 2] = 60 + 50 * place
        luma = np.clip(luma + self._noise[index % len(self._noise)], 0, 255).astype(np.uint8)
        return np.concatenate([luma, self._chroma.astype(np.uint8)])
