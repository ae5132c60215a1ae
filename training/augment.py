"""What could as well have been filmed: another place, light, lens, side; the same for all frames of a clip."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.recipes import PLAIN, Regularisation

MAX_DEGREES = 3.0
MAX_SHIFT = 0.08
ZOOMS = (0.9, 1.15)
GREY = np.array((0.299, 0.587, 0.114))
SIZES = (0.4, 1.0)
QUALITIES = (15, 80)
"""Which share of the pixels' rows and columns is left, and the JPEG quality, where a clip is to look worse."""


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
    colours: NDArray[np.float32] | None = None
    """[3, 3], what each colour becomes: another hue, stronger or paler"""
    worse: tuple[float, int] | None = None
    """the share of rows and columns that is left, and the JPEG quality"""

    @classmethod
    def draw(
        cls, rng: Generator, height: int, width: int, *, mirror: bool, recipe: Regularisation = PLAIN
    ) -> "Augmentation":
        """A random one; `mirror` lets half of them be mirrored."""
        far = recipe.pictures
        zoom = np.exp(far * rng.uniform(*np.log(ZOOMS)))
        degrees = far * rng.uniform(-MAX_DEGREES, MAX_DEGREES)
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, zoom)
        matrix[:, 2] += far * rng.uniform(-MAX_SHIFT, MAX_SHIFT, 2) * np.array((width, height))
        if mirror and rng.random() < 0.5:
            matrix = matrix @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]])
        levels = np.linspace(0, 1, 256)[:, None] ** np.exp(far * rng.uniform(-0.35, 0.35))
        gains = np.exp(far * rng.uniform(-0.3, 0.3)) * np.exp(far * rng.uniform(-0.12, 0.12, 3))
        curve = np.clip(255 * (0.5 + gains * (levels - 0.5) + far * rng.uniform(-0.12, 0.12)), 0, 255)
        hidden = None
        if rng.random() < 0.3:
            tall, wide = (int(side * rng.uniform(0.1, 0.4)) for side in (height, width))
            top, left = int(rng.integers(0, height - tall)), int(rng.integers(0, width - wide))
            hidden = (top, left, top + tall, left + wide)
        noise = rng.uniform(0, 6) if rng.random() < 0.5 else 0.0
        grey = rng.random() < 0.2
        colours = worse = None
        if recipe.hue_degrees or recipe.saturation:
            turn, strength = rng.uniform(-1, 1, 2) * (recipe.hue_degrees, recipe.saturation)
            colours = other_colours(float(turn), float(np.exp(strength)))
        if recipe.worse and rng.random() < recipe.worse:
            worse = float(rng.uniform(*SIZES)), int(rng.integers(*QUALITIES))
        return cls(matrix.astype(np.float32), curve.astype(np.uint8), grey, noise, hidden, colours, worse)

    def apply(self, images: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
        """[T, H, W, 3] seen otherwise; the sensor's noise is new in every frame."""
        size = (images.shape[2], images.shape[1])
        seen = np.stack([cv2.warpAffine(image, self.matrix, size, borderMode=cv2.BORDER_REPLICATE) for image in images])
        seen = np.stack([self.curve[:, channel][seen[..., channel]] for channel in range(3)], axis=-1)
        if self.colours is not None:
            seen = np.stack([cv2.transform(image, self.colours) for image in seen])
        if self.grey:
            seen[:] = seen.mean(axis=-1, keepdims=True, dtype=np.float32).astype(np.uint8)
        if self.noise:
            grain = rng.standard_normal(seen.shape[:3], np.float32)[..., None] * np.float32(self.noise)
            seen = np.clip(seen + grain, 0, 255).astype(np.uint8)
        if self.hidden:
            top, left, bottom, right = self.hidden
            seen[:, top:bottom, left:right] = 128
        if self.worse:
            seen = np.stack([_worse(image, *self.worse) for image in seen])
        return np.asarray(seen, np.uint8)


def other_colours(hue_degrees: float, saturation: float) -> NDArray[np.float32]:
    """[3, 3], what RGB is multiplied by: turned about the grey axis, then so much stronger; greys stay."""
    angle = np.deg2rad(hue_degrees)
    axis = np.ones((3, 3)) / 3
    across = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    turned = np.cos(angle) * np.eye(3) + (1 - np.cos(angle)) * axis + np.sin(angle) * across
    grey = np.tile(GREY, (3, 1))
    matrix = (grey + saturation * (np.eye(3) - grey)) @ turned
    return np.asarray(matrix, np.float32)


def _worse(image: NDArray[np.uint8], share: float, quality: int) -> NDArray[np.uint8]:
    small = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
    blocky = np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.resize(blocky, (image.shape[1], image.shape[0])), np.uint8)
