"""What gets before a lens: hands, cloths, spray, paper, leaves, films; wholly or partly, at once or slowly."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from training.scenes.backgrounds import Levels, clouds
from training.scenes.incidents import Incident, Ramp, random_ramp
from training.scenes.surfaces import surface_of

LOOKS = ("cloth", "skin", "spray", "paper", "leaf", "film", "plain", "board", "blobs", "strands", "drops")
LOOK_SHARES = (0.14, 0.12, 0.07, 0.06, 0.04, 0.1, 0.07, 0.19, 0.06, 0.08, 0.07)
PLAIN_SHARES = (0.2, 0.22, 0.12, 0.1, 0.08, 0.1, 0.18)
"""Of the first of these looks, where incidents are only shown."""
REACH = 6
"""Pixels that a cover may tremble to any side."""
SHEETS = ("cloth", "paper", "board")
"""Looks that come in from a side as they are, rather than spread."""
MAX_RISE_SECONDS, PLAIN_RISE_SECONDS = 8.0, 3.0
HARD, LEAST_SOFTNESS = 0.3, 0.001
"""How often a board's or a sheet's edge is sharp: straight ones look like those of a codec's blocks."""


@dataclass(frozen=True, slots=True)
class Cover:
    """Something before the lens, for the length of an incident."""

    ramp: Ramp
    alike: tuple[str, ...]
    arrival: Levels
    """the share of the picture that is covered by the time the cover reaches a pixel, 0 to 1; [H + 12, W + 12, 1]"""
    surface: Levels
    """[H + 12, W + 12, 3], BGR"""
    share: float
    """of the picture that it hides in the end"""
    opacity: float
    softness: float
    tremble: float
    """Pixels."""
    exposure: "Exposure"
    comes_from: tuple[float, float]
    """Where a sheet slides in from: right, down, in shares of the picture; (0, 0) for what spreads in place"""
    refracts: bool
    """Whether what is seen through it is the view itself, upside down and out of focus, as in a drop."""
    settles_seconds = 0.0

    @classmethod
    def draw(cls, incident: Incident, rng: Generator, width: int, height: int, *, is_plain: bool = False) -> "Cover":
        """A random cover for an incident; a plain one leaves no doubt what it is."""
        shares = PLAIN_SHARES if is_plain else LOOK_SHARES
        look = str(rng.choice(LOOKS[: len(shares)], p=shares))
        size = (width + 2 * REACH, height + 2 * REACH)
        angle = rng.uniform(0, 2 * math.pi)
        if look == "board":
            angle = math.pi / 2 * int(rng.integers(0, 4))
        arrival = _ranked(_shape(look, angle, rng, *size))
        surface = surface_of(look, rng, *size)
        share, softness, opacity = _extent(look, rng)
        tremble = rng.uniform(0.3, REACH - 1) if look in {"skin", "cloth", "leaf"} and rng.random() < 0.6 else 0.0
        slides = look in SHEETS and not is_plain and rng.random() < 0.7
        return cls(
            random_ramp(incident, rng, PLAIN_RISE_SECONDS if is_plain else MAX_RISE_SECONDS),
            {"film": ("defocused", "tint"), "drops": ("defocused",)}.get(look, ()),
            arrival[..., None],
            surface,
            share,
            opacity,
            softness,
            tremble,
            Exposure.draw(float(surface.mean()), rng, is_plain=is_plain),
            (math.cos(angle), math.sin(angle)) if slides else (0.0, 0.0),
            look == "drops",
        )

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture with the cover over it."""
        strength = self.ramp.strength(at_seconds)
        if strength == 0:
            return levels
        rows, columns = self._window(levels.shape[0], levels.shape[1], at_seconds)
        reached = strength * self.share * (1 + self.softness) - self.arrival[rows, columns]
        reach = np.clip(reached * np.float32(1 / self.softness), 0, 1) * np.float32(self.opacity)
        shown = _refracted(levels) if self.refracts else self._slid(strength)[rows, columns]
        covered = levels + reach * (shown - levels)
        gain = self.exposure.gain_at(at_seconds - self.ramp.incident.start_seconds, strength)
        return np.asarray(covered * np.float32(gain), np.float32)

    def _slid(self, strength: float) -> Levels:
        """The surface where it has come to: what leaves at one side comes in again at the other."""
        right, down = self.comes_from
        if not right and not down:
            return self.surface
        height, width = self.surface.shape[:2]
        far = strength * self.share * (abs(right) * width + abs(down) * height)
        return np.roll(self.surface, (round(down * far), round(right * far)), axis=(0, 1))

    def _window(self, height: int, width: int, at_seconds: float) -> tuple[slice, slice]:
        """The part of the cover that lies over the picture now."""
        x = REACH + round(self.tremble * math.sin(5.1 * at_seconds) * math.cos(1.3 * at_seconds))
        y = REACH + round(self.tremble * math.sin(3.7 * at_seconds + 1))
        return slice(y, y + height), slice(x, x + width)


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the camera's automatic exposure makes of a cover, after a while."""

    gain: float
    wait_seconds: float
    takes_seconds: float

    @classmethod
    def draw(cls, brightness: float, rng: Generator, *, is_plain: bool) -> "Exposure":
        """It makes up, at times, for what a cover of this brightness takes or adds; for a plain one only for that."""
        gain = 1.0
        if is_plain:
            gain = rng.uniform(1.1, 2.2) if brightness < 70 and rng.random() < 0.5 else 1.0
        elif rng.random() < 0.55:
            made_up = (110 / max(20.0, brightness)) ** rng.uniform(0.2, 0.9)
            gain = float(np.clip(made_up * np.exp(rng.normal(0, 0.2)), 0.4, 3.0))
        return cls(gain, rng.uniform(0.2, 0.8), rng.uniform(0.5, 2.0))

    def gain_at(self, since_seconds: float, strength: float) -> float:
        """For all light, so long after the cover has come."""
        risen = min(1.0, max(0.0, (since_seconds - self.wait_seconds) / self.takes_seconds))
        return 1 + (self.gain - 1) * strength * risen


