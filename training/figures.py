"""Figures of pictures at the source's own size, as the network is given them.

They stand in for what ingest measures on decoded frames, until its reader does.
"""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.entries import MAX_FIGURES, Figures

BLOCK: Final = 16
MIN_BLOCKS: Final = 4
UNKNOWN: Final = -1.0

Levels = NDArray[np.float32]


class PictureMeasurer:
    """Measures a source's pictures, each against the one before."""

    def __init__(self) -> None:
        self._before: tuple[NDArray[np.uint8], Levels] | None = None

    def measure(self, bgr: NDArray[np.uint8]) -> Figures | None:
        """The figures of a picture [H, W, 3]; None where it has a side of fewer than 64 pixels."""
        rows, cols = (side // BLOCK for side in bgr.shape[:2])
        if min(rows, cols) < MIN_BLOCKS:
            self._before = None
            return None
        yuv = cv2.cvtColor(np.ascontiguousarray(bgr[: rows * BLOCK, : cols * BLOCK]), cv2.COLOR_BGR2YUV)
        luma = np.ascontiguousarray(yuv[..., 0])
        levels = luma.astype(np.int16)
        beside, above = _excess(levels)
        third, shifted = _third(beside, above), _third(*_excess(levels[8:-8, 8:-8]))
        blocks = levels.reshape(rows, BLOCK, cols, BLOCK)
        before, self._before = self._before, (np.asarray(luma, np.uint8), third)
        same: Any = [UNKNOWN] * 3
        if before is not None and before[0].shape == luma.shape:
            risen = third - before[1]
            equal = (before[0] == luma).reshape(blocks.shape).all((1, 3))
            same = [equal.mean(), (risen > 4).mean(), (risen > 12).mean()]
        down = _inside(np.abs(np.diff(levels, axis=0, append=levels[-1:])), rows, cols)[:, :-1].sum((1, 3))
        across = _inside(np.abs(np.diff(levels, axis=1, append=levels[:, -1:])), rows, cols)[..., :-1].sum((1, 3))
        colours = cv2.resize(yuv[..., 1:], (cols, rows), interpolation=cv2.INTER_AREA).astype(np.int16) - 128
        figures = (
            *((third > level).mean() for level in (2, 4, 8, 16)),
            (blocks.max((1, 3)) - blocks.min((1, 3)) <= 1).mean(),
            same[0],
            np.log(np.abs(cv2.Laplacian(luma, cv2.CV_16S)).mean() + 0.1),
            ((down <= 8) & (across > 64)).mean(),
            ((across <= 8) & (down > 64)).mean(),
            (np.abs(colours) > 48).any(2).mean(),
            third.mean(),
            np.maximum(beside, 0).mean() + np.maximum(above, 0).mean(),
            *same[1:],
            *((shifted > level).mean() for level in (4, 8)),
        )
        return tuple(float(figure) for figure in figures)


def figures_array(measured: list[Figures | None]) -> Levels:
    """[T, 16]; not numbers where nothing was measured."""
    unknown = (float("nan"),) * MAX_FIGURES
    return np.array([figures or unknown for figures in measured], np.float32).reshape(-1, MAX_FIGURES)


def _inside(steps: NDArray[np.int16], rows: int, cols: int) -> NDArray[np.int16]:
    return steps.reshape(rows, BLOCK, cols, BLOCK)


def _excess(levels: NDArray[np.int16]) -> tuple[Levels, Levels]:
    """By how much the steps across block borders exceed those beside: [rows, cols - 1] and [rows - 1, cols]."""
    return _along(levels), _along(levels.T).T


def _along(levels: NDArray[np.int16]) -> Levels:
    rows, cols = levels.shape[0] // BLOCK, levels.shape[1] // BLOCK
    first, left, right, last = (levels[:, start : start + (cols - 1) * BLOCK : BLOCK] for start in range(14, 18))
    beside = np.abs(left - first).astype(np.float32) + np.abs(last - right)
    steps: Levels = (np.abs(right - left) - 0.5 * beside).reshape(rows, BLOCK, cols - 1).mean(1)
    return steps


def _third(beside: Levels, above: Levels) -> Levels:
    """The third largest excess of each block's four sides."""
    sides = (
        np.pad(beside, ((0, 0), (1, 0))),
        np.pad(beside, ((0, 0), (0, 1))),
        np.pad(above, ((1, 0), (0, 0))),
        np.pad(above, ((0, 1), (0, 0))),
    )
    third: Levels = np.sort(np.stack(sides), axis=0)[1]
    return third
