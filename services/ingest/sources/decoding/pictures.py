"""A decoded frame as the small upright picture that travels; converted and scaled by swscale in one pass."""

from fractions import Fraction
from typing import Any, Final

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from services.ingest.sources.decoding.transport import transport_size
from shared.errors import SourceFailed

MAX_SIDE: Final = 16_384
MAX_PIXELS: Final = 8192 * 4608


class Shrinker:
    """Makes small pictures of frames, `short_side` pixels at their shorter side."""

    def __init__(self, short_side: int) -> None:
        self._short_side = short_side
        self._reformatter = VideoReformatter()

    def small(self, frame: VideoFrame, pixel_aspect: Fraction | None = None) -> NDArray[np.uint8]:
        """The frame as [H, W, 3] BGR at transport size, turned upright; raises SourceFailed where it is too large.

        `pixel_aspect` is the width of its pixels by their height.
        """
        check_size(frame.width, frame.height)
        width, height = transport_size(frame.width, frame.height, self._short_side, pixel_aspect)
        small = self._reformatter.reformat(
            frame, width=width, height=height, format="bgr24", interpolation=Interpolation.AREA, threads=1
        )
        image: NDArray[Any] = small.to_ndarray()
        return np.rot90(image, round(frame.rotation / 90)) if frame.rotation else image


def check_size(width: int, height: int) -> None:
    """Raises SourceFailed for pictures without a size, and for larger ones than are read."""
    if not (width and height):
        raise SourceFailed("its video stream states no picture size")
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise SourceFailed(
            f"picture of {width}x{height} pixels; allowed are 1 to {MAX_SIDE} a side and {MAX_PIXELS} in all"
        )
