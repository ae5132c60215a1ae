"""What could as well have been filmed: another place, light, lens, side; the same for all frames of a clip."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

MAX_DEGREES = 3.0
MAX_SHIFT = 0.08
ZOOMS = (0.9, 1.15)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """One way to see a clip otherwise."""

    matrix: NDArray[np.float32]
    """[2, 3], where each point goes"""
    curve: NDArray[np.uint8]
    """[256, 3]: what each level of each colour becomes"""
    grey: bool
    noise: float
    """standard deviation in grey levels"""
    hidden: tuple[int, int, int, int] | None
    """a rectangle that nothing can be seen of: top, left, bottom, right"""

    @classmethod
    def draw(cls, rng: Generator, height: int, width: int, *, mirror: bool) -> "Augmentation":
        """A random one; `mirror` lets half of them be mirrored."""
        zoom, degrees = np.exp(rng.uniform(*np.log(ZOOMS))), rng.uniform(-MAX_DEGREES, MAX_DEGREES)
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, zoom)
        matrix[:, 2] += rng.uniform(-MAX_SHIFT, MAX_SHIFT, 2) * np.array((width, height))
        if mirror and rng.random() < 0.5:
            matrix = matrix @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]])
        levels = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.uniform(-0.35, 0.35))
        gains = np.exp(rng.uniform(-0.3, 0.3)) * np.exp(rng.uniform(-0.12, 0.12, 3))
        curve = np.clip(255 * (0.5 + gains * (levels - 0.5) + rng.uniform(-0.12, 0.12)), 0, 255)
        hidden = None
        if rng.random() < 0.3:
            tall, wide = (int(side * rng.uniform(0.1, 0.4)) for side in (height, width))
            top, left = int(rng.integers(0, height - tall)), int(rng.integers(0, width - wide))
            hidden = (top, left, top + tall, left + wide)
        noise = rng.uniform(0, 6) if rng.random() < 0.5 else 0.0
        return cls(matrix.astype(np.float32), curve.astype(np.uint8), rng.random() < 0.2, noise, hidden)

    def apply(self, images: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
        """[T, H, W, 3] seen otherwise; the sensor's noise is new in every frame."""
        size = (images.shape[2], images.shape[1])
        seen = np.stack([cv2.warpAffine(image, self.matrix, size, borderMode=cv2.BORDER_REPLICATE) for image in images])
        seen = np.stack([self.curve[:, channel][seen[..., channel]] for channel in range(3)], axis=-1)
        if self.grey:
            seen[:] = seen.mean(axis=-1, keepdims=True, dtype=np.float32).astype(np.uint8)
        if self.noise:
            grain = rng.standard_normal(seen.shape[:3], np.float32)[..., None] * np.float32(self.noise)
            seen = np.clip(seen + grain, 0, 255).astype(np.uint8)
        if self.hidden:
            top, left, bottom, right = self.hidden
            seen[:, top:bottom, left:right] = 128
        return np.asarray(seen, np.uint8)
