"""What goes wrong behind the sensor: pictures that stand still, and damaged video."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.random import Generator

from training.scenes.backgrounds import Picture
from training.scenes.incidents import Incident, Ramp

GLITCHES = ("smear", "tear", "fill", "blocks", "stretch", "colour", "snow")
ALIKE = {"snow": "noise", "colour": "tint"}
FILLS = ((0, 135, 0), (128, 128, 128), (0, 255, 0), (128, 0, 128), (0, 0, 0), (180, 60, 255), (255, 0, 255))


@dataclass(slots=True)
class Freeze:
    """A picture that stands still."""

    incident: Incident
    held: Picture | None = None
    alike = frozenset[str]()

    def apply(self, picture: Picture, at_seconds: float) -> Picture:
        """The picture held since the incident began; frames must come in order."""
        if Ramp(self.incident).strength(at_seconds) == 0:
            self.held = picture
        return picture if self.held is None else self.held


@dataclass(slots=True)
class Glitch:
    """Damaged video as it is drawn: smeared macro-blocks, torn rows, a grey or green rest, lost colour planes."""

    incident: Incident
    rng: Generator
    kinds: tuple[str, ...]
    severity: float
    density: float
    """The share of frames that are damaged."""
    fill: tuple[int, int, int]
    last: Picture | None = field(default=None)

    @property
    def alike(self) -> frozenset[str]:
        """The labels that this could as well be taken for."""
        return frozenset(ALIKE[kind] for kind in self.kinds if kind in ALIKE)

    @classmethod
    def draw(cls, incident: Incident, rng: Generator) -> "Glitch":
        """A random kind of damage for an incident."""
        kinds = tuple(str(kind) for kind in rng.choice(GLITCHES, int(rng.integers(1, 3))))
        fill = FILLS[int(rng.integers(0, len(FILLS)))]
        return cls(incident, rng, kinds, rng.uniform(0.2, 0.9), rng.uniform(0.5, 1.0), fill)

    def apply(self, picture: Picture, at_seconds: float) -> Picture:
        """The picture with this frame's damage; frames must come in order."""
        if Ramp(self.incident).strength(at_seconds) == 0:
            self.last = picture
            return picture
        damaged = picture.copy()
        first = at_seconds - self.incident.start_seconds < 0.125
        if first or self.rng.random() < self.density:
            draw = {
                "smear": self._smear,
                "tear": self._tear,
                "fill": self._fill,
                "blocks": self._blocks,
                "stretch": self._stretch,
                "colour": self._colour,
                "snow": self._snow,
            }
            draw[self.kinds[int(self.rng.integers(0, len(self.kinds)))]](damaged)
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

    def _stretch(self, picture: Picture) -> None:
        """One row drawn on to the bottom, as a decoder does that lost the rest."""
        top = int((1 - self.severity * self.rng.uniform(0.6, 1)) * (picture.shape[0] - 8))
        picture[top:] = picture[top]

    def _colour(self, picture: Picture) -> None:
        """A colour plane lost or shifted, below some row."""
        top = int(self.rng.uniform(0, 0.6) * picture.shape[0])
        planes = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV)
        plane = int(self.rng.integers(1, 3))
        planes[top:, :, plane] = self.rng.choice((0, 30, 220, 255))
        if self.rng.random() < 0.4:
            planes[top:, :, 0] = np.roll(planes[top:, :, 0], int(self.rng.integers(4, 40)), axis=1)
        picture[:] = cv2.cvtColor(planes, cv2.COLOR_YUV2BGR)

    def _snow(self, picture: Picture) -> None:
        """Bands of analogue noise."""
        height = int(self.severity * picture.shape[0] * self.rng.uniform(0.4, 1)) + 1
        top = int(self.rng.integers(0, picture.shape[0] - height + 1))
        noise = self.rng.integers(0, 256, (height, picture.shape[1], 1), np.uint8)
        picture[top : top + height] = picture[top : top + height] // 3 + noise // 3 * 2

    def _tiles(self, picture: Picture, size: int) -> list[tuple[int, int]]:
        rows, columns = picture.shape[0] // size, picture.shape[1] // size
        chosen = self.rng.permutation(rows * columns)[: max(3, int(self.severity * rows * columns))]
        return [(int(index) // columns * size, int(index) % columns * size) for index in chosen]
