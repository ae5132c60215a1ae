"""What looks like trouble and is none: headlights, what passes close to the lens, exposure, rain, swaying leaves."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
from numpy.random import Generator

from training.scenes.backgrounds import Levels, Picture, clouds, random_colour
from training.truth import Interval

VEHICLES = 0.4
"""Of what passes close to the lens; the others are people."""


class Nuisance(Protocol):
    """Changes the light that reaches the sensor."""

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture, [H, W, 3], with the nuisance in it."""
        ...


@dataclass(frozen=True, slots=True)
class Passer:
    """What passes close to the lens: somebody, large, blurred and dark, gone within two seconds, or a vehicle."""

    start_seconds: float
    lasts_seconds: float
    shape: Levels
    """[H, L, 1], how much of each pixel is hidden; drawn past the view from one side to the other"""
    colour: Levels
    """[3], or of each pixel, [H, L, 3]"""
    leftwards: bool
    upright: bool = False
    """Whether it comes from above or below: H and L lie the other way round."""

    @classmethod
    def draw(cls, rng: Generator, seconds: float, width: int, height: int) -> "Passer":
        """A random one within a clip."""
        if rng.random() < VEHICLES:
            return cls._vehicle(rng, seconds, width, height)
        long = int(width * rng.uniform(0.4, 1.2))
        y, x = np.mgrid[0:height, 0:long].astype(np.float32) / np.array([height, long])[:, None, None]
        edge = 1 - np.abs(2 * x - 1) + clouds(rng, long, height, 0.12) - rng.uniform(0, 0.8) * (1 - y)
        soft = rng.uniform(0.1, 0.5)
        shape = np.clip(edge / soft, 0, 1)[..., None].astype(np.float32)
        colour = np.array(random_colour(rng), np.float32) * rng.uniform(0.15, 0.7)
        lasts = rng.uniform(0.3, 2.0)
        return cls(rng.uniform(1, seconds - 3), lasts, shape, colour, bool(rng.random() < 0.5))

    @classmethod
    def _vehicle(cls, rng: Generator, seconds: float, width: int, height: int) -> "Passer":
        upright = bool(rng.random() < 0.5)
        across, along = (width, height) if upright else (height, width)
        long, wide = (int(side * rng.uniform(*share)) for side, share in ((along, (0.3, 0.8)), (across, (0.2, 0.7))))
        top = int(rng.integers(0, across - wide))
        shape, colour = np.zeros((across, long, 1), np.float32), np.zeros((across, long, 3), np.float32)
        body = np.zeros((wide, long), np.float32)
        corner = max(1, min(wide, long) // 4)
        cv2.rectangle(body, (corner, corner), (long - corner, wide - corner), 1.0, -1)
        shape[top : top + wide, :, 0] = cv2.GaussianBlur(cv2.dilate(body, np.ones((corner, corner))), (0, 0), 1.0)
        lacquer = np.array(random_colour(rng), np.float32) if rng.random() < 0.5 else np.full(3, 255, np.float32)
        colour[:] = lacquer * rng.uniform(0.3, 1.0) * (1 + clouds(rng, long, across, 0.1)[..., None])
        for first in rng.uniform(0.1, 0.8, 2):  # windows
            colour[top + wide // 5 : top + wide - wide // 5, int(first * long) : int((first + 0.15) * long)] *= 0.25
        start, lasts = rng.uniform(1, seconds - 3), rng.uniform(0.8, 5.0)
        return cls(start, lasts, shape, colour, bool(rng.random() < 0.5), upright)

    @property
    def interval(self) -> Interval:
        """When it is there: activity to some, nothing to others."""
        return Interval("activity", self.start_seconds, self.start_seconds + self.lasts_seconds)

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture with them before it."""
        if not self.interval.holds(at_seconds):
            return levels
        passed = levels.copy()
        along = passed.swapaxes(0, 1) if self.upright else passed
        width, long = along.shape[1], self.shape.shape[1]
        share = (at_seconds - self.start_seconds) / self.lasts_seconds
        left = int((1 - share if self.leftwards else share) * (width + long)) - long
        first, last = max(0, left), min(width, left + long)
        part = slice(first - left, last - left)
        colour = self.colour[:, part] if self.colour.ndim == 3 else self.colour
        along[:, first:last] += self.shape[:, part] * (colour - along[:, first:last])
        return passed


@dataclass(slots=True)
class Metering:
    """An automatic exposure that answers, in part and late, how light the view has become."""

    share: float
    """Of what the light changed by, as an exponent."""
    lag_seconds: float
    usual: float | None = None
    gain: float = 1.0
    at_seconds: float = 0.0

    @classmethod
    def draw(cls, rng: Generator) -> "Metering":
        """A random camera's."""
        return cls(rng.uniform(0.3, 1.2), rng.uniform(0.2, 1.5))

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture as it is exposed now; frames must come in order."""
        light = float(levels.mean()) + 1.0
        passed, self.at_seconds = at_seconds - self.at_seconds, at_seconds
        self.usual = light if self.usual is None else self.usual + (light - self.usual) * min(1.0, passed / 30)
        wanted = float(np.clip((self.usual / light) ** self.share, 0.5, 2.0))
        self.gain += (wanted - self.gain) * (1 - math.exp(-passed / self.lag_seconds))
        return np.asarray(levels * np.float32(self.gain), np.float32)


@dataclass(frozen=True, slots=True)
class Headlights:
    """A beam that sweeps through the picture."""

    start_seconds: float
    lasts_seconds: float
    power: float
    size: float
    y: float
    leftwards: bool

    @classmethod
    def draw(cls, rng: Generator, seconds: float) -> "Headlights":
        """A random one within a clip."""
        start, lasts = rng.uniform(0, seconds - 1), rng.uniform(0.5, 3.0)
        power, size, y = rng.uniform(60, 240), rng.uniform(0.08, 0.5), rng.uniform(0.2, 0.9)
        return cls(start, lasts, power, size, y, bool(rng.random() < 0.5))

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture with the light in it."""
        share = (at_seconds - self.start_seconds) / self.lasts_seconds
        if not 0 <= share < 1:
            return levels
        height, width = levels.shape[:2]
        y, x = np.mgrid[0:height:4, 0:width:4].astype(np.float32) / height
        middle = (1 - share if self.leftwards else share) * (width / height + 0.6) - 0.3
        spot = np.exp(-((x - middle) ** 2 + (y - self.y) ** 2) / self.size**2) + 0.15
        light = cv2.resize((self.power * math.sin(math.pi * share) * spot).astype(np.float32), (width, height))
        return np.asarray(levels + light[..., None], np.float32)


@dataclass(frozen=True, slots=True)
class Weather:
    """Rain or snow: streaks or flakes that are elsewhere in every frame."""

    rng: Generator
    streaks: Levels
    """[2 H, 2 W, 1], grey levels that they add"""

    @classmethod
    def draw(cls, rng: Generator, width: int, height: int) -> "Weather":
        """Random weather."""
        canvas = np.zeros((2 * height, 2 * width), np.uint8)
        snow, slant, bright = rng.random() < 0.4, rng.uniform(-0.3, 0.3), int(rng.integers(30, 110))
        for _ in range(int(rng.integers(80, 900))):
            x, y = int(rng.uniform(0, 2 * width)), int(rng.uniform(0, 2 * height))
            long = rng.uniform(4, 22) * height / 192
            if snow:
                cv2.circle(canvas, (x, y), int(rng.integers(0, 3)), bright, -1, cv2.LINE_AA)
            else:
                cv2.line(canvas, (x, y), (int(x + slant * long), int(y + long)), bright, 1, cv2.LINE_AA)
        return cls(rng, cv2.GaussianBlur(canvas, (0, 0), 0.6).astype(np.float32)[..., None])

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture with this frame's drops."""
        del at_seconds
        height, width = levels.shape[:2]
        y, x = int(self.rng.integers(0, height)), int(self.rng.integers(0, width))
        return levels + self.streaks[y : y + height, x : x + width]


@dataclass(frozen=True, slots=True)
class Sway:
    """A part of the picture that sways as leaves in the wind do."""

    box: tuple[int, int, int, int]
    """left, top, right, bottom"""
    reach: Levels
    """[h, w, 2], pixels"""
    hertz: float

    @classmethod
    def draw(cls, rng: Generator, width: int, height: int) -> "Sway":
        """A random part."""
        wide, high = (int(side * rng.uniform(0.2, 0.7)) for side in (width, height))
        left, top = int(rng.integers(0, width - wide)), int(rng.integers(0, height - high))
        rim = np.minimum(np.hanning(high)[:, None], np.hanning(wide)[None, :])
        reach = np.stack([clouds(rng, wide, high, 1.0) * rim for _ in range(2)], axis=-1)
        power = rng.uniform(0.5, 3) * height / 192
        return cls((left, top, left + wide, top + high), (power * reach).astype(np.float32), rng.uniform(0.2, 1.5))

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture with the part where the wind has it."""
        left, top, right, bottom = self.box
        phase = 2 * math.pi * self.hertz * at_seconds
        y, x = np.mgrid[0 : bottom - top, 0 : right - left].astype(np.float32)
        from_x = x + self.reach[..., 0] * np.float32(math.sin(phase))
        from_y = y + self.reach[..., 1] * np.float32(math.sin(1.3 * phase + 1))
        swayed = levels.copy()
        part = np.ascontiguousarray(levels[top:bottom, left:right])
        swayed[top:bottom, left:right] = cv2.remap(
            part, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return swayed


@dataclass(slots=True)
class Rhythm:
    """A camera that gives fewer pictures than are asked for, or skips some: what comes in between is the last one."""

    rng: Generator
    every: int
    """Each picture stands for this many frames."""
    missing: float
    """The share of frames that are skipped beside that."""
    last: Picture | None = field(default=None)

    @classmethod
    def draw(cls, rng: Generator) -> "Rhythm":
        """A random camera's; most give every picture."""
        every = int(rng.integers(2, 5)) if rng.random() < 0.1 else 1
        return cls(rng, every, rng.uniform(0.02, 0.15) if rng.random() < 0.15 else 0.0)

    def apply(self, index: int, picture: Picture) -> Picture:
        """What is seen in the place of the index-th picture."""
        if self.last is not None and (index % self.every or (self.missing and self.rng.random() < self.missing)):
            return self.last
        self.last = picture
        return picture


def random_nuisances(rng: Generator, seconds: float, size: tuple[int, int], *, real: bool) -> Iterator[Nuisance]:
    """What disturbs a clip: nothing in most, now and then several things; footage has its own wind and rain."""
    width, height = size
    if not real and rng.random() < 0.12:
        yield Sway.draw(rng, width, height)
    if rng.random() < 0.12:
        yield from (Headlights.draw(rng, seconds) for _ in range(int(rng.integers(1, 4))))
    if rng.random() < 0.22 and seconds > 4:
        yield from (Passer.draw(rng, seconds, width, height) for _ in range(int(rng.integers(1, 4))))
    if rng.random() < 0.05:
        yield Weather.draw(rng, width, height)
    if rng.random() < 0.3:
        yield Metering.draw(rng)
