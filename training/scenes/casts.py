"""Colour casts over a whole picture: a wrong white balance, a stuck filter, a lost channel, a coloured film."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.scenes.backgrounds import Picture
from training.scenes.incidents import Incident, Ramp, random_ramp
from training.scenes.seeds import log_uniform

MANNERS = ("balance", "infrared", "channel", "film")
MANNER_SHARES = (0.45, 0.2, 0.2, 0.15)
LUMA = np.array((0.114, 0.587, 0.299))
DARK = 0.7
"""Share of a grey's light; a cast that leaves less could be taken for lights that went out."""
MAX_RISE_SECONDS = 5.0
PLAIN = np.eye(3, 4)

Matrix = NDArray[np.float64]
"""[3, 4], what B, G, R and 1 are multiplied by"""


@dataclass(frozen=True, slots=True)
class Tint:
    """What becomes of a picture's colours behind the sensor, for the length of an incident."""

    ramp: Ramp
    alike: tuple[str, ...]
    matrix: Matrix
    on_line = False
    settles_seconds = 0.0

    @classmethod
    def draw(cls, incident: Incident, rng: Generator) -> "Tint":
        """A random cast for an incident."""
        manner = str(rng.choice(MANNERS, p=MANNER_SHARES))
        draw = {"balance": _balance, "infrared": _infrared, "channel": _channel, "film": _film}[manner]
        matrix = draw(rng)
        alike: tuple[str, ...] = {"film": ("covered",), "channel": ("glitch",)}.get(manner, ())
        alike += ("lights_out",) if float(LUMA @ matrix[:, :3].sum(axis=1)) < DARK else ()
        return cls(random_ramp(incident, rng, MAX_RISE_SECONDS), alike, matrix)

    def apply(self, picture: Picture, at_seconds: float) -> Picture:
        """The picture, [H, W, 3], in these colours."""
        strength = self.ramp.strength(at_seconds)
        if strength == 0:
            return picture
        return np.asarray(cv2.transform(picture, PLAIN + strength * (self.matrix - PLAIN)), np.uint8)


def _balance(rng: Generator) -> Matrix:
    """Too warm or too cold, as most often; too green or too pink; or any way."""
    kind = rng.random()
    if kind < 0.5:
        way = np.array((1.0, rng.uniform(-0.2, 0.2), -1.0)) * rng.choice((-1, 1))
    elif kind < 0.75:
        way = np.array((-0.6, 1.0, -0.6)) * rng.choice((-1, 1))
    else:
        way = rng.standard_normal(3)
        way = (way - way.mean()) / np.abs(way - way.mean()).max()
    gains = np.exp(log_uniform(rng, 0.1, 0.9) * way)
    if rng.random() < 0.7:
        gains = gains / (LUMA @ gains)
    return np.asarray(PLAIN * gains[:, None])


def _infrared(rng: Generator) -> Matrix:
    """A filter that no longer keeps infrared away: pink, pale and faint."""
    far = log_uniform(rng, 0.3, 1.0)
    light = np.array((rng.uniform(0.75, 1.05), rng.uniform(0.5, 0.8), rng.uniform(0.95, 1.2)))
    pale = far * rng.uniform(0.4, 0.9)
    mixed = (1 - pale) * np.eye(3) + pale * np.outer(light, LUMA)
    return np.column_stack((mixed, far * rng.uniform(0, 45) * light))


def _channel(rng: Generator) -> Matrix:
    """One colour weak, gone, or stuck at a level."""
    matrix, channel = PLAIN.copy(), int(rng.integers(0, 3))
    matrix[channel, channel] = rng.uniform(0, 0.5) if rng.random() < 0.5 else 0.0
    if not matrix[channel, channel] and rng.random() < 0.3:
        matrix[channel, 3] = rng.uniform(0, 255)
    return matrix


def _film(rng: Generator) -> Matrix:
    """It lets one colour or two through; the camera makes up for a part of the light."""
    passes = np.where(rng.permutation(3) < int(rng.integers(1, 3)), rng.uniform(0.8, 1, 3), rng.uniform(0.05, 0.6, 3))
    return np.asarray(PLAIN * (passes * rng.uniform(0.5, 1.0) / (LUMA @ passes))[:, None])
