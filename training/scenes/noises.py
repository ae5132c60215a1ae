"""Noise by far above a camera's usual: a gain that ran away, a bad sensor, snow and hum of an analogue line."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from training.scenes.backgrounds import Levels, Picture
from training.scenes.incidents import Incident, Ramp, random_ramp
from training.scenes.seeds import log_uniform

MANNERS = ("grain", "specks", "rows", "snow", "hum", "weave", "streaks")
MANNER_SHARES = (0.34, 0.1, 0.1, 0.2, 0.1, 0.08, 0.08)
ON_LINE = {"snow", "hum", "weave", "streaks"}
LIKE_DAMAGE = {"rows", "streaks"}
HIDING = 0.6
"""Of the picture that snow takes away: from there on nobody can say what else befalls the view."""
SPARE = 64
"""Pixels by which a field is larger than the picture: each frame shows another part."""
MAX_RISE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Noise:
    """What is added to every picture anew, for the length of an incident."""

    ramp: Ramp
    alike: tuple[str, ...]
    rng: Generator
    on_line: bool
    """Whether it comes in behind all that the camera does to its picture, rather than in the sensor."""
    field: Levels
    """[H + 64, W + 64, 1 or 3], grey levels"""
    fade: float
    """What is gone of the picture meanwhile"""
    waves: Levels | None
    """[2, H, W or 1, 1], a wave and the same a quarter later"""
    band: tuple[float, float, float] | None
    """How often rows of it come in a picture's height, how often they roll through a second, and their share"""
    hertz: float
    unsteady: float
    settles_seconds = 0.0

    @classmethod
    def draw(cls, incident: Incident, rng: Generator, width: int, height: int) -> "Noise":
        """A random noise for an incident."""
        manner = str(rng.choice(MANNERS, p=MANNER_SHARES))
        fade = log_uniform(rng, 0.15, 0.95) if manner == "snow" else 0.0
        banded = rng.random() < (0.4 if manner == "snow" else 0.1)
        band = (rng.uniform(0.5, 3), rng.uniform(-1, 1), rng.uniform(0.25, 0.7)) if banded else None
        waves = None
        if manner in {"hum", "weave"} or (manner in ON_LINE and rng.random() < 0.15):
            waves = _waves(rng, width, height, is_hum=manner != "weave")
        alike: tuple[str, ...] = ("glitch",) if manner in LIKE_DAMAGE or banded else ()
        alike += ("covered", "defocused", "moved", "activity") if fade > HIDING else ()
        return cls(
            random_ramp(incident, rng, MAX_RISE_SECONDS),
            alike,
            rng,
            manner in ON_LINE,
            _field(manner, rng, width + SPARE, height + SPARE, fade),
            fade,
            waves,
            band,
            log_uniform(rng, 0.3, 3.5),
            rng.uniform(0.1, 0.6) if rng.random() < 0.4 else 0.0,
        )

    def apply(self, picture: Picture, at_seconds: float) -> Picture:
        """The picture, [H, W, 3], with this frame's noise."""
        strength = self.ramp.strength(at_seconds)
        if strength == 0:
            return picture
        height, width = picture.shape[:2]
        y, x = self.rng.integers(0, SPARE, 2)
        noise = self.field[y : y + height, x : x + width]
        if self.waves is not None:
            phase = 2 * math.pi * self.hertz * at_seconds
            noise = noise + np.float32(math.cos(phase)) * self.waves[0] + np.float32(math.sin(phase)) * self.waves[1]
        share = np.float32(strength * (1 - self.unsteady * self.rng.random())) * self._rows(height, at_seconds)
        seen = picture * (1 - np.float32(self.fade) * share) + share * noise
        return np.asarray(np.clip(seen + 0.5, 0, 255), np.uint8)

    def _rows(self, height: int, at_seconds: float) -> Levels:
        """[H, 1, 1], how much of it comes in each row."""
        if self.band is None:
            return np.ones((1, 1, 1), np.float32)
        often, hertz, share = self.band
        turn = np.arange(height, dtype=np.float32) / height * np.float32(often) + np.float32(hertz * at_seconds)
        inside = np.float32(share) - np.abs(2 * (turn % 1) - 1)
        return np.asarray(np.clip(0.5 + 8 * inside, 0, 1)[:, None, None], np.float32)


def _field(manner: str, rng: Generator, width: int, height: int, fade: float) -> Levels:
    """Grey levels, [H, W, 1 or 3], about 0; of snow about a grey of its own."""
    colours = 3 if rng.random() < 0.45 and manner not in ON_LINE else 1
    shape = (height, width, colours)
    if manner == "specks":
        return np.where(rng.random(shape, np.float32) < log_uniform(rng, 0.008, 0.2), 180, 0) * _normal(rng, shape)
    if manner == "rows":
        lines = _normal(rng, (1, width, colours) if rng.random() < 0.4 else (height, 1, colours))
        return np.broadcast_to(log_uniform(rng, 12, 60) * lines + 4 * _normal(rng, shape), shape).astype(np.float32)
    if manner == "streaks":
        return _streaks(rng, width, height)
    if manner == "snow":
        along, grey = rng.uniform(0.01, 2), rng.uniform(80, 160)
        soft = np.asarray(cv2.GaussianBlur(_normal(rng, shape), (0, 0), along, sigmaY=0.01), np.float32)
        flakes = np.clip(grey + rng.uniform(50, 110) * (soft / soft.std()), 0, 255)
        return np.asarray(fade * flakes[..., None], np.float32)
    strength = log_uniform(rng, 12, 80) if manner == "grain" else rng.uniform(2, 12)
    noise = _normal(rng, shape)
    if rng.random() < 0.5:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), log_uniform(rng, 0.5, 3)), np.float32).reshape(shape)
    return noise * np.float32(strength / noise.std())


def _normal(rng: Generator, shape: tuple[int, int, int]) -> Levels:
    return rng.standard_normal(shape, np.float32)


def _streaks(rng: Generator, width: int, height: int) -> Levels:
    """Dashes along the rows, bright or dark, as from a worn tape or sparks nearby."""
    canvas = np.zeros((height, width), np.float32)
    bright = rng.random()
    for _ in range(round(log_uniform(rng, 60, 900))):
        x, y, long = int(rng.integers(0, width)), int(rng.integers(0, height)), log_uniform(rng, 0.02, 0.5) * width
        level = rng.uniform(80, 255) * (1 if rng.random() < bright else -1)
        cv2.line(canvas, (x, y), (x + int(long), y), level, int(rng.integers(1, 3)))
    return canvas[..., None]


def _waves(rng: Generator, width: int, height: int, *, is_hum: bool) -> Levels:
    """Bars that roll through the picture, or a fine slanting weave over it; they come back after a turn of phase."""
    y, x = np.mgrid[0:height, 0 : 1 if is_hum else width].astype(np.float32) / height
    if is_hum:
        turns = rng.uniform(0.5, 5) * y
    else:
        fine, angle = log_uniform(rng, 8, 70), rng.uniform(0, math.pi)
        turns = fine * (math.cos(angle) * x + math.sin(angle) * y)
    far = log_uniform(rng, 16, 90) if is_hum else log_uniform(rng, 14, 70)
    both = np.stack((np.sin(2 * math.pi * turns), np.cos(2 * math.pi * turns)))
    return np.asarray(far * both[..., None], np.float32)
