"""What goes wrong with a camera: incidents, and what each does to the picture."""

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.random import Generator

from training.backgrounds import Levels, Picture, random_colour

LABELS = ("covered", "defocused", "moved", "frozen", "lights_out", "glitch", "activity")
FAULTS = LABELS[:-1]
MOVED_SECONDS = 3.0
"""`moved` holds this long from the jump; by then the new view is the usual one."""
SHARES = (0.14, 0.16, 0.22, 0.14, 0.14, 0.20)
"""How often each fault is planned: the short ones more often."""
DURATIONS_SECONDS = {
    "covered": (3.0, 12.0),
    "defocused": (3.0, 12.0),
    "moved": (MOVED_SECONDS, MOVED_SECONDS),
    "frozen": (3.0, 10.0),
    "lights_out": (3.0, 12.0),
    "glitch": (1.5, 5.0),
    "activity": (2.5, 12.0),
}


@dataclass(frozen=True, slots=True)
class Incident:
    """A label's incident on a clip's timeline."""

    label: str
    start_seconds: float
    end_seconds: float

    def strength(self, at_seconds: float, rise_seconds: float) -> float:
        """From 0 to 1 within `rise_seconds` of the start, back to 0 before the end."""
        if not self.start_seconds <= at_seconds < self.end_seconds:
            return 0.0
        since, left = at_seconds - self.start_seconds, self.end_seconds - at_seconds
        return float(np.clip(min(since, left) / rise_seconds + 0.1, 0.1, 1))


def random_plan(rng: Generator, seconds: float) -> tuple[Incident, ...]:
    """Incidents for a clip: none to three faults, never two at once, and activity now and then."""
    plan, at = [], rng.uniform(3, 9)
    for _ in range(int(rng.choice((0, 1, 2, 3), p=(0.2, 0.2, 0.3, 0.3)))):
        label = str(rng.choice(FAULTS, p=SHARES))
        lasts = rng.uniform(*DURATIONS_SECONDS[label])
        if at + lasts > seconds and rng.random() < 0.7:
            break
        plan.append(Incident(label, at, min(at + lasts, seconds)))
        at += lasts + rng.uniform(3.5, 8)
        if at > seconds - 2:
            break
    for _ in range(int(rng.choice((0, 1, 2), p=(0.4, 0.35, 0.25)))):
        at = rng.uniform(-3, seconds - 3)
        plan.append(Incident("activity", at, at + rng.uniform(*DURATIONS_SECONDS["activity"])))
    return tuple(plan)


@dataclass(frozen=True, slots=True)
class Cover:
    """Something before the lens: a cloth or hand that slides in, or a film that thickens."""

    incident: Incident
    rise_seconds: float
    arrival: Levels
    """When the cover reaches each pixel, 0 first and 1 last; [H, W, 1]."""
    surface: Levels
    opacity: float
    softness: float

    @classmethod
    def draw(cls, incident: Incident, rng: Generator, width: int, height: int) -> "Cover":
        """A random cover for an incident."""
        angle = rng.uniform(0, 2 * math.pi)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
        arrival = np.asarray(math.cos(angle) * x + math.sin(angle) * y + _clouds(rng, width, height, 0.25), np.float32)
        arrival = (arrival - arrival.min()) / float(np.ptp(arrival))
        colour = np.array(random_colour(rng), np.float32) * rng.uniform(0.25, 1.0) + rng.uniform(4, 20)
        surface = colour * (1 + _clouds(rng, width, height, rng.uniform(0.03, 0.25))[..., None])
        film = rng.random() < 0.3
        softness, opacity = (4.0, rng.uniform(0.86, 0.97)) if film else (rng.uniform(0.05, 0.4), rng.uniform(0.93, 1))
        rise = rng.uniform(0.3, 2.0) if rng.random() < 0.6 else rng.uniform(0.05, 0.3)
        return cls(incident, rise, arrival[..., None], surface.astype(np.float32), opacity, softness)

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture with the cover over it."""
        strength = self.incident.strength(at_seconds, self.rise_seconds)
        if strength == 0:
            return levels
        reach = np.clip((strength * (1 + self.softness) - self.arrival) / self.softness, 0, 1) * self.opacity
        return np.asarray(levels + reach * (self.surface - levels), np.float32)


@dataclass(frozen=True, slots=True)
class Blur:
    """A lens that loses its focus."""

    incident: Incident
    rise_seconds: float
    sigma: float
    """Of the full blur, in pixels of the picture."""

    @classmethod
    def draw(cls, incident: Incident, rng: Generator, height: int) -> "Blur":
        """A random loss of focus for an incident."""
        return cls(incident, rng.uniform(0.1, 1.5), rng.uniform(2.5, 7.0) * height / 192)

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture out of focus."""
        sigma = self.sigma * self.incident.strength(at_seconds, self.rise_seconds)
        return levels if sigma < 0.3 else np.asarray(cv2.GaussianBlur(levels, (0, 0), sigma), np.float32)