def _extent(look: str, rng: Generator) -> tuple[float, float, float]:
    """The share of the picture that is hidden in the end, the edge's softness, and the opacity."""
    share = rng.uniform(0.55, 0.95) if look != "film" and rng.random() < 0.4 else 1.0
    softness, opacity = rng.uniform(0.02, 0.4), rng.uniform(0.93, 1)
    if look in {"blobs", "strands", "drops"}:
        share, softness = rng.uniform(0.35, 0.8), rng.uniform(0.01, 0.1)
        opacity = rng.uniform(0.6, 0.95) if rng.random() < 0.4 and look != "drops" else 1.0
    elif look == "board":
        share = rng.uniform(0.85, 1.0) if rng.random() < 0.7 else 1.0
        softness, opacity = rng.uniform(0.004, 0.05), rng.uniform(0.65, 0.95) if rng.random() < 0.3 else 1.0
    elif look == "film":
        softness, opacity = 4.0, rng.uniform(0.75, 0.97)
    elif look in {"paper", "leaf", "spray"}:
        softness = rng.uniform(0.02, 0.12)
    if look in {"board", "paper"} and rng.random() < HARD:
        softness = LEAST_SOFTNESS
    return share, softness, opacity


def _refracted(levels: Levels) -> Levels:
    """The view as drops show it."""
    small = cv2.resize(levels, (levels.shape[1] // 4, levels.shape[0] // 4), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small[::-1], (0, 0), levels.shape[0] / 90)
    return np.asarray(1.05 * cv2.resize(soft, (levels.shape[1], levels.shape[0])) + 8, np.float32)


def _shape(look: str, angle: float, rng: Generator, width: int, height: int) -> Levels:
    """What is covered first has the lowest values."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
    along = math.cos(angle) * x + math.sin(angle) * y
    across = -math.sin(angle) * x + math.cos(angle) * y
    if look == "skin":
        fingers = np.abs(np.sin(rng.uniform(4, 9) * across + rng.uniform(0, 3)))
        shape = along - rng.uniform(0.1, 0.4) * fingers + clouds(rng, width, height, 0.05)
    elif look == "spray":
        spots = np.full((height, width), 255, np.uint8)
        for _ in range(int(rng.integers(6, 60))):
            cv2.circle(spots, (int(rng.uniform(0, width)), int(rng.uniform(0, height))), int(rng.integers(1, 9)), 0, -1)
        shape = cv2.distanceTransform(spots, cv2.DIST_L2, 3) + clouds(rng, width, height, 5)
    elif look == "leaf":
        middle = rng.uniform(0.2, 0.8) * width / height, rng.uniform(0.2, 0.8)
        slim = rng.uniform(1, 2.5)
        away = (along - middle[0] * math.cos(angle) - middle[1] * math.sin(angle)) ** 2
        aside = (across + middle[0] * math.sin(angle) - middle[1] * math.cos(angle)) ** 2
        shape = np.sqrt(away + slim * aside) + clouds(rng, width, height, 0.03)
    elif look == "board":
        shape = along + (rng.uniform(-0.1, 0.1) if rng.random() < 0.6 else 0.0) * across
    elif look in {"blobs", "drops"}:
        shape = clouds(rng, width, height, 1.0, int(rng.integers(4, 15)))
    elif look == "strands":
        threads = _strands(rng, width, height)
        spread = rng.uniform(0, 1.5) * float(threads.std())  # at times the far ones come last
        shape = threads + spread * along + clouds(rng, width, height, 0.5)
    else:
        unevenness = {"paper": 0.0, "plain": rng.uniform(0, 0.3), "cloth": 0.25, "film": 1.0}[look]
        shape = along + clouds(rng, width, height, unevenness)
    return np.asarray(shape, np.float32)


def _strands(rng: Generator, width: int, height: int) -> Levels:
    """Distances from threads that run out from a point, or cross, and from those between them."""
    canvas = np.full((height, width), 255, np.uint8)
    middle = np.array((rng.uniform(-0.2, 1.2) * width, rng.uniform(-0.2, 1.2) * height))
    crossing = rng.random() < 0.4
    for angle in np.linspace(0, 2 * math.pi, int(rng.integers(9, 40)), endpoint=False) + rng.uniform(0, 1):
        ray = np.array((math.cos(angle), math.sin(angle))) * 2 * width
        start = rng.uniform(0, (width, height)) if crossing else middle
        cv2.line(canvas, (start - ray * crossing).astype(int).tolist(), (start + ray).astype(int).tolist(), 0, 1)
    if not crossing:
        for radius in np.arange(1, 30) * rng.uniform(0.03, 0.12) * height:
            cv2.circle(canvas, middle.astype(int).tolist(), int(radius), 0, 1)
    return np.asarray(cv2.distanceTransform(canvas, cv2.DIST_L2, 3), np.float32)


def _ranked(values: Levels) -> Levels:
    """Each pixel's rank from 0 to 1, so that a threshold covers just that share."""
    known = np.sort(values[::4, ::4], axis=None)
    return np.interp(values, known, np.linspace(0, 1, known.size)).astype(np.float32)
