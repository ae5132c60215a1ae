"""What gets before a lens: hands, cloths, spray, paper, leaves, films; wholly or partly, at once or slowly."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from training.scenes.backgrounds import Levels, random_colour
from training.scenes.incidents import Incident, Ramp, random_ramp

LOOKS = ("cloth", "skin", "spray", "paper", "leaf", "film", "plain", "board", "blobs", "strands")
LOOK_SHARES = (0.13, 0.14, 0.09, 0.08, 0.05, 0.1, 0.1, 0.17, 0.08, 0.06)
PLAIN_SHARES = (0.2, 0.22, 0.12, 0.1, 0.08, 0.1, 0.18)
"""Of the first of these looks, where incidents are only shown."""
REACH = 6
"""Pixels that a cover may tremble to any side."""
SKINS = ((120, 150, 205), (95, 125, 180), (70, 95, 150), (45, 65, 105), (30, 40, 65))
MAX_RISE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Cover:
    """Something before the lens, for the length of an incident."""

    ramp: Ramp
    alike: str | None
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
    exposure: float
    """What the camera's automatic exposure makes of the rest, as a gain."""

    @classmethod
    def draw(cls, incident: Incident, rng: Generator, width: int, height: int, *, is_plain: bool = False) -> "Cover":
        """A random cover for an incident; a plain one leaves no doubt what it is."""
        shares = PLAIN_SHARES if is_plain else LOOK_SHARES
        look = str(rng.choice(LOOKS[: len(shares)], p=shares))
        size = (width + 2 * REACH, height + 2 * REACH)
        arrival = _ranked(_shape(look, rng, *size))
        surface = _lit(_surface(look, rng, *size), look, rng, *size)
        share = rng.uniform(0.55, 0.95) if look != "film" and rng.random() < 0.4 else 1.0
        softness, opacity = rng.uniform(0.02, 0.4), rng.uniform(0.93, 1)
        if look in {"blobs", "strands"}:
            share, softness = rng.uniform(0.35, 0.8), rng.uniform(0.01, 0.1)
            opacity = rng.uniform(0.6, 0.95) if rng.random() < 0.4 else 1.0
        if look == "board":
            share = rng.uniform(0.85, 1.0) if rng.random() < 0.7 else 1.0
            softness, opacity = rng.uniform(0.004, 0.05), rng.uniform(0.7, 0.95) if rng.random() < 0.2 else 1.0
        if look == "film":
            softness, opacity = 4.0, rng.uniform(0.8, 0.97)
        elif look in {"paper", "leaf", "spray"}:
            softness = rng.uniform(0.02, 0.12)
        tremble = rng.uniform(0.3, REACH - 1) if look in {"skin", "cloth", "leaf"} and rng.random() < 0.6 else 0.0
        exposure = _exposure(float(surface.mean()), rng, is_plain=is_plain)
        ramp = random_ramp(incident, rng, MAX_RISE_SECONDS)
        return cls(
            ramp,
            "defocused" if look == "film" else None,
            arrival[..., None],
            surface,
            share,
            opacity,
            softness,
            tremble,
            exposure,
        )

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture with the cover over it."""
        strength = self.ramp.strength(at_seconds)
        if strength == 0:
            return levels
        rows, columns = self._window(levels.shape[0], levels.shape[1], at_seconds)
        reached = strength * self.share * (1 + self.softness) - self.arrival[rows, columns]
        reach = np.clip(reached * np.float32(1 / self.softness), 0, 1) * np.float32(self.opacity)
        covered = levels + reach * (self.surface[rows, columns] - levels)
        since = at_seconds - self.ramp.incident.start_seconds - 0.5
        adapted = 1 + (self.exposure - 1) * strength * min(1.0, max(0.0, since))
        return np.asarray(covered * np.float32(adapted), np.float32)

    def _window(self, height: int, width: int, at_seconds: float) -> tuple[slice, slice]:
        """The part of the cover that lies over the picture now."""
        x = REACH + round(self.tremble * math.sin(5.1 * at_seconds) * math.cos(1.3 * at_seconds))
        y = REACH + round(self.tremble * math.sin(3.7 * at_seconds + 1))
        return slice(y, y + height), slice(x, x + width)


def clouds(rng: Generator, width: int, height: int, strength: float, cells: int = 5) -> Levels:
    """Soft random variation about zero, [height, width]."""
    noise = rng.standard_normal((cells, cells + 2), np.float32) * np.float32(strength)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _shape(look: str, rng: Generator, width: int, height: int) -> Levels:
    """What is covered first has the lowest values."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
    angle = rng.uniform(0, 2 * math.pi)
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
        straight = x if rng.random() < 0.5 else y
        shape = (straight if rng.random() < 0.5 else -straight) + rng.uniform(0, 0.1) * along
    elif look == "blobs":
        shape = clouds(rng, width, height, 1.0, int(rng.integers(4, 15)))
    elif look == "strands":
        shape = _strands(rng, width, height) + clouds(rng, width, height, 0.5)
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


