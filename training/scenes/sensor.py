"""How a camera turns light into a picture: noise, colour, sharpness, and the marks it draws upon it."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.scenes.backgrounds import Levels, Picture

PALETTES = (cv2.COLORMAP_INFERNO, cv2.COLORMAP_JET, cv2.COLORMAP_HOT, cv2.COLORMAP_BONE, cv2.COLORMAP_TURBO)


class Sensor:
    """Turns light into numbers: noise that is new in every frame, a darker rim, grey at times."""

    def __init__(self, rng: Generator, size: tuple[int, int], min_noise: float, *, silent: bool = False) -> None:
        width, height = size
        self._rng = rng
        self._sigma = rng.uniform(min_noise, 7) if rng.random() < 0.55 else max(min_noise, rng.uniform(0, 1.5))
        if silent:
            self._sigma = 0.0
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


@dataclass(frozen=True, slots=True)
class Look:
    """A camera's taste: contrast, gamma, white balance, sharpness, and false colours at times."""

    table: NDArray[np.uint8]
    """[1, 256, 3], the new level for each level of each channel"""
    sharpness: float
    """Above 0 edges are raised, below 0 they are softened."""
    palette: int | None
    lines: int | None
    """What a coarse sensor, such as a thermal one, resolves; None for one finer than the picture."""

    @classmethod
    def draw(cls, rng: Generator) -> "Look":
        """A random camera's."""
        levels = np.linspace(0, 1, 256)[None, :, None] * np.ones(3)
        gamma = np.exp(rng.uniform(-0.35, 0.35))
        contrast, balance = rng.uniform(0.75, 1.15), 1 + rng.uniform(-0.12, 0.12, 3) * (rng.random() < 0.5)
        toned = ((levels**gamma - 0.5) * contrast + 0.5) * balance + rng.uniform(-0.04, 0.04)
        table = np.clip(255 * toned + 0.5, 0, 255).astype(np.uint8)
        sharpness = rng.uniform(-0.8, 1.2) if rng.random() < 0.4 else 0.0
        coarse, coloured = rng.random() < 0.06, rng.random()
        palette = int(PALETTES[int(rng.integers(0, len(PALETTES)))]) if coloured < (0.5 if coarse else 0.04) else None
        return cls(table, sharpness, palette, int(rng.integers(20, 80)) if coarse else None)

    @property
    def white(self) -> float | None:
        """The grey level that this camera gives for full light; None for one with false colours."""
        return float(self.table[0, 255] @ (0.114, 0.587, 0.299)) if self.palette is None else None

    def apply(self, picture: Picture) -> Picture:
        """The picture as this camera gives it."""
        if self.lines is not None:
            height, width = picture.shape[:2]
            coarse = cv2.resize(picture, (self.lines * width // height, self.lines), interpolation=cv2.INTER_AREA)
            picture = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
        if self.palette is not None:
            picture = np.asarray(cv2.applyColorMap(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), self.palette), np.uint8)
        toned = cv2.LUT(picture, self.table)
        if self.sharpness < 0:
            toned = cv2.GaussianBlur(toned, (0, 0), 0.3 - self.sharpness)
        elif self.sharpness > 0:
            toned = cv2.addWeighted(toned, 1 + self.sharpness, cv2.GaussianBlur(toned, (0, 0), 1.0), -self.sharpness, 0)
        return np.asarray(toned, np.uint8)


@dataclass(frozen=True, slots=True)
class Overlay:
    """What a camera draws upon its picture: a running clock, a name, black bars."""

    clock_at: tuple[int, int] | None
    title: str
    scale: float
    digits: int
    """Of a second's fraction on the clock."""
    started_seconds: int
    bars: int
    """Pixels at both ends of the shorter or longer side, black."""
    upright_bars: bool

    @classmethod
    def draw(cls, rng: Generator, size: tuple[int, int], clock_share: float = 0.3) -> "Overlay":
        """A random camera's; most draw nothing."""
        width, height = size
        clock = rng.random() < clock_share
        at = int(rng.uniform(0.02, 0.4) * width), int(rng.choice((0.08, 0.97)) * height)
        title = "CAM " + "".join(chr(int(code)) for code in rng.integers(48, 91, 4)) if rng.random() < 0.2 else ""
        bars = int(rng.uniform(0.04, 0.16) * min(size)) if rng.random() < 0.08 else 0
        started = int(rng.integers(0, 86_400))
        scale = float(rng.uniform(0.3, 0.75) * height / 192)
        return cls(
            at if clock else None,
            title,
            scale,
            int(rng.choice((0, 1, 3), p=(0.45, 0.2, 0.35))),
            started,
            bars,
            rng.random() < 0.5,
        )

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return self.clock_at is None and not self.title and not self.bars

    def apply(self, picture: Picture, at_seconds: float) -> Picture:
        """The picture with what is drawn on it at that time."""
        if self.empty:
            return picture
        marked = picture.copy()
        if self.bars and self.upright_bars:
            marked[:, : self.bars] = marked[:, -self.bars :] = 0
        elif self.bars:
            marked[: self.bars] = marked[-self.bars :] = 0
        if self.clock_at is not None:
            self._write(marked, self._clock(at_seconds), self.clock_at)
        if self.title:
            self._write(marked, self.title, (int(0.6 * marked.shape[1]), int(0.5 * marked.shape[0] * self.scale) + 10))
        return marked

    def _clock(self, at_seconds: float) -> str:
        minutes, seconds = divmod(int(self.started_seconds + at_seconds), 60)
        day, hour = 1 + self.started_seconds % 28, minutes // 60 % 24
        jittered = 1000 * at_seconds + self.started_seconds % 7 * math.sin(9 * at_seconds)
        fraction = f".{int(jittered) % 1000:03}"[: 1 + self.digits] if self.digits else ""
        return f"2026-11-{day:02} {hour:02}:{minutes % 60:02}:{seconds:02}{fraction}"

    def _write(self, picture: Picture, text: str, at: tuple[int, int]) -> None:
        for colour, thickness in (((0, 0, 0), 2), ((255, 255, 255), 1)):
            cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, self.scale, colour, thickness, cv2.LINE_AA)
