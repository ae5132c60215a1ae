"""What goes wrong with a lens or with the light before it: focus lost in many ways, and lights that go out."""

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.scenes.backgrounds import Levels, clouds
from training.scenes.incidents import Incident, Ramp, random_ramp

BLURS = ("gaussian", "disc", "smear", "double", "fog")
BLUR_SHARES = (0.3, 0.3, 0.12, 0.08, 0.2)
MAX_FADE_SECONDS = 3.0
"""Lamps that are dimmed, or go out one after the other."""


@dataclass(slots=True)
class Blur:
    """A lens that loses its focus, is smeared or steams up."""

    ramp: Ramp
    alike: tuple[str, ...]
    kind: str
    radius: float
    """Of the full blur, in pixels of the picture."""
    angle: float
    haze: Levels | None
    """What fog adds at its thickest, [H, W, 3]."""
    thickness: float
    kernels: dict[float, NDArray[np.float32]] = field(default_factory=dict)
    settles_seconds = 0.0

    @classmethod
    def draw(cls, incident: Incident, rng: Generator, width: int, height: int) -> "Blur":
        """A random loss of focus for an incident."""
        kind = str(rng.choice(BLURS, p=BLUR_SHARES))
        least, most = {"gaussian": (2.5, 8), "disc": (4, 13), "smear": (6, 16), "double": (5, 12), "fog": (2, 6)}[kind]
        haze = None
        if kind == "fog":
            grey = rng.uniform(90, 230) * rng.uniform(0.95, 1.05, 3)
            haze = (grey * (1 + clouds(rng, width, height, 0.08)[..., None])).astype(np.float32)
        radius = rng.uniform(least, most) * min(width, height) / 192
        ramp = random_ramp(incident, rng, 3.0)
        return cls(
            ramp,
            ("covered",) if kind == "fog" else (),
            kind,
            radius,
            rng.uniform(0, math.pi),
            haze,
            rng.uniform(0.25, 0.65),
        )

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture out of focus."""
        strength = self.ramp.strength(at_seconds)
        radius = self.radius * strength
        if radius < 0.3:
            return levels
        if self.kind in {"disc", "smear"}:
            return self._convolved(levels, radius)
        if self.kind == "double":
            shift = np.array([[1, 0, radius * math.cos(self.angle)], [0, 1, radius * math.sin(self.angle)]], np.float32)
            size = (levels.shape[1], levels.shape[0])
            other = cv2.warpAffine(levels, shift, size, borderMode=cv2.BORDER_REPLICATE)
            return np.asarray(cv2.GaussianBlur(0.5 * (levels + other), (0, 0), 0.3 + 0.2 * radius), np.float32)
        blurred = np.asarray(_gaussian(levels, radius), np.float32)
        if self.haze is not None:
            blurred += np.float32(strength * self.thickness) * (self.haze - blurred)
        return blurred

    def _convolved(self, levels: Levels, radius: float) -> Levels:
        """Through a disc or a line; at half the size, which such a blur hides."""
        half = cv2.resize(levels, (levels.shape[1] // 2, levels.shape[0] // 2), interpolation=cv2.INTER_AREA)
        reach = max(0.5, round(radius) / 2)
        if reach not in self.kernels:
            self.kernels[reach] = _disc(reach) if self.kind == "disc" else _line(reach, self.angle)
        blurred = cv2.filter2D(half, -1, self.kernels[reach])
        return np.asarray(cv2.resize(blurred, (levels.shape[1], levels.shape[0])), np.float32)


def _gaussian(levels: Levels, sigma: float) -> Levels:
    if sigma < 3:
        return np.asarray(cv2.GaussianBlur(levels, (0, 0), sigma), np.float32)
    half = cv2.resize(levels, (levels.shape[1] // 2, levels.shape[0] // 2), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(half, (0, 0), sigma / 2)
    return np.asarray(cv2.resize(blurred, (levels.shape[1], levels.shape[0])), np.float32)


def _disc(radius: float) -> NDArray[np.float32]:
    reach = math.ceil(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    weights = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return np.asarray(weights / weights.sum(), np.float32)


def _line(radius: float, angle: float) -> NDArray[np.float32]:
    reach = math.ceil(radius)
    weights = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    x, y = round(reach * math.cos(angle)), round(reach * math.sin(angle))
    cv2.line(weights, (reach - x, reach - y), (reach + x, reach + y), 1.0, 1)
    soft = cv2.GaussianBlur(weights, (0, 0), 0.7)
    return np.asarray(soft / soft.sum(), np.float32)


@dataclass(frozen=True, slots=True)
class Darkness:
    """Lights that go out: what is left may be amplified with its noise, or lit by the camera's own infrared lamp."""

    ramp: Ramp
    alike: tuple[str, ...]
    gain: float
    noise: Levels
    """[H + 32, W + 32, 1], what amplification adds"""
    tint: NDArray[np.float32]
    infrared_after_seconds: float | None
    lamp: Levels
    """The infrared lamp's cone, a gain for each pixel; [H, W, 1]."""
    settles_seconds = 0.0

    @classmethod
    def draw(cls, incident: Incident, rng: Generator, width: int, height: int) -> "Darkness":
        """A random failure of the light for an incident."""
        noise = rng.standard_normal((height + 32, width + 32, 1), np.float32)
        noise *= np.float32(rng.uniform(1, 12) if rng.random() < 0.6 else 0.0)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
        cone = np.exp(-((x - 0.5 * width / height) ** 2 + (y - 0.5) ** 2) / rng.uniform(0.1, 0.6))
        lamp = (rng.uniform(0.2, 0.5) * cone[..., None]).astype(np.float32)
        gain = float(rng.choice((0.0, rng.uniform(0.0, 0.12), rng.uniform(0.12, 0.3)), p=(0.1, 0.55, 0.35)))
        infrared = rng.uniform(0.2, 2.5) if rng.random() < 0.25 else None
        tint = rng.uniform(0.85, 1.15, 3).astype(np.float32)
        return cls(random_ramp(incident, rng, MAX_FADE_SECONDS), (), gain, noise, tint, infrared, lamp)

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture with the light that is left."""
        strength = self.ramp.strength(at_seconds)
        if strength == 0:
            return levels
        since = at_seconds - self.ramp.incident.start_seconds
        if self.infrared_after_seconds is not None and since > self.infrared_after_seconds and strength == 1:
            grey = np.asarray(cv2.cvtColor(levels, cv2.COLOR_BGR2GRAY), np.float32)[..., None]
            dark = np.repeat(grey * (self.lamp + np.float32(self.gain)), 3, axis=2)
        else:
            dark = levels * (1 + strength * (np.float32(self.gain) * self.tint - 1))
        y, x = (int(at_seconds * speed) % 32 for speed in (997, 1409))
        dark += np.float32(strength) * self.noise[y : y + levels.shape[0], x : x + levels.shape[1]]
        return np.asarray(dark, np.float32)
