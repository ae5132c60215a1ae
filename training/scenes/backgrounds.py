"""Paints the still part of a scene: walls, floors, clutter and texture, a new one for every seed."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Levels = NDArray[np.float32]

MIN_DETAIL = 1.6
"""Mean change, in grey levels, that a strong blur must make: below it nobody could tell focus from blur."""


def paint_background(rng: Generator, width: int, height: int) -> Picture:
    """A still scene [height, width, 3], BGR: bright or dark, rich or nearly bare, but never without any detail."""
    clutter = int(rng.integers(3, 30))
    while True:
        picture = _paint_once(rng, width, height, clutter)
        blurred = cv2.GaussianBlur(picture, (0, 0), 4 * height / 192)
        if cv2.absdiff(picture, blurred).mean() >= MIN_DETAIL:
            return picture
        clutter += 10


def random_colour(rng: Generator) -> tuple[int, int, int]:
    """BGR: often greyish, as the world is, at times vivid."""
    saturation = rng.uniform(0, 60) if rng.random() < 0.65 else rng.uniform(60, 230)
    hsv = np.array([[[rng.integers(0, 180), saturation, rng.uniform(20, 245)]]], np.uint8)
    blue, green, red = (int(value) for value in cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0])
    return blue, green, red


def clouds(rng: Generator, width: int, height: int, strength: float, cells: int = 5) -> Levels:
    """Soft random variation about zero, [height, width]."""
    noise = rng.standard_normal((cells, cells + 2), np.float32) * np.float32(strength)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _paint_once(rng: Generator, width: int, height: int, clutter: int) -> Picture:
    canvas = _gradient(rng, width, height)
    if rng.random() < 0.7:
        _add_floor(rng, canvas)
    for _ in range(clutter):
        _add_shape(rng, canvas)
    if rng.random() < 0.4:
        _add_specks(rng, canvas)
    levels = canvas.astype(np.float32) + _texture(rng, width, height)
    middle = levels.mean()
    contrast = rng.uniform(0.35, 1.0) if rng.random() < 0.4 else 1.0
    levels = middle * rng.uniform(0.7, 1.15) + contrast * (levels - middle)
    if rng.random() < 0.3:
        levels = cv2.GaussianBlur(levels, (0, 0), rng.uniform(0.3, 0.7) * height / 192)
    return np.asarray(np.clip(levels, 0, 255), np.uint8)


def _gradient(rng: Generator, width: int, height: int) -> Picture:
    corners = np.array([[random_colour(rng), random_colour(rng)], [random_colour(rng), random_colour(rng)]], np.float32)
    mixed = rng.uniform(0, 0.7) * (corners - corners.mean((0, 1))) + corners.mean((0, 1))
    return np.asarray(np.clip(cv2.resize(mixed, (width, height), interpolation=cv2.INTER_LINEAR), 0, 255), np.uint8)


def _add_floor(rng: Generator, canvas: Picture) -> None:
    height, width = canvas.shape[:2]
    left, right = (int(height * rng.uniform(0.3, 0.75)) for _ in range(2))
    floor = np.array([[0, left], [width, right], [width, height], [0, height]])
    cv2.fillPoly(canvas, [floor], random_colour(rng))
    if rng.random() < 0.6:
        colour, vanishing = random_colour(rng), int(width * rng.uniform(0, 1))
        for x in np.linspace(-width, 2 * width, int(rng.integers(8, 40))):
            cv2.line(canvas, (vanishing, min(left, right)), (int(x), height), colour, 1, cv2.LINE_AA)


def _add_shape(rng: Generator, canvas: Picture) -> None:
    height, width = canvas.shape[:2]
    x, y = int(rng.uniform(0, width)), int(rng.uniform(0, height))
    size_x, size_y = (max(2, int(side * rng.uniform(0.02, 0.28) ** 1.2)) for side in (width, height))
    colour = random_colour(rng)
    kind = rng.integers(0, 5)
    if kind == 0:
        cv2.rectangle(canvas, (x, y), (x + size_x, y + size_y), colour, -1, cv2.LINE_AA)
        cv2.rectangle(canvas, (x, y), (x + size_x, y + size_y), random_colour(rng), 1, cv2.LINE_AA)
    elif kind == 1:
        cv2.ellipse(canvas, (x, y), (size_x // 2 + 1, size_y // 2 + 1), rng.uniform(0, 180), 0, 360, colour, -1)
    elif kind == 2:
        points = np.array([x, y]) + rng.uniform(-1, 1, (int(rng.integers(3, 7)), 2)) * [size_x, size_y]
        cv2.fillPoly(canvas, [points.astype(np.int32)], colour, cv2.LINE_AA)
    elif kind == 3:
        end = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        cv2.line(canvas, (x, y), end, colour, int(rng.integers(1, 5)), cv2.LINE_AA)
    else:
        _add_grid(rng, canvas, (x, y, size_x, size_y))


def _add_grid(rng: Generator, canvas: Picture, box: tuple[int, int, int, int]) -> None:
    """Windows, bricks, shelves: a lattice of rectangles."""
    x, y, size_x, size_y = box
    colour, columns, rows = random_colour(rng), int(rng.integers(2, 7)), int(rng.integers(2, 7))
    for column in range(columns):
        for row in range(rows):
            left, top = x + column * size_x // columns, y + row * size_y // rows
            right, bottom = left + int(0.7 * size_x / columns), top + int(0.7 * size_y / rows)
            cv2.rectangle(canvas, (left, top), (right, bottom), colour, -1)


def _add_specks(rng: Generator, canvas: Picture) -> None:
    height, width = canvas.shape[:2]
    colour = random_colour(rng)
    for _ in range(int(rng.integers(10, 120))):
        at = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        cv2.circle(canvas, at, int(rng.integers(0, 2)), colour, -1, cv2.LINE_AA)


def _texture(rng: Generator, width: int, height: int) -> Levels:
    """Noise at several scales, at times stretched into grain; one channel for all or one for each."""
    channels = 3 if rng.random() < 0.2 else 1
    stretch = rng.choice((0.25, 1.0, 1.0, 1.0, 4.0))
    texture = np.zeros((height, width, channels), np.float32)
    for cells in (4, 12, 36, 90):
        shape = (max(2, int(cells * stretch * height / width)), max(2, int(cells / stretch)), channels)
        noise = rng.standard_normal(shape, np.float32) * rng.uniform(0, 9)
        texture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC).reshape(texture.shape)
    return texture
