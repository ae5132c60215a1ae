"""What a camera looks at before anything happens: a painted scene, a real still, or real footage that runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.random import Generator

from training.scenes.backgrounds import Picture, paint_background
from training.scenes.footage import FPS, Film, random_film

MARGIN = 1.6
"""A painted world is this many times as large as the view."""
MAX_ENLARGEMENT = 1.3


class Backdrop(Protocol):
    """A world that a camera looks at."""

    @property
    def moving(self) -> bool:
        """Whether things may move in it that nobody has labelled."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of its pictures."""
        ...

    def picture(self, at_seconds: float) -> Picture:
        """The world at that time; the caller must not write into it. The same array means that nothing changed."""
        ...


@dataclass(frozen=True, slots=True)
class Still:
    """A world in which nothing moves by itself."""

    world: Picture
    moving = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.world.shape[1], self.world.shape[0]

    def picture(self, at_seconds: float) -> Picture:
        """The same picture at any time."""
        del at_seconds
        return self.world


@dataclass(slots=True)
class RunningFootage:
    """A stretch of real footage; where it is short it plays forth and back."""

    film: Film
    first: int
    last: int
    start: int
    held: tuple[int, Picture] | None = None
    moving = True

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        picture = self.picture(0.0)
        return picture.shape[1], picture.shape[0]

    def picture(self, at_seconds: float) -> Picture:
        """The footage's picture of that time."""
        num_frames = self.last - self.first
        step = (self.start + int(at_seconds * FPS)) % max(1, 2 * num_frames - 2)
        index = self.first + (step if step < num_frames else 2 * num_frames - 2 - step)
        if self.held is None or self.held[0] != index:
            self.held = index, self.film.picture(index)
        return self.held[1]


def random_backdrop(
    rng: Generator, view: tuple[int, int], groups: Mapping[str, Sequence[Path]], *, moving: bool = True
) -> Backdrop:
    """A world for a view of (width, height): painted where there is no footage, else real more often than not."""
    kind = rng.random()
    if kind < 0.45 and moving and (film := random_film(groups, rng, steady=True)):
        first, last = film.shots[int(rng.integers(0, len(film.shots)))]
        return RunningFootage(film, first, last, int(rng.integers(0, last - first)))
    if kind < 0.65 and (film := random_film(groups, rng, steady=False)):
        return Still(film.still(rng))
    return Still(_painted(rng, int(view[0] * MARGIN), int(view[1] * MARGIN)))


def _painted(rng: Generator, width: int, height: int) -> Picture:
    world = paint_background(rng, width, height)
    if rng.random() < 0.04:
        bare = np.full_like(world, 0) + rng.integers(0, 256, 3, np.uint8)
        return np.asarray(cv2.addWeighted(world, 0.04, bare, 0.96, 0), np.uint8)
    return world


def view_that_fits(size: tuple[int, int], backdrop: Backdrop) -> tuple[int, int]:
    """The view's (width, height), even; smaller where the world's pictures would have to be enlarged too much."""
    scale = min(1.0, *(MAX_ENLARGEMENT * world / side for world, side in zip(backdrop.size, size, strict=True)))
    return max(32, int(scale * size[0]) // 2 * 2), max(32, int(scale * size[1]) // 2 * 2)
