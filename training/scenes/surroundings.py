"""How a camera stands and how its scene is lit."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from training.scenes.backdrops import MARGIN, MAX_ENLARGEMENT, Backdrop
from training.scenes.backgrounds import Levels, Picture
from training.scenes.incidents import Incident
from training.scenes.seeds import log_uniform

JUMP_SECONDS = (0.01, 0.01, 0.15, 0.15, 0.4, 0.8, 1.2, 2.0)
LEAST_SHIFT, TURNS = 0.07, (3.0, 22.0)
"""Of a knock: shares of the height, and degrees."""
SWINGS = 0.3
"""How often a knocked camera swings to its new place."""
LEAST_LIGHT = 0.45
"""Drifts and steps leave at least this share of the light: less is for lights that go out."""


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
        """A clearly different view of the same world: shifted, turned, closer or farther, or several of these."""
        kind = int(rng.integers(0, 5))
        shifts, turns, zooms = kind in {0, 3, 4}, kind in {1, 3, 4}, kind in {2, 4}
        x, y = self.x, self.y
        if shifts:
            while math.dist((x, y), (self.x, self.y)) < LEAST_SHIFT:
                x, y = rng.uniform(-0.3, 0.3, 2)
        turn = log_uniform(rng, *TURNS) * rng.choice((-1, 1)) if turns else rng.uniform(-1, 1)
        angle = self.angle + turn if abs(self.angle + turn) < 28 else self.angle - turn
        closer = rng.uniform(1.12, 1.5) if zooms else 1.0
        zoom = self.zoom * closer if self.zoom * closer < 1.8 else self.zoom / closer
        return View(float(x), float(y), float(angle), float(zoom))


@dataclass(frozen=True, slots=True)
class Jump:
    """A camera that is knocked: from one view to another, of the same world or of another one."""

    start_seconds: float
    lasts_seconds: float
    view: View
    other: Backdrop | None
    """What it looks at from then on, where that is something else."""
    slide: float
    """How far the picture slides while it goes over to another world, in shares of its height."""
    swing: float = 0.0
    """By what share it goes too far at first."""

    def share(self, at_seconds: float) -> float:
        """How much of it is done, 0 to 1."""
        return float(np.clip((at_seconds - self.start_seconds) / self.lasts_seconds, 0, 1))

    def swung(self, at_seconds: float) -> float:
        """The same of a camera that swings until it comes to rest."""
        since = max(0.0, at_seconds - self.start_seconds)
        return self.share(at_seconds) * (1 + self.swing * math.exp(-3 * since) * math.sin(14 * since))


def random_jumps(
    incidents: Sequence[Incident], first: View, other: Callable[[], Backdrop], rng: Generator
) -> list[Jump]:
    """A jump for each `moved` incident; `other` gives another world."""
    jumps, view = [], first
    for incident in incidents:
        view = view.changed(rng)
        world = other() if rng.random() < 0.3 else None
        lasts = float(rng.choice(JUMP_SECONDS))
        swing = float(rng.uniform(0.2, 0.8)) if rng.random() < SWINGS else 0.0
        jumps.append(Jump(incident.start_seconds, lasts, view, world, float(rng.choice((-0.9, 0.9))), swing))
    return jumps


class Camera:
    """Looks at a world: steadily, trembling a little, or knocked aside by `moved` incidents."""

    def __init__(
        self,
        backdrop: Backdrop,
        size: tuple[int, int],
        first: View,
        jumps: Sequence[Jump],
        rng: Generator,
        *,
        shaken: bool = False,
    ) -> None:
        self._backdrop, self._size, self._first, self._jumps = backdrop, size, first, jumps
        self._tremble = rng.uniform(0.1, 0.7) if rng.random() < 0.12 else 0.0
        self._tremble_hertz = rng.uniform(0.5, 5)
        self._margin = rng.uniform(1.15, 1.5) if jumps or shaken else rng.uniform(1.0, 1.4)
        self._kept: tuple[View, Picture, Picture] | None = None

    def look(self, at_seconds: float, offset: Sequence[float] = (0.0, 0.0, 0.0)) -> Picture:
        """The scene as seen at that time; the caller must not write into it. The same array: nothing changed.

        offset: how far to the right and down it is shaken, in shares of the height, and by how many degrees.
        """
        view, backdrop = self._view(at_seconds)
        if any(offset):
            view = View(view.x + offset[0], view.y + offset[1], view.angle + offset[2], view.zoom)
        if self._tremble:
            phase = 2 * math.pi * self._tremble_hertz * at_seconds
            reach = self._tremble / 192
            view = View(view.x + reach * math.sin(phase), view.y + reach * math.sin(1.7 * phase), view.angle, view.zoom)
        world = backdrop.picture(at_seconds)
        if self._kept is None or self._kept[0] != view or self._kept[1] is not world:
            self._kept = view, world, self._seen(view, world)
        return self._kept[2]

    def _view(self, at_seconds: float) -> tuple[View, Backdrop]:
        view, backdrop = self._first, self._backdrop
        for jump in self._jumps:
            share = jump.share(at_seconds)
            if share == 0 and at_seconds < jump.start_seconds:
                continue
            if jump.other is None:
                view = view.towards(jump.view, jump.swung(at_seconds))
                continue
            if share > 0.5 or jump.lasts_seconds < 0.1:
                view, backdrop = jump.view, jump.other
            slid = 0.0 if jump.lasts_seconds < 0.1 else jump.slide * (share if share <= 0.5 else share - 1)
            view = View(view.x + slid, view.y, view.angle, view.zoom)
        return view, backdrop

    def _seen(self, view: View, world: Picture) -> Picture:
        width, height = self._size
        rows, columns = world.shape[:2]
        fits = max(width / columns, height / rows)
        scale = max(fits, min(MAX_ENLARGEMENT, fits * self._margin)) if fits * MARGIN > 1.01 else fits * MARGIN
        matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), view.angle, scale * view.zoom)
        matrix[:, 2] += (width / 2 - columns / 2 + view.x * height, height / 2 - rows / 2 + view.y * height)
        return np.asarray(
            cv2.warpAffine(world, matrix, self._size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT),
            np.uint8,
        )


class Lighting:
    """Light that drifts, flickers, steps, wanders and fades into dusk, but never goes out."""

    def __init__(self, rng: Generator, seconds: float, size: tuple[int, int]) -> None:
        self._drift = rng.uniform(0, 0.15), rng.uniform(8, 60), rng.uniform(0, 2 * math.pi)
        self._flicker = rng.uniform(0, 0.02) if rng.random() < 0.25 else 0.0
        self._steps: list[tuple[float, float, Levels]] = []
        for _ in range(int(rng.integers(1, 3)) if rng.random() < 0.3 else 0):
            gain = np.exp(rng.uniform(-0.6, 0.5)) * rng.uniform(0.95, 1.05, 3)
            self._steps.append((rng.uniform(1, seconds), rng.uniform(0.05, 1.5), gain.astype(np.float32)))
        if rng.random() < 0.06:
            dusk = rng.uniform(0.45, 0.8) * np.array((rng.uniform(1, 1.2), 1, 0.95))
            self._steps.append((rng.uniform(0, 8), rng.uniform(12, max(13, seconds)), dusk.astype(np.float32)))
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
        lit = levels * np.maximum(gain, np.float32(LEAST_LIGHT))
        if self._spot:
            lit *= self._spot_gain(at_seconds)
        return np.asarray(lit, np.float32)

    def _spot_gain(self, at_seconds: float) -> Levels:
        y, x = self._grid
        middle = (self._spot_speed * at_seconds) % 2.4 - 0.5
        spot = 1 + self._spot * np.exp(-((x - middle) ** 2 + (y - 0.5) ** 2) / self._spot_size**2)
        return np.asarray(cv2.resize(spot, self._size), np.float32)[..., None]
