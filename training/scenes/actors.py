"""Things that move through a scene: people, vehicles, shapes."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from training.scenes.backgrounds import Picture, random_colour
from training.scenes.seeds import log_uniform

KINDS = ("person", "vehicle", "shape", "bulk")
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Actor:
    """One thing on a straight path; positions and sizes are shares of the view's height."""

    kind: str
    start_seconds: float
    end_seconds: float
    start_at: tuple[float, float]
    end_at: tuple[float, float]
    height: float
    width: float
    colours: tuple[Colour, Colour, Colour]
    sway: float
    """How far it swings about its path, for what stands and gestures rather than walks."""
    pace: float
    """Steps a second."""
    leaves: bool
    """Whether it sets something down half-way, which then stays."""

    def place(self, at_seconds: float) -> tuple[float, float] | None:
        """Where its middle is, or None while it is not there."""
        if not self.start_seconds <= at_seconds < self.end_seconds:
            return None
        done = (at_seconds - self.start_seconds) / (self.end_seconds - self.start_seconds)
        swing = self.sway * math.sin(2 * math.pi * self.pace * 0.6 * at_seconds)
        x = self.start_at[0] + done * (self.end_at[0] - self.start_at[0]) + swing
        return x, self.start_at[1] + done * (self.end_at[1] - self.start_at[1])

    def visible_share(self, at_seconds: float, aspect: float) -> float:
        """The share of its box that is in a view `aspect` times as wide as high."""
        if (place := self.place(at_seconds)) is None:
            return 0.0
        inside = 1.0
        for middle, size, limit in ((place[0], self.width, aspect), (place[1], self.height, 1.0)):
            inside *= max(0.0, min(middle + size / 2, limit) - max(middle - size / 2, 0.0)) / size
        return inside

    def draw(self, picture: Picture, at_seconds: float, shift: tuple[float, float] = (0.0, 0.0)) -> None:
        """Draws it into the picture, BGR, where it is at that time, and what it has left."""
        scale = picture.shape[0]
        if self.leaves and at_seconds >= (self.start_seconds + self.end_seconds) / 2:
            at = tuple(
                int(scale * ((first + last) / 2 + far))
                for first, last, far in zip(self.start_at, self.end_at, shift, strict=True)
            )
            axes = (1 + int(0.15 * scale * self.height), 1 + int(0.25 * scale * self.height))
            cv2.ellipse(picture, at, axes, 0, 0, 360, self.colours[1], -1, cv2.LINE_AA)
        if (place := self.place(at_seconds)) is None:
            return
        box = ((place[0] + shift[0]) * scale, (place[1] + shift[1]) * scale, self.width * scale, self.height * scale)
        draw = {
            "person": self._draw_person,
            "vehicle": self._draw_vehicle,
            "shape": self._draw_shape,
            "bulk": self._draw_bulk,
        }[self.kind]
        draw(picture, box, at_seconds)

    def _draw_person(self, picture: Picture, box: tuple[float, float, float, float], at_seconds: float) -> None:
        x, y, width, height = box
        skin, coat, legs = self.colours
        stride = 0.5 * width * math.sin(2 * math.pi * self.pace * at_seconds)
        thick = max(1, int(0.28 * width))
        hip, foot = (int(x), int(y + 0.08 * height)), int(y + 0.5 * height)
        for side in (-1, 1):
            cv2.line(picture, hip, (int(x + side * stride), foot), legs, thick, cv2.LINE_AA)
            hand = (int(x - side * 0.8 * stride + side * 0.3 * width), int(y + 0.05 * height))
            cv2.line(picture, (int(x), int(y - 0.28 * height)), hand, coat, max(1, thick // 2), cv2.LINE_AA)
        body = (max(1, int(0.36 * width)), max(1, int(0.22 * height)))
        cv2.ellipse(picture, (int(x), int(y - 0.12 * height)), body, 0, 0, 360, coat, -1, cv2.LINE_AA)
        cv2.circle(picture, (int(x), int(y - 0.42 * height)), max(1, int(0.085 * height)), skin, -1, cv2.LINE_AA)

    def _draw_vehicle(self, picture: Picture, box: tuple[float, float, float, float], at_seconds: float) -> None:
        x, y, width, height = box
        glass, paint, wheel = self.colours
        left, right = int(x - width / 2), int(x + width / 2)
        cv2.rectangle(picture, (left, int(y - 0.1 * height)), (right, int(y + 0.35 * height)), paint, -1, cv2.LINE_AA)
        roof = np.array([[-0.3, -0.1], [-0.2, -0.5], [0.2, -0.5], [0.32, -0.1]]) * [width, height] + [x, y]
        cv2.fillPoly(picture, [roof.astype(np.int32)], glass, cv2.LINE_AA)
        turn = 0.05 * math.sin(7 * at_seconds)
        for side in (-0.3 + turn, 0.3 + turn):
            at = (int(x + side * width), int(y + 0.35 * height))
            cv2.circle(picture, at, max(1, int(0.15 * height)), wheel, -1, cv2.LINE_AA)

    def _draw_shape(self, picture: Picture, box: tuple[float, float, float, float], at_seconds: float) -> None:
        x, y, width, height = box
        first, second, _ = self.colours
        axes = (max(1, int(width / 2)), max(1, int(height / 2)))
        angle = 20 * math.sin(self.pace * at_seconds)
        cv2.ellipse(picture, (int(x), int(y)), axes, angle, 0, 360, first, -1, cv2.LINE_AA)
        inner = (max(1, axes[0] // 2), max(1, axes[1] // 2))
        cv2.ellipse(picture, (int(x), int(y)), inner, -angle, 0, 360, second, -1, cv2.LINE_AA)

    def _draw_bulk(self, picture: Picture, box: tuple[float, float, float, float], at_seconds: float) -> None:
        """Something large and near: a car from above, an arm, a coat."""
        x, y, width, height = box
        first, second, third = self.colours
        lean = 0.05 * math.sin(self.pace * at_seconds)
        outline = np.array([[-0.5, -0.3], [-0.35, -0.5], [0.4, -0.5], [0.5, -0.1], [0.45, 0.5], [-0.5, 0.45]])
        parts = ((outline, first), (0.5 * outline + (lean, -0.15), second), (0.25 * outline + (-0.2, 0.25), third))
        for points, colour in parts:
            cv2.fillPoly(picture, [(points * (width, height) + (x, y)).astype(np.int32)], colour, cv2.LINE_AA)
        cv2.line(picture, (int(x - 0.4 * width), int(y)), (int(x + 0.4 * width), int(y)), third, 2, cv2.LINE_AA)


def random_actor(rng: Generator, start_seconds: float, seconds: float, aspect: float, backdrop: Picture) -> Actor:
    """An actor that crosses the view, or stands in it and gestures, and stands out against the backdrop."""
    kind = str(rng.choice(KINDS, p=(0.45, 0.2, 0.2, 0.15)))
    height = rng.uniform(0.5, 1.4) if kind == "bulk" else log_uniform(rng, 0.09, 0.8)
    width = height * {"person": 0.38, "vehicle": 1.9}.get(kind, rng.uniform(0.5, 1.6))
    width = min(width, aspect)
    y = rng.uniform(0.25, 0.85)
    start, end = (-width / 2, y), (aspect + width / 2, float(np.clip(y + rng.uniform(-0.2, 0.2), 0, 1)))
    sway = 0.0
    if rng.random() < 0.25:
        start, sway = (rng.uniform(0.15, 0.85) * aspect, y), rng.uniform(0.15, 0.4) * width
        end = (start[0] + rng.uniform(-0.1, 0.1), y)
    elif rng.random() < 0.2:
        x = rng.uniform(0.1, 0.9) * aspect
        start, end = (x, -height / 2), (x + rng.uniform(-0.2, 0.2), 1 + height / 2)
    if rng.random() < 0.5:
        start, end = end, start
    colours = _standing_out(rng, backdrop), _standing_out(rng, backdrop), random_colour(rng)
    pace = rng.uniform(0.7, 2.2)
    lasts = min(seconds, rng.uniform(1.5, 4)) if kind == "bulk" and not sway else seconds
    leaves = height < 0.8 and rng.random() < 0.15
    return Actor(kind, start_seconds, start_seconds + lasts, start, end, height, width, colours, sway, pace, leaves)


def _standing_out(rng: Generator, backdrop: Picture) -> Colour:
    """A colour at least 30 grey levels from the backdrop's usual ones."""
    usual = float(np.median(backdrop))
    for _ in range(20):
        colour = random_colour(rng)
        if abs(0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2] - usual) >= 30:
            return colour
    return (10, 10, 10) if usual > 128 else (245, 245, 245)
