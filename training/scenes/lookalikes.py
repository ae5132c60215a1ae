"""What could be taken for glare, noise, a tint or shaking and is none of them: lamps, flashes, nightfall, showers."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from training.scenes.backgrounds import Levels
from training.scenes.glares import Glare
from training.scenes.incidents import Incident, Ramp
from training.scenes.nuisances import Nuisance, Weather
from training.scenes.seeds import log_uniform
from training.scenes.shakes import Shake

MOST_FLASH_SECONDS = 1.3
MOST_JOLT_SECONDS = 0.9
SPARE = 32


@dataclass(frozen=True, slots=True)
class Nightfall:
    """A camera that sees by night: its picture goes grey, a little darker and grainy, and back in colour at times."""

    start_seconds: float
    until_seconds: float
    lasts_seconds: float
    light: float
    grain: Levels
    """[H + 32, W + 32, 1]"""

    @classmethod
    def draw(cls, rng: Generator, seconds: float, width: int, height: int) -> "Nightfall":
        """A random one within a clip; at times it is night when it begins."""
        start = rng.uniform(-seconds / 2, seconds)
        until = start + rng.uniform(0.2, 1.5) * seconds
        grain = rng.standard_normal((height + SPARE, width + SPARE, 1), np.float32) * np.float32(rng.uniform(0, 6))
        return cls(start, until, log_uniform(rng, 0.1, 1.5), rng.uniform(0.65, 1.15), grain)

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture, [H, W, 3], as far as it is night."""
        come, gone = (
            min(1.0, max(0.0, (at_seconds - since) / self.lasts_seconds))
            for since in (self.start_seconds, self.until_seconds)
        )
        if come == gone:
            return levels
        y, x = (int(at_seconds * speed) % SPARE for speed in (997, 1409))
        grey = np.asarray(cv2.cvtColor(levels, cv2.COLOR_BGR2GRAY), np.float32)[..., None] * np.float32(self.light)
        grey += self.grain[y : y + levels.shape[0], x : x + levels.shape[1]]
        return np.asarray(levels + np.float32(come - gone) * (grey - levels), np.float32)


@dataclass(frozen=True, slots=True)
class ColouredLight:
    """A sign, a brake light or a blue lamp that colours a part of the view, steadily or blinking."""

    start_seconds: float
    lasts_seconds: float
    light: Levels
    """[H, W, 3]"""
    hertz: float
    """How often it blinks; 0 where it does not"""

    @classmethod
    def draw(cls, rng: Generator, seconds: float, width: int, height: int) -> "ColouredLight":
        """A random one within a clip."""
        y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
        away = np.hypot(x - rng.uniform(0, width / height), y - rng.uniform(0, 1)) / log_uniform(rng, 0.06, 0.35)
        colour = np.where(rng.permutation(3) < int(rng.integers(1, 3)), rng.uniform(0.6, 1, 3), rng.uniform(0, 0.3, 3))
        light = rng.uniform(70, 240) * np.exp(-(away**2))[..., None] * colour
        blinks = log_uniform(rng, 0.5, 3) if rng.random() < 0.4 else 0.0
        return cls(rng.uniform(0, seconds), log_uniform(rng, 1, 2 * seconds), light.astype(np.float32), blinks)

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture, [H, W, 3], with the light on it."""
        since = at_seconds - self.start_seconds
        if not 0 <= since < self.lasts_seconds or math.sin(2 * math.pi * self.hertz * since) < 0:
            return levels
        return np.asarray(cv2.magnitude(levels, self.light), np.float32)


@dataclass(frozen=True, slots=True)
class Shower:
    """Rain or snow that begins while somebody looks."""

    weather: Weather
    start_seconds: float
    rise_seconds: float

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture, [H, W, 3], with this frame's drops."""
        share = min(1.0, (at_seconds - self.start_seconds) / self.rise_seconds)
        if share <= 0:
            return levels
        return np.asarray(levels + np.float32(share) * (self.weather.apply(levels, at_seconds) - levels), np.float32)


def random_lookalikes(rng: Generator, seconds: float, size: tuple[int, int]) -> Iterator[Nuisance]:
    """Of the things that change light and are no incident: none in most clips."""
    if rng.random() < 0.05:  # a lamp in the view since the beginning
        always = Ramp(Incident("glare", -seconds, 2 * seconds))
        yield Glare.draw(always, rng, *size, shares=(0.03, 0.25), least_answer=0.7)
    for _ in range(int(rng.integers(1, 4)) if rng.random() < 0.06 else 0):
        start = rng.uniform(1, max(2, seconds - 1))
        flash = Ramp(Incident("glare", start, start + log_uniform(rng, 0.1, MOST_FLASH_SECONDS)))
        yield Glare.draw(flash, rng, *size, shares=(0.05, 0.95), least_answer=0.7)
    if rng.random() < 0.05:
        yield ColouredLight.draw(rng, seconds, *size)
    if rng.random() < 0.05:
        yield Nightfall.draw(rng, seconds, *size)
    if rng.random() < 0.04:
        yield Shower(Weather.draw(rng, *size), rng.uniform(0, seconds), log_uniform(rng, 0.3, 8))


def random_jolts(rng: Generator, seconds: float) -> list[Shake]:
    """Short knocks after which a camera stands as it stood: none in most clips."""
    starts = rng.uniform(1, max(2, seconds - 1), int(rng.integers(1, 4)) if rng.random() < 0.08 else 0)
    return [
        Shake.draw(Incident("shake", start, start + rng.uniform(0.2, MOST_JOLT_SECONDS)), rng)
        for start in starts.tolist()
    ]
