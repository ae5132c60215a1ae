"""Whether an incident can be seen in the picture at all: nobody can tell a frozen still life from a quiet one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.scenes.backgrounds import Picture
from training.truth import Interval, joined

SMALL = (64, 48)
LUMA = np.array((0.114, 0.587, 0.299), np.float32)
WHITE = 255.0
MIN_DAMAGE = 0.02
"""Share of the picture that damage must show in."""
DAMAGE_LEVELS = 14
MEND_SECONDS = 1.0
"""Damage that is gone for longer has healed."""
MIN_SHARPNESS = 1.0
"""Mean absolute Laplacian at half the size: a camera that looks at less is not seen to move."""
DULL = 0.6
OVEREXPOSED = 0.94
"""Of what the camera gives for full light."""
GLARED, DAZZLED = 0.08, 0.04
"""Share of the picture that is overexposed beyond the usual where there is glare; from the lesser one there may be."""
FLASH_SECONDS = 1.5
"""Light that is gone by then is a flash."""
BEFORE_SECONDS = 2.0
"""So long before its time what is gradual may begin, or after it end."""
TINTED = 10.0
"""Grey levels by which blue and red, on average, differ from grey otherwise than before."""
NOISY = 3.5
"""Grey levels from frame to frame by which noise exceeds what was usual."""
SHAKEN, LATELY_SECONDS = 0.005, 0.5
"""Share of the height by which a view that shakes is elsewhere than a frame ago, or than so lately."""
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
    white: float | None = WHITE
    """The grey level that the camera gives for full light; None where its colours are false."""

    def sees(self, label: str, start_seconds: float, end_seconds: float) -> bool:
        """Whether a fault of that time differs from what was before."""
        start = round(start_seconds * self.fps)
        if start < 3 or (label in {"moved", "shake"} and self._sharpness(self._before(start)) < MIN_SHARPNESS):
            return False
        if label in {"frozen", "noise", "shake"}:
            sees = {"frozen": self._stops, "noise": self._is_noisy, "shake": self._is_shaken}[label]
            return sees(start, round(end_seconds * self.fps))
        before = self._before(start)
        middle = start + round(min(0.5 * (end_seconds - start_seconds), 4.0) * self.fps)
        during = slice(max(start, middle - 2), middle + 3)
        if label == "defocused":
            sharp, soft = self._sharpness(before), self._sharpness(during)
            return sharp >= 1.5 and soft < 0.75 * sharp
        colours = [np.median(self._smalls(part), axis=0) for part in (before, during)]
        if label == "tint":
            return self.white is not None and _tinted(*colours)
        usual, then = (colour.mean(axis=-1) for colour in colours)
        if label == "lights_out":
            return bool(then.mean() < min(0.62 * usual.mean(), usual.mean() - 10))
        if label == "moved":
            usual, then = (level - np.median(level) for level in (usual, then))
        needed = {"covered": 0.35, "moved": 0.15}[label]
        return bool((np.abs(then - usual) > 10).mean() >= needed)

    def _before(self, start: int) -> slice:
        return slice(max(0, start - round(1.2 * self.fps)), max(1, start - 1))

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

    def glared(self, start_seconds: float, end_seconds: float) -> list[Interval]:
        """When, about that time, much is overexposed that was not before."""
        over = self._overexposed()
        first = max(0, round((start_seconds - BEFORE_SECONDS) * self.fps))
        last = round((end_seconds + BEFORE_SECONDS) * self.fps)
        usual = np.median(over[max(0, first - round(1.2 * self.fps)) : max(first, 3)])
        holds = over > usual + GLARED
        holds[:first] = holds[last:] = False
        return joined("glare", holds.tolist(), self.fps, gap_seconds=1.0, min_seconds=FLASH_SECONDS)

    def dazzled(self, planned: Sequence[tuple[float, float]]) -> list[Interval]:
        """Where some of the picture is overexposed that was not at first, though no glare was planned."""
        over = self._overexposed()
        holds = over > np.median(over[: round(self.fps)]) + DAZZLED
        for start, end in planned:
            inside = (start - BEFORE_SECONDS) * self.fps, (end + BEFORE_SECONDS) * self.fps
            holds[max(0, round(inside[0])) : round(inside[1])] = False
        return joined("glare", holds.tolist(), self.fps, gap_seconds=1.0, min_seconds=FLASH_SECONDS)

    def _overexposed(self) -> NDArray[np.float64]:
        """[T], the share of each frame that is."""
        if self.white is None:
            return np.zeros(len(self.frames))
        greys = (cv2.cvtColor(small(picture), cv2.COLOR_BGR2GRAY) for picture in self.frames)
        return np.array([(grey >= OVEREXPOSED * self.white).mean() for grey in greys])

    def _is_noisy(self, start: int, end: int) -> bool:
        """Whether frames differ from one to the next by much more than before."""
        before, during = (
            [float(cv2.absdiff(self.frames[at], self.frames[at - 1]).mean()) for at in part]
            for part in self._around(start, end)
        )
        return _usual_most(during) > max(2 * _usual_most(before), _usual_most(before) + NOISY)

    def _is_shaken(self, start: int, end: int) -> bool:
        """Whether the view is elsewhere from one frame to the next, by more than before."""
        before, during = ([self._shift(at) for at in part] for part in self._around(start, end))
        return _usual_most(during) > max(2 * _usual_most(before), SHAKEN)

    def _around(self, start: int, end: int) -> tuple[range, range]:
        """Frames well before and well inside what may come slowly."""
        before = range(max(1, start - round(2.5 * self.fps)), max(2, start - round(0.9 * self.fps)))
        return before, range(start + (end - start) // 4, end - (end - start) // 8)

    def _shift(self, at: int) -> float:
        """By how much a frame's view has shifted since the one before, or lately, as a share of its height."""
        height, width = self.frames.shape[1:3]
        window = cv2.createHanningWindow((width // 3, height // 3), cv2.CV_32F)
        now, *past = (
            cv2.resize(
                cv2.cvtColor(self.frames[max(0, index)], cv2.COLOR_BGR2GRAY),
                (width // 3, height // 3),
                interpolation=cv2.INTER_AREA,
            ).astype(np.float32)
            for index in (at, at - 1, at - round(LATELY_SECONDS * self.fps))
        )
        return float(max(math.hypot(*cv2.phaseCorrelate(each, now, window)[0]) for each in past) / (height // 3))

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


def _usual_most(values: Sequence[float]) -> float:
    """The greatest of the lower four fifths: where a camera repeats frames, what is between them counts."""
    return sorted(values)[4 * len(values) // 5 - 1] if len(values) > 1 else 0.0


def _tinted(usual: NDArray[np.float64], then: NDArray[np.float64]) -> bool:
    """Whether all the picture, [48, 64, 3], has come to be of another colour, where it is light enough to have one."""
    greys = [picture @ LUMA for picture in (usual, then)]
    light = np.maximum(*greys) > 30
    shifts = [picture[..., ::2] - grey[..., None] for picture, grey in zip((usual, then), greys, strict=True)]
    shift = (shifts[1] - shifts[0])[light]
    if light.mean() < 0.3 or (far := float(np.linalg.norm(mean := shift.mean(axis=0)))) < TINTED:
        return False
    return bool((shift @ (mean / far) > 0.25 * far).mean() >= 0.6)