@dataclass(frozen=True, slots=True)
class Darkness:
    """Lights that go out."""

    incident: Incident
    rise_seconds: float
    gain: float

    @classmethod
    def draw(cls, incident: Incident, rng: Generator) -> "Darkness":
        """A random failure of the light for an incident."""
        return cls(incident, rng.uniform(0.05, 0.6), rng.uniform(0.03, 0.2))

    def apply(self, levels: Levels, at_seconds: float) -> Levels:
        """The picture with the light that is left."""
        strength = self.incident.strength(at_seconds, self.rise_seconds)
        return levels if strength == 0 else levels * np.float32(1 - strength * (1 - self.gain))


@dataclass(slots=True)
class Freeze:
    """A picture that stands still."""

    incident: Incident
    held: Picture | None = None

    def apply(self, picture: Picture, at_seconds: float) -> Picture:
        """The picture held since the incident began; frames must come in order."""
        if self.incident.strength(at_seconds, 1.0) == 0:
            self.held = picture
        return picture if self.held is None else self.held


GLITCHES = ("smear", "tear", "fill", "blocks")


@dataclass(slots=True)
class Glitch:
    """Damaged video: smeared macro-blocks, torn rows, a grey or green rest."""

    incident: Incident
    rng: Generator
    kind: str
    severity: float
    fill: tuple[int, int, int]
    last: Picture | None = field(default=None)

    @classmethod
    def draw(cls, incident: Incident, rng: Generator) -> "Glitch":
        """A random kind of damage for an incident."""
        fills = ((0, 135, 0), (128, 128, 128), (0, 255, 0), (128, 0, 128), (0, 0, 0))
        kind, fill = str(rng.choice(GLITCHES)), fills[int(rng.integers(0, len(fills)))]
        return cls(incident, rng, kind, rng.uniform(0.25, 0.8), fill)

    def apply(self, picture: Picture, at_seconds: float) -> Picture:
        """The picture with this frame's damage; frames must come in order."""
        if self.incident.strength(at_seconds, 1.0) == 0:
            self.last = picture
            return picture
        damaged = picture.copy()
        if self.rng.random() < 0.85:
            {"smear": self._smear, "tear": self._tear, "fill": self._fill, "blocks": self._blocks}[self.kind](damaged)
        self.last = damaged
        return damaged

    def _smear(self, picture: Picture) -> None:
        size, last = max(8, picture.shape[0] // 12), picture if self.last is None else self.last
        for y, x in self._tiles(picture, size):
            from_y = int(np.clip(y + self.rng.integers(-2 * size, 2 * size), 0, picture.shape[0] - size))
            from_x = int(np.clip(x + self.rng.integers(-2 * size, 2 * size), 0, picture.shape[1] - size))
            picture[y : y + size, x : x + size] = last[from_y : from_y + size, from_x : from_x + size]

    def _tear(self, picture: Picture) -> None:
        height, width = picture.shape[:2]
        cuts = sorted(int(cut) for cut in self.rng.uniform(0, height, int(2 + 6 * self.severity)))
        for top, bottom in zip(cuts, [*cuts[1:], height], strict=True):
            shift = int(self.rng.uniform(0.08, 0.5) * width * self.rng.choice((-1, 1)))
            picture[top:bottom] = np.roll(picture[top:bottom], shift, axis=1)

    def _fill(self, picture: Picture) -> None:
        size = max(8, picture.shape[0] // 12)
        top = int((1 - self.severity * self.rng.uniform(0.6, 1)) * picture.shape[0]) // size * size
        left = int(self.rng.integers(0, picture.shape[1]))
        picture[top : top + size, left:] = self.fill
        picture[top + size :] = self.fill

    def _blocks(self, picture: Picture) -> None:
        size = max(8, picture.shape[0] // 12)
        for y, x in self._tiles(picture, size):
            block = picture[y : y + size, x : x + size]
            colour = block.mean((0, 1)) + self.rng.normal(0, 60, 3)
            block[:] = np.clip(colour, 0, 255).astype(np.uint8)

    def _tiles(self, picture: Picture, size: int) -> list[tuple[int, int]]:
        rows, columns = picture.shape[0] // size, picture.shape[1] // size
        chosen = self.rng.permutation(rows * columns)[: int(self.severity * rows * columns)]
        return [(int(index) // columns * size, int(index) % columns * size) for index in chosen]


def _clouds(rng: Generator, width: int, height: int, strength: float) -> Levels:
    """Soft random variation about zero, [height, width]."""
    noise = rng.standard_normal((5, 7), np.float32) * np.float32(strength)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