def _exposure(brightness: float, rng: Generator, *, is_plain: bool) -> float:
    """The camera makes up, at times, for what the cover takes or adds; a plain one only takes."""
    if is_plain:
        return rng.uniform(1.1, 2.2) if brightness < 70 and rng.random() < 0.5 else 1.0
    if rng.random() < 0.5:
        return float(np.clip((110 / max(20.0, brightness)) ** rng.uniform(0.2, 0.8), 0.5, 2.2))
    return 1.0


def _ranked(values: Levels) -> Levels:
    """Each pixel's rank from 0 to 1, so that a threshold covers just that share."""
    known = np.sort(values[::4, ::4], axis=None)
    return np.interp(values, known, np.linspace(0, 1, known.size)).astype(np.float32)


def _surface(look: str, rng: Generator, width: int, height: int) -> Levels:
    colour = np.array(random_colour(rng), np.float32) * rng.uniform(0.25, 1.0) + rng.uniform(2, 20)
    if look == "skin":
        colour = np.array(SKINS[int(rng.integers(0, len(SKINS)))], np.float32) * rng.uniform(0.25, 1.1)
    elif look == "paper":
        colour = np.array((235, 240, 240), np.float32) * rng.uniform(0.4, 1.0) * rng.uniform(0.92, 1.05, 3)
    elif look == "leaf":
        colour = np.array((40, 120, 70), np.float32) * rng.uniform(0.3, 1.3) * rng.uniform(0.7, 1.3, 3)
    elif look == "plain" and rng.random() < 0.6:
        colour = np.full(3, rng.uniform(0, 25), np.float32)
    elif look == "board":
        tint = rng.uniform(0.9, 1.1, 3) if rng.random() < 0.5 else rng.uniform(0.3, 1.3, 3)
        colour = np.clip(rng.uniform(2, 250) * tint, 0, 255).astype(np.float32)
    texture = clouds(rng, width, height, rng.uniform(0, 0.06) if look == "board" else rng.uniform(0.02, 0.25))
    if look in {"cloth", "leaf", "paper"}:
        texture = texture + _pattern(look, rng, width, height)
    return np.asarray(colour * (1 + texture[..., None]), np.float32)


def _pattern(look: str, rng: Generator, width: int, height: int) -> Levels:
    """Weave and folds, veins, or lines of print."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
    if look == "paper":
        rows = (np.sin(rng.uniform(60, 140) * y) > 0.3) & (clouds(rng, width, height, 1, 24) > -0.2)
        return np.asarray(-rng.uniform(0, 0.35) * rows, np.float32)
    angle, fine = rng.uniform(0, math.pi), rng.uniform(12, 120)
    along = math.cos(angle) * x + math.sin(angle) * y + clouds(rng, width, height, 0.02)
    folds = rng.uniform(0.03, 0.25) * np.sin(rng.uniform(4, 20) * along) if look == "cloth" else 0.0
    return np.asarray(folds + rng.uniform(0, 0.15) * np.sin(fine * along) * np.sin(fine * (x - y)), np.float32)


def _lit(surface: Levels, look: str, rng: Generator, width: int, height: int) -> Levels:
    """The surface with the light that comes past its edge or, reddish, through it."""
    if look in {"paper", "leaf"} or rng.random() < 0.5:
        return np.clip(surface, 0, 255)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
    angle = rng.uniform(0, 2 * math.pi)
    leak = np.clip(math.cos(angle) * (x - 0.6) + math.sin(angle) * (y - 0.5) + rng.uniform(-0.3, 0.3), 0, 1)
    tint = (40, 60, 160) if look == "skin" else (150, 150, 150)
    glow = leak[..., None] * np.array(tint, np.float32) * rng.uniform(0.2, 1.0)
    return np.asarray(np.clip(surface + glow, 0, 255), np.float32)
