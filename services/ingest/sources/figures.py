"""What the small picture cannot show of a frame, measured at its own size: block edges, sharpness, what stood still.

Of the luma as it was coded (limited or full range), before any scaling or turning. Measured are macro-blocks of 16x16
that do not touch the picture's border: all of a row, in as many rows at equal distances as make 4 to 6 (fewer in small
pictures). All but the last step is done in whole numbers: the figures are the same on every machine.

The *excess* of a border between two blocks is by how much the step across it exceeds the mean of the steps beside it,
in grey levels, as a mean over its 16 pixels. A block's excess is the third largest of its four sides': what was pasted
in stands out at three sides, an object's edge seldom does.

| figure | of a frame; shares are those of its measured blocks |
| --- | --- |
| 0 to 3 | share whose excess is above 2, 4, 8, 16 |
| 4 | share that is flat: it changes by 8 levels at most downward, and rightward, all steps within it added |
| 5 | share that equals the frame before to the last bit |
| 6 | sharpness: logarithm of the mean absolute Laplacian plus 0.1, in every fourth measured row |
| 7, 8 | share that is smeared downward, rightward: it changes by 8 at most along that, and by more than 64 across it |
| 9 | share of extreme colour: U or V of its middle is more than 48 from grey |
| 10, 11 | mean excess of the blocks; of their borders, where positive, side by side plus one below the other |
| 12, 13 | share whose excess has risen by more than 4, 12 since the frame before |
| 14, 15 | share whose excess is above 4, 8, as if all blocks lay 8 pixels further right and down: for comparison |

The frame before is the one sampled before. Where there is none, or it had another size, 5, 12 and 13 are UNKNOWN.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from shared.entries import Figures

UNKNOWN: Final = -1.0
BLOCK: Final = 16
HALVINGS: Final = 4
SHIFT: Final = BLOCK // 2
MIN_BLOCKS: Final = 4
MAX_ROWS: Final = 6
LEAST_STEP: Final = 2
"""So many rows of blocks are measured at most, and no more than every second: more cost more than they tell."""
LINES_ABOVE: Final = 2
BAND: Final = LINES_ABOVE + BLOCK + SHIFT + 2
"""Lines that a measured row is told by: those of its blocks, where they are and shifted, and beyond their borders."""
SHARPNESS_STEP: Final = 4
UNITS: Final = 2 * BLOCK
"""An excess of one grey level, as it is counted."""
STILL_STEPS: Final = 8
LIVELY_STEPS: Final = 64
LEAST_COLOUR: Final = np.uint8(80)
COLOUR_RANGE: Final = 96
USUAL: Final = "yuv420p"
CHROMA_BLOCK: Final = {
    "yuv420p": (8, 8, 1),
    "yuvj420p": (8, 8, 1),
    "nv12": (8, 8, 2),
    "yuv422p": (8, 16, 1),
    "yuvj422p": (8, 16, 1),
    "yuv444p": (16, 16, 1),
    "yuvj444p": (16, 16, 1),
    "gray": (0, 0, 0),
}
"""By format that is measured as it is: a block's width and height in chroma, and the values of a pixel in its plane."""

