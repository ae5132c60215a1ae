"""More light than a camera can tell: sun and lamps that look into the lens, bright patches, an exposure gone wrong."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from training.scenes.backgrounds import Levels, clouds
from training.scenes.incidents import Ramp
from training.scenes.seeds import log_uniform

MANNERS = ("sun", "lamp", "side", "patch", "exposure")
MANNER_SHARES = (0.3, 0.25, 0.15, 0.15, 0.15)
SHARES = (0.1, 0.95)
"""Of the picture that is overexposed once the camera has answered."""
OVER = 285.0
"""A level that is overexposed after all that lens and sensor take of it."""
REACH = 10
"""Pixels that a lamp may move to any side."""
HIDING = 0.45
"""From this share on nobody can say what else befalls the view."""
WARM, COLD, SODIUM = (0.8, 0.95, 1.0), (1.0, 0.98, 0.9), (0.45, 0.8, 1.0)


@dataclass(slots=True)
class Glare:
    """Too much light for a while, which the camera's exposure answers late and in part; frames must come in order."""

    ramp: Ramp
    alike: tuple[str, ...]
    share: float
    """Of the picture that it overexposes."""
    light: Levels | None
    """[H + 20, W + 20, 3], the levels that it gives in the dark; None where it falls on what is seen"""
    lit: Levels
    """[H, W, 1], where it falls on what is seen, 0 to 1; [1, 1, 1] where that is everywhere"""
    answer: float
    """What the camera multiplies all light by in the end."""
    lag_seconds: float
    wander: tuple[float, float]
    """How far a lamp moves, in pixels, and how often a second"""
    boost: float | None = None
    """What multiplies the light where it falls: just what overexposes the share of the first picture that it meets."""
    exposure: float | None = None
    at_seconds: float = 0.0

    @classmethod
    def draw(
        cls,
        ramp: Ramp,
        rng: Generator,
        width: int,
        height: int,
        *,
        shares: tuple[float, float] = SHARES,
        least_answer: float = 0.35,
    ) -> "Glare":
        """A random one."""
        manner = str(rng.choice(MANNERS, p=MANNER_SHARES))
        share, answer = log_uniform(rng, *shares), 1.0
        if manner != "exposure" and rng.random() < 0.75:
            answer = log_uniform(rng, least_answer, 1.0)
        light, lit = None, np.ones((1, 1, 1), np.float32)
        if manner == "patch":
            lit = _patch(share, rng, width, height)
        elif manner != "exposure":
            light = _light(manner, share, rng, width + 2 * REACH, height + 2 * REACH) / np.float32(answer)
        alike: tuple[str, ...] = ("covered", "defocused", "moved", "activity") if share > HIDING else ()
        alike += ("lights_out",) if answer < 0.75 else ()
        wander = rng.uniform(0.5, REACH - 1) if manner == "lamp" and rng.random() < 0.5 else 0.0
        pace = log_uniform(rng, 0.05, 1.5)
        return cls(ramp, alike, share, light, lit, answer, log_uniform(rng, 0.15, 1.5), (wander, pace))

    @property
    def settles_seconds(self) -> float:
        """How long after it is gone the camera still answers."""
        return 3 * self.lag_seconds if self.answer < 1 else 0.0

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture, [H, W, 3], in this light and as it is exposed now; what is above 255 is lost in the sensor."""
        strength = self.ramp.strength(at_seconds)
        gain = self._exposed(at_seconds, strength)
        if strength:
            levels = self._shone(levels, strength, at_seconds)
        return levels if gain > 0.995 else np.asarray(levels * np.float32(gain), np.float32)

    def _exposed(self, at_seconds: float, strength: float) -> float:
        wanted = 1 + (self.answer - 1) * min(1.0, 2 * strength)
        passed, self.at_seconds = at_seconds - self.at_seconds, at_seconds
        before = wanted if self.exposure is None else self.exposure
        self.exposure = before + (wanted - before) * (1 - math.exp(-passed / self.lag_seconds))
        return self.exposure

    def _shone(self, levels: Levels, strength: float, at_seconds: float) -> Levels:
        if self.light is None:
            self.boost = self._boost(levels) if self.boost is None else self.boost
            return np.asarray(levels * (1 + np.float32(strength * (self.boost - 1)) * self.lit), np.float32)
        far, pace = self.wander
        phase = 2 * math.pi * pace * at_seconds
        y, x = REACH + round(0.3 * far * math.sin(1.3 * phase)), REACH + round(far * math.sin(phase))
        light = self.light[y : y + levels.shape[0], x : x + levels.shape[1]]
        # light adds up, levels are about its square root
        return np.asarray(cv2.magnitude(levels, np.float32(strength) * light), np.float32)

    def _boost(self, levels: Levels) -> float:
        grey = levels[::4, ::4].mean(axis=2)
        reached = np.broadcast_to(self.lit[::4, ::4, 0] > 0.5, grey.shape)
        over = min(1.0, self.share / max(0.01, float(reached.mean())))
        level = max(6.0, float(np.quantile(grey[reached], 1 - over))) if reached.any() else 255.0
        return float(np.clip(OVER / (level * self.answer), 1.2, 40))


def _patch(share: float, rng: Generator, width: int, height: int) -> Levels:
    """Where light falls that leaves a part of the view alone: through a window, or from a wet floor."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
    angle, middle = rng.uniform(0, math.pi), (rng.uniform(0, width / height), rng.uniform(0, 1))
    along = math.cos(angle) * (x - middle[0]) + math.sin(angle) * (y - middle[1])
    across = -math.sin(angle) * (x - middle[0]) + math.cos(angle) * (y - middle[1])
    far = np.maximum(np.abs(along), rng.uniform(1, 4) * np.abs(across)) + clouds(rng, width, height, 0.08, 9)
    edge = float(np.quantile(far[::4, ::4], min(1.0, share / 0.85)))
    lit = np.clip(0.5 + (edge - far) / log_uniform(rng, 0.01, 0.2), 0, 1)
    return np.asarray(lit[..., None], np.float32)


