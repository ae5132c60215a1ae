"""The picture as it travels: small, aspect kept, JPEG. Training shrinks its footage the same way."""

from fractions import Fraction
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

SHORT_SIDE: Final = 192
MAX_LONG_SIDE: Final = 1024
WIDEST: Final = Fraction(16, 9)
"""What the long side may be to the short one where that bound would shrink it."""
MAX_PIXEL_ASPECT: Final = Fraction(10)
JPEG_QUALITY: Final = 85


def transport_size(
    width: int, height: int, short_side: int = SHORT_SIDE, pixel_aspect: Fraction | None = None
) -> tuple[int, int]:
    """Width and height, both even and at least 2, for a picture of the given size.

    The short side becomes `short_side`, unless that would enlarge the picture or push the long side beyond 1024, or
    16/9 of `short_side` where that is more.
    `pixel_aspect` is the width of a pixel by its height: where they are not square, the picture is stretched across
    them first, as players show it. What cannot be true of it is ignored.
    """
    if pixel_aspect and pixel_aspect != 1 and 1 / MAX_PIXEL_ASPECT <= pixel_aspect <= MAX_PIXEL_ASPECT:
        square = Fraction(1)
        width, height = round(width * max(square, pixel_aspect)), round(height / min(square, pixel_aspect))
    scale = min(1.0, short_side / min(width, height), max_long_side(short_side) / max(width, height))
    return _even(width, scale), _even(height, scale)


def max_long_side(short_side: int) -> int:
    """The most pixels of a picture's long side, an even number, where its short one should have so many."""
    return max(MAX_LONG_SIDE, 2 * round(short_side * WIDEST / 2))


def encode_jpeg(bgr: NDArray[np.uint8], quality: int = JPEG_QUALITY) -> bytes:
    """The picture, [H, W, 3] BGR uint8, as JPEG; `quality` from 1 to 100."""
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


def _even(side: int, scale: float) -> int:
    """The nearest even length that is not longer than the side itself (but for a side of one pixel)."""
    return max(2, min(2 * round(side * scale / 2), side // 2 * 2))