Pixels = NDArray[np.uint8]
Excess = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of a picture: its bytes, and how many of them a line takes."""

    data: Any
    line: int

    def cut(self, offset: int, shape: Sequence[int], strides: Sequence[int], kind: type = np.uint8) -> NDArray[Any]:
        """A contiguous copy of the values at `offset` and, along each axis, as many bytes further as `strides` says."""
        return np.ascontiguousarray(np.ndarray(shape, kind, self.data, offset, strides))


@dataclass(frozen=True, slots=True)
class Planes:
    """A picture in YUV, 8 bits a value, of a format in CHROMA_BLOCK; width and height in pixels."""

    width: int
    height: int
    format_name: str
    planes: Sequence[Plane]

    @classmethod
    def of_picture(cls, bgr: Pixels) -> Self:
        """A picture, [H, W, 3] BGR, as most cameras code it: limited range, 4:2:0; cropped to whole blocks."""
        height, width = (side // BLOCK * BLOCK for side in bgr.shape[:2])
        data = cv2.cvtColor(np.ascontiguousarray(bgr[:height, :width]), cv2.COLOR_BGR2YUV_I420).ravel()
        y, u, v = np.split(data, [width * height, width * height * 5 // 4])
        return cls(width, height, USUAL, [Plane(y, width), Plane(u, width // 2), Plane(v, width // 2)])


@dataclass(frozen=True, slots=True)
class Measured:
    """What is kept of a frame for the next one: size, pixels and excess of its measured blocks."""

    size: tuple[int, int]
    pixels: Pixels
    excess: Excess


class Measurer:
    """Measures a source's sampled frames, each against the one before."""

    def __init__(self) -> None:
        self._before: Measured | None = None
        self._passed: VideoFrame | None = None
        self._reformatter = VideoReformatter()

    def pass_over(self, frame: VideoFrame) -> None:
        """A frame was sampled but is not wanted: the next one that is wanted has it before."""
        self._passed = frame

    def measure(self, frame: VideoFrame) -> Figures | None:
        """A decoded frame's figures; None where it has a side of fewer than 64 pixels."""
        if self._passed:
            self.measure_planes(self._planes(self._passed))
            self._passed = None
        return self.measure_planes(self._planes(frame))

    def _planes(self, frame: VideoFrame) -> Planes:
        name, planes = frame.format.name, frame.planes
        if name not in CHROMA_BLOCK or any(plane.line_size <= 0 for plane in planes):
            frame = self._reformatter.reformat(frame, format=USUAL, threads=1)
            name, planes = USUAL, frame.planes
        return Planes(frame.width, frame.height, name, [Plane(memoryview(each), each.line_size) for each in planes])

    def measure_planes(self, picture: Planes) -> Figures | None:
        """The same of a picture that has been taken apart."""
        rows, cols = picture.height // BLOCK, picture.width // BLOCK
        if min(rows, cols) < MIN_BLOCKS:
            self._before = None
            return None
        step = max(LEAST_STEP, -(-(rows - 2) // MAX_ROWS))
        num, width = -(-(rows - 2) // step), BLOCK * (cols - 2)
        bands = _bands(picture.planes[0], num, step, cols)
        beside, above = _beside(bands, num, cols), _above(bands, num, width)
        excess, shifted = _third(beside, above)
        shape, strides = (num, BLOCK, width), (BAND * bands.line, bands.line, 1)
        pixels = bands.cut(LINES_ABOVE * bands.line + BLOCK, shape, strides).reshape(num, BLOCK * width)
        before, size = self._before, (picture.width, picture.height)
        self._before = Measured(size, pixels, excess)
        is_like = before is not None and before.size == size
        down, across, *changes = _changes(pixels, before.pixels if before and is_like else None, width)
        risen = excess - before.excess if before and is_like else None
        return (
            *_shares_above(excess, 2, 4, 8, 16),
            _share((down <= STILL_STEPS) & (across <= STILL_STEPS)),
            _share(changes[0] == 0) if changes else UNKNOWN,
            _sharpness(pixels, width),
            _share((down <= STILL_STEPS) & (across > LIVELY_STEPS)),
            _share((across <= STILL_STEPS) & (down > LIVELY_STEPS)),
            _colourful(picture, num, step, cols - 2),
            _mean(excess) / UNITS,
            (_mean(np.maximum(beside[0], 0)) + _mean(np.maximum(above[0], 0))) / UNITS,
            *((UNKNOWN, UNKNOWN) if risen is None else _shares_above(risen, 4, 12)),
            *_shares_above(shifted, 4, 8),
        )


def _share(which: NDArray[Any]) -> float:
    return int(np.count_nonzero(which)) / which.size


def _shares_above(excess: Excess, *levels: int) -> list[float]:
    return [_share(excess > level * UNITS) for level in levels]


def _mean(excess: Excess) -> float:
    return float(np.add.reduce(excess, axis=None, dtype=np.int64)) / excess.size


def _bands(luma: Plane, num: int, step: int, cols: int) -> Plane:
    """The lines of measured rows, one band below the other: so memory is read once, and in order."""
    line, width = luma.line, BLOCK * cols
    bands = luma.cut((BLOCK - LINES_ABOVE) * line, (num, BAND, width), (step * BLOCK * line, line, 1))
    return Plane(bands, width)


def _beside(bands: Plane, num: int, cols: int) -> Excess:
    """Excess of the borders between blocks side by side, where they are and shifted, [2, num, cols - 1]."""
    line, borders = bands.line, cols - 1
    shape, strides = (2, num, BLOCK, borders), (SHIFT * (line + 1), BAND * line, line, BLOCK)
    # the four pixels around a border as one value
    fours = bands.cut(LINES_ABOVE * line + BLOCK - 2, shape, strides, np.uint32)
    pixels = cv2.transpose(fours.view(np.uint8).reshape(-1, 4))
    steps = cv2.absdiff(pixels[:3], pixels[1:]).reshape(-1, BLOCK * borders)
    half = steps.shape[1] // 2
    sums = cv2.add(steps[:, :half], steps[:, half:], dtype=cv2.CV_16S)
    while half > borders:
        half //= 2
        sums = cv2.add(sums[:, :half], sums[:, half:])
    first, middle, last = np.asarray(sums, np.int16).reshape(3, 2, num, borders)
    return 2 * middle - first - last


def _above(bands: Plane, num: int, width: int) -> Excess:
    """Excess of the borders above and below blocks, where they are and shifted, [2, num, 2, width / 16]."""
    line = bands.line
    strides = SHIFT * (line + 1), BAND * line, BLOCK * line, line, 1
    pixels = bands.cut(BLOCK, (2, num, 2, 4, width), strides).reshape(-1, 4 * width)
    steps = cv2.absdiff(pixels[:, :-width], pixels[:, width:]).reshape(-1, BLOCK)
    sums = cv2.reduce(steps, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S).astype(np.int16).reshape(-1, 3, width // BLOCK)
    excess: Excess = 2 * sums[:, 1] - sums[:, 0] - sums[:, 2]
    return excess.reshape(2, num, 2, -1)


def _third(beside: Excess, above: Excess) -> Excess:
    """The third largest excess of each block's four sides, [2, num, cols - 2]."""
    left, right, top, bottom = beside[..., :-1], beside[..., 1:], above[:, :, 0], above[:, :, 1]
    lower = np.maximum(np.minimum(left, right), np.minimum(top, bottom))
    third: Excess = np.minimum(lower, np.minimum(np.maximum(left, right), np.maximum(top, bottom)))
    return third


def _changes(pixels: Pixels, before: Pixels | None, width: int) -> Pixels:
    """How much each block changes downward, rightward and, where there is one, since the frame before.

    [2 or 3, blocks]: absolute steps, added up; sums stop at 255.
    """
    changes = np.empty((2 if before is None else 3, *pixels.shape), np.uint8)
    cv2.absdiff(pixels[:, :-width], pixels[:, width:], changes[0, :, :-width])
    changes[0, :, -width:] = 0
    cv2.absdiff(pixels[:, :-1], pixels[:, 1:], changes[1, :, :-1])
    if before is not None:
        cv2.absdiff(pixels, before, changes[2])
    sums: NDArray[Any] = changes.reshape(-1, pixels.shape[1])
    for _ in range(HALVINGS):
        half = sums.shape[1] // 2
        sums = cv2.add(sums[:, :half], sums[:, half:])
    columns = cv2.transpose(sums.reshape(-1, BLOCK)).reshape(BLOCK, len(changes), -1)
    columns[-1, 1] = 0  # what lies right of a block's last column is another's
    sums = columns.reshape(BLOCK, -1)
    for _ in range(HALVINGS):
        half = len(sums) // 2
        sums = cv2.add(sums[:half], sums[half:])
    return np.asarray(sums, np.uint8).reshape(len(changes), -1)


def _sharpness(pixels: Pixels, width: int) -> float:
    rows = pixels[::SHARPNESS_STEP]
    laplacian = cv2.Laplacian(rows.reshape(-1, width), cv2.CV_16S).reshape(rows.shape)
    inner = laplacian[:, width:-width]  # what lies beyond a block's first and last line here is another's
    return math.log(cv2.norm(inner, cv2.NORM_L1) / inner.size + 0.1)


def _colourful(picture: Planes, num: int, step: int, cols: int) -> float:
    """The share of blocks whose middle has an extreme colour."""
    width, height, depth = CHROMA_BLOCK[picture.format_name]
    is_extreme = np.zeros((num, cols, 1), bool)
    for plane in picture.planes[1:]:
        offset = 3 * height // 2 * plane.line + 3 * width // 2 * depth
        colours = plane.cut(offset, (num, cols, depth), (step * height * plane.line, width * depth, 1))
        is_far = colours - LEAST_COLOUR > COLOUR_RANGE  # what lies below the least wraps around
        is_extreme |= is_far.any(axis=2, keepdims=True)
    return _share(is_extreme)
