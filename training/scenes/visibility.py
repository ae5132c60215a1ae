"""Whether an incident can be seen in the picture at all: nobody can tell a frozen still life from a quiet one."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.scenes.backgrounds import Picture

SMALL = (64, 48)
MIN_DAMAGE = 0.02
"""Share of the picture that damage must show in."""
DAMAGE_LEVELS = 14
MEND_SECONDS = 1.0
"""Damage that is gone for longer has healed."""
MIN_SHARPNESS = 1.0
"""Mean absolute Laplacian at half the size: a camera that looks at less is not seen to move."""
DULL = 0.6
MIN_RESTLESSNESS = 0.08
"""Grey levels from frame to frame, on average: below that a picture stands still anyway."""


def small(picture: Picture) -> NDArray[np.uint8]:
    """The picture at 64x48, BGR: enough to see what changed, and free of noise."""
    return np.asarray(cv2.resize(picture, SMALL, interpolation=cv2.INTER_AREA), np.uint8)


@dataclass(frozen=True, slots=True)
class Witness:
    """A clip as somebody sees it who looks for one incident at a time."""

    frames: NDArray[np.uint8]
    """[T, H, W, 3]"""
    intact: Sequence[NDArray[np.uint8]]
    """T times [48, 64, 3], the same before anything digital went wrong; needed for glitches alone"""
    fps: float

    def sees(self, label: str, start_seconds: float, end_seconds: float) -> bool:
        """Whether a fault of that time differs from what was before."""
        start = round(start_seconds * self.fps)
        if start < 3:
            return False
        before = slice(max(0, start - round(1.2 * self.fps)), max(1, start - 1))
        middle = start + round(min(0.5 * (end_seconds - start_seconds), 4.0) * self.fps)
        during = slice(max(start, middle - 2), middle + 3)
        if label == "frozen":
            return self._stops(start, round(end_seconds * self.fps))
        if label == "defocused":
            sharp, soft = self._sharpness(before), self._sharpness(during)
            return sharp >= 1.5 and soft < 0.75 * sharp
        if label == "moved" and self._sharpness(before) < MIN_SHARPNESS:
            return False
        usual, then = (np.median(self._smalls(part), axis=0).mean(axis=-1) for part in (before, during))
        if label == "lights_out":
            return bool(then.mean() < min(0.62 * usual.mean(), usual.mean() - 10))
        if label == "moved":
            usual, then = (level - np.median(level) for level in (usual, then))
        needed = {"covered": 0.35, "moved": 0.15}[label]
        return bool((np.abs(then - usual) > 10).mean() >= needed)

    def dulled(self, start_seconds: float, end_seconds: float) -> bool:
        """Whether what is seen at the end of a move has so little light or detail beside what was before that it could
        as well be a cover, a blur or darkness."""
        start, end = round(start_seconds * self.fps), round(end_seconds * self.fps)
        before, after = slice(max(0, start - 5), max(1, start - 1)), slice(max(start, end - 5), end)
        light, new_light = (float(self._smalls(part).mean()) for part in (before, after))
        return self._sharpness(after) < DULL * self._sharpness(before) or new_light < DULL * light

    def damaged(self, start_seconds: float, end_seconds: float) -> list[tuple[float, float]]:
        """From when to when damage shows; what shows again within MEND_SECONDS is one, what is too short none."""
        shown = self._smalls(slice(None)).astype(np.int16)
        differs = (np.abs(shown - np.stack(self.intact)).max(axis=-1) > DAMAGE_LEVELS).mean((1, 2))
        times = np.arange(len(differs)) / self.fps
        inside = (times >= start_seconds - 0.01) & (times < end_seconds + 0.3)
        usual = float(np.median(differs[~inside])) if not inside.all() else 0.0
        shows = times[inside & (differs > usual + MIN_DAMAGE)]
        spans = np.split(shows, np.flatnonzero(np.diff(shows) > MEND_SECONDS) + 1)
        long = [span for span in spans if len(span) >= 3 and span[-1] - span[0] >= 0.5]
        return [(float(span[0]), float(span[-1] + 1 / self.fps)) for span in long]

    def _smalls(self, part: slice) -> NDArray[np.uint8]:
        return np.stack([small(picture) for picture in self.frames[part]])

    def _stops(self, start: int, end: int) -> bool:
        before = self._restlessness(max(1, start - round(3 * self.fps)), start)
        after = self._restlessness(start + 2, end)
        return before > MIN_RESTLESSNESS and after < 0.35 * before

    def _restlessness(self, first: int, last: int) -> float:
        """Mean change from frame to frame, the largest tenth left out: codecs pulse, clocks tick."""
        changes = [cv2.absdiff(self.frames[index], self.frames[index - 1]).mean() for index in range(first, last)]
        kept = sorted(changes)[: max(1, round(0.9 * len(changes)))]
        return float(np.mean(kept)) if changes else 0.0

    def _sharpness(self, part: slice) -> float:
        greys = [cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in self.frames[part]]
        width, height = greys[0].shape[1] // 2, greys[0].shape[0] // 2
        halves = [cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA) for grey in greys]
        return float(np.abs(cv2.Laplacian(np.median(halves, axis=0), cv2.CV_64F)).mean())
