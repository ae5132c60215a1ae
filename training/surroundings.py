"""How a camera stands, how its scene is lit and how its sensor sees: what changes without being an incident."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from training.backgrounds import Levels, Picture
from training.incidents import Incident

MARGIN = 1.6
"""The painted world is this many times as large as the view."""


@dataclass(frozen=True, slots=True)
class View:
    """Where a camera looks: shift in shares of the view's height, angle in degrees, zoom."""

    x: float = 0.0
    y: float = 0.0
    angle: float = 0.0
    zoom: float = 1.0

    def towards(self, other: "View", share: float) -> "View":
        """The view on the way to another one."""
        mixed = (a + share * (b - a) for a, b in zip(self.values, other.values, strict=True))
        return View(*mixed)

    @property
    def values(self) -> tuple[float, float, float, float]:
        """All four figures in a row."""
        return self.x, self.y, self.angle, self.zoom

    def changed(self, rng: Generator) -> "View":
        """A clearly different view of the same world: shifted, turned, both, or closer."""
        kind = rng.integers(0, 4)
        x, y = self.x, self.y
        if kind in (0, 3):
            while math.dist((x, y), (self.x, self.y)) < 0.1:
                x, y = rng.uniform(-0.25, 0.25, 2)
        turn = rng.uniform(6, 20) * rng.choice((-1, 1)) if kind in (1, 3) else rng.uniform(-1, 1)
        angle = self.angle + turn if abs(self.angle + turn) < 25 else self.angle - turn
        closer = rng.uniform(1.15, 1.5) if kind == 2 else 1.0
        zoom = self.zoom * closer if self.zoom * closer < 1.8 else self.zoom / closer
        return View(float(x), float(y), float(angle), float(zoom))


class Camera:
    """Looks at a painted world: steadily, trembling a little, or knocked aside by `moved` incidents."""

    def __init__(self, world: Picture, size: tuple[int, int], incidents: Sequence[Incident], rng: Generator) -> None:
        self._world, self._size = world, size
        self._tremble = rng.uniform(0.1, 0.7) if rng.random() < 0.12 else 0.0
        self._tremble_hertz = rng.uniform(0.5, 5)
        self._jumps: list[tuple[float, float, View]] = []
        view = self._first = View(angle=rng.uniform(-2, 2), zoom=rng.uniform(1.02, 1.12))
        for incident in incidents:
            view = view.changed(rng)
            self._jumps.append((incident.start_seconds, rng.choice((0.01, 0.15, 0.4, 0.8)), view))
        self._kept: tuple[View, Picture] | None = None

    def look(self, at_seconds: float) -> Picture:
        """The still scene as seen at that time; the caller must not write into it."""
        view = self._view(at_seconds)
        if self._tremble:
            phase = 2 * math.pi * self._tremble_hertz * at_seconds
            reach = self._tremble / 192
            view = View(view.x + reach * math.sin(phase), view.y + reach * math.sin(1.7 * phase), view.angle, view.zoom)
        if self._kept is None or self._kept[0] != view:
            self._kept = view, self._seen(view)
        return self._kept[1]

    def _view(self, at_seconds: float) -> View:
        view = self._first
        for start, lasts, then in self._jumps:
            view = view.towards(then, float(np.clip((at_seconds - start) / lasts, 0, 1)))
        return view

    def _seen(self, view: View) -> Picture:
        width, height = self._size
        rows, columns = self._world.shape[:2]
        matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), view.angle, view.zoom)
        matrix[:, 2] += (width / 2 - columns / 2 + view.x * height, height / 2 - rows / 2 + view.y * height)
        return np.asarray(
            cv2.warpAffine(self._world, matrix, self._size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT),
            np.uint8,
        )


class Lighting:
    """Light that drifts, flickers, steps and wanders, but never goes out."""

    def __init__(self, rng: Generator, seconds: float, size: tuple[int, int]) -> None:
        self._drift = rng.uniform(0, 0.15), rng.uniform(8, 60), rng.uniform(0, 2 * math.pi)
        self._flicker = rng.uniform(0, 0.02) if rng.random() < 0.25 else 0.0
        self._steps: list[tuple[float, float, Levels]] = []
        for _ in range(int(rng.integers(1, 3)) if rng.random() < 0.3 else 0):
            gain = rng.uniform(0.6, 1.45) * rng.uniform(0.95, 1.05, 3)
            self._steps.append((rng.uniform(1, seconds), rng.uniform(0.05, 1.5), gain.astype(np.float32)))
        self._spot = rng.uniform(-0.25, 0.35) if rng.random() < 0.2 else 0.0
        self._spot_speed, self._spot_size = rng.uniform(0.02, 0.4), rng.uniform(0.2, 0.6)
        width, height = size
        self._grid = np.mgrid[0:height:4, 0:width:4].astype(np.float32) / height
        self._size = size

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture under the light of that time."""
        depth, period, phase = self._drift
        gain = np.full(3, 1 + depth * math.sin(2 * math.pi * at_seconds / period + phase), np.float32)
        gain *= np.float32(1 + self._flicker * math.sin(40 * at_seconds))
        for start, lasts, step in self._steps:
            gain *= 1 + np.float32(np.clip((at_seconds - start) / lasts, 0, 1)) * (step - 1)
        lit = levels * gain
        if self._spot:
            lit *= self._spot_gain(at_seconds)
        return np.asarray(lit, np.float32)

    def _spot_gain(self, at_seconds: float) -> Levels:
        y, x = self._grid
        middle = (self._spot_speed * at_seconds) % 2.4 - 0.5
        spot = 1 + self._spot * np.exp(-((x - middle) ** 2 + (y - 0.5) ** 2) / self._spot_size**2)
        return np.asarray(cv2.resize(spot, self._size), np.float32)[..., None]


class Sensor:
    """Turns light into numbers: noise that is new in every frame, a darker rim, grey at times."""

    def __init__(self, rng: Generator, size: tuple[int, int], min_noise: float) -> None:
        width, height = size
        self._rng = rng
        self._sigma = rng.uniform(min_noise, 7) if rng.random() < 0.55 else max(min_noise, rng.uniform(0, 1.5))
        self._grey = rng.random() < 0.2
        pool = rng.standard_normal((4, height + 64, width + 64, 1 if self._grey or rng.random() < 0.4 else 3))
        grain = rng.uniform(0.5, 0.9) if rng.random() < 0.4 else 0.0
        self._pool = [self._grained(noise.astype(np.float32), grain) for noise in pool]
        y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
        distance = (x - width / height / 2) ** 2 + (y - 0.5) ** 2
        self._rim = (1 - rng.uniform(0, 0.4) * distance)[..., None].astype(np.float32)

    def _grained(self, noise: Levels, grain: float) -> Levels:
        if grain:
            noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), grain), np.float32).reshape(noise.shape)
        return noise * np.float32(self._sigma / noise.std())

    def expose(self, levels: Levels) -> Picture:
        """The frame, uint8 BGR."""
        height, width = levels.shape[:2]
        y, x = self._rng.integers(0, 64, 2)
        noise = self._pool[int(self._rng.integers(0, 4))][y : y + height, x : x + width]
        if self._grey:
            levels = np.asarray(cv2.cvtColor(levels, cv2.COLOR_BGR2GRAY), np.float32)[..., None]
        seen = np.clip(levels * self._rim + noise + 0.5, 0, 255).astype(np.uint8)
        return seen if seen.shape[2] == 3 else np.asarray(cv2.cvtColor(seen, cv2.COLOR_GRAY2BGR), np.uint8)