def _light(manner: str, share: float, rng: Generator, width: int, height: int) -> Levels:
    """What comes into the lens, [H, W, 3]: above OVER in that share of the picture, and its veil over the rest."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
    middle = rng.uniform(-0.1, 1.1) * width / height, rng.uniform(-0.15, 0.95)
    if manner == "side":
        angle = rng.uniform(0, 2 * math.pi)
        along = math.cos(angle) * x + math.sin(angle) * y
        glow = np.exp((along.min() - along) / log_uniform(rng, 0.08, 0.6))
    else:
        glow = _sun(rng, x - middle[0], y - middle[1]) if manner == "sun" else _lamps(rng, x - middle[0], y - middle[1])
    if rng.random() < 0.4:  # a lens that is not clean
        glow = glow * np.exp(clouds(rng, width, height, 0.25, int(rng.integers(5, 20))))
    glow = np.minimum(glow * (OVER / max(1e-12, float(np.quantile(glow[::4, ::4], 1 - share)))), 20 * OVER)
    if manner == "sun" and rng.random() < 0.5:
        glow = np.hypot(glow, _ghosts(rng, x, y, middle))
    tint = np.array((WARM, COLD, SODIUM)[int(rng.choice(3, p=(0.5, 0.35, 0.15)))]) * rng.uniform(0.95, 1.05, 3)
    colour = tint / (tint @ (0.114, 0.587, 0.299))
    return np.asarray(np.hypot(glow, log_uniform(rng, 3, 70))[..., None] * colour, np.float32)


def _sun(rng: Generator, x: Levels, y: Levels) -> Levels:
    away = np.hypot(x, y)
    glow = 1 / (1 + (away / log_uniform(rng, 0.02, 0.2)) ** rng.uniform(1.6, 4))
    if rng.random() < 0.5:  # rays
        spokes = np.cos(int(rng.integers(2, 7)) * (np.arctan2(y, x) + rng.uniform(0, math.pi)))
        glow = glow * (1 + rng.uniform(1, 6) * np.abs(spokes) ** rng.uniform(10, 60))
    if rng.random() < 0.12:  # smear of a sensor whose columns run over
        glow = np.maximum(glow, rng.uniform(0.02, 0.3) * np.exp(-((x / log_uniform(rng, 0.005, 0.04)) ** 2)))
    return np.asarray(glow, np.float32)


def _lamps(rng: Generator, x: Levels, y: Levels) -> Levels:
    """One, or two side by side as those of a car."""
    size, halo = log_uniform(rng, 0.02, 0.25), log_uniform(rng, 0.05, 0.5)
    gap = rng.uniform(2, 6) * size if rng.random() < 0.4 else 0.0
    power, steep = rng.uniform(2, 30), rng.uniform(1.5, 3)
    glow = np.zeros_like(x)
    for aside in {-0.5 * gap, 0.5 * gap}:
        away = np.hypot(x - aside, y)
        glow += power * np.exp(-((away / size) ** 2)) + 1 / (1 + (away / halo) ** steep)
    return glow


def _ghosts(rng: Generator, x: Levels, y: Levels, middle: tuple[float, float]) -> Levels:
    """What a lens mirrors of the sun: discs on the line through the picture's middle."""
    ghosts = np.zeros_like(x)
    across, down = 0.5 * float(x.max()) - middle[0], 0.5 - middle[1]
    for far in rng.uniform(0.5, 2.2, int(rng.integers(1, 6))):
        away = np.hypot(x - middle[0] - far * across, y - middle[1] - far * down)
        ghosts += rng.uniform(15, 110) * np.clip((log_uniform(rng, 0.02, 0.15) - away) * 60, 0, 1)
    return ghosts
