"""What covers look like: colours, weaves and folds, print, and the light that falls on them or comes past them."""

import math

import cv2
import numpy as np
from numpy.random import Generator

from training.scenes.backgrounds import Levels, clouds, random_colour
from training.scenes.seeds import log_uniform

SKINS = ((120, 150, 205), (95, 125, 180), (70, 95, 150), (45, 65, 105), (30, 40, 65))
DARK, DARKENED = 0.25, {"cloth", "board", "film", "blobs", "spray"}
"""How often the colour of these is nearly black."""
SPECKLED = 0.25
"""How often a board is."""


def surface_of(look: str, rng: Generator, width: int, height: int) -> Levels:
    """A random surface of this look, [height, width, 3], BGR."""
    return _lit(_coloured(look, rng, width, height), look, rng, width, height)


def _coloured(look: str, rng: Generator, width: int, height: int) -> Levels:
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
    if look in DARKENED and rng.random() < DARK:
        colour = np.full(3, rng.uniform(2, 32), np.float32)
    texture = clouds(rng, width, height, rng.uniform(0, 0.06) if look == "board" else rng.uniform(0.02, 0.25))
    pattern = _pattern(look, rng, width, height)
    added = rng.uniform(0, 110) * pattern  # what is woven of two colours has a pattern however dark it is
    return np.asarray(colour * (1 + (texture + pattern)[..., None]) + added[..., None], np.float32)


def _pattern(look: str, rng: Generator, width: int, height: int) -> Levels:
    """Weave and folds, veins, lines of print, or speckles; nothing on what is smooth."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
    if look == "paper":
        rows = (np.sin(rng.uniform(60, 140) * y) > 0.3) & (clouds(rng, width, height, 1, 24) > -0.2)
        return np.asarray(-rng.uniform(0, 0.35) * rows, np.float32)
    if look == "board":
        return _speckles(rng, width, height) if rng.random() < SPECKLED else np.zeros_like(x)
    if look not in {"cloth", "leaf"}:
        return np.zeros_like(x)
    angle, fine = rng.uniform(0, math.pi), log_uniform(rng, 12, 300)
    along = math.cos(angle) * x + math.sin(angle) * y + clouds(rng, width, height, 0.02)
    folds = rng.uniform(0.03, 0.5) * np.sin(rng.uniform(4, 30) * along) if look == "cloth" else 0.0
    return np.asarray(folds + rng.uniform(0, 0.3) * np.sin(fine * along) * np.sin(fine * (x - y)), np.float32)


def _speckles(rng: Generator, width: int, height: int) -> Levels:
    speckles = rng.standard_normal((height, width), np.float32)
    if (size := rng.uniform(0, 1.5)) > 0.3:
        speckles = np.asarray(cv2.GaussianBlur(speckles, (0, 0), size), np.float32)
    return np.asarray(rng.uniform(0.02, 0.3) * speckles / speckles.std(), np.float32)


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
