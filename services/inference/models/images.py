"""From a frame's JPEG to the planes that the network sees."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.errors import FrameUnreadable

MAX_SIDE = 4096
MAX_JPEG_BYTES = 32 << 20
LARGEST_PART = 16
"""So many pictures a thread decodes in one go: handing them over one by one takes 6 % more."""
_REDUCED = (
    (8, cv2.IMREAD_REDUCED_GRAYSCALE_8),
    (4, cv2.IMREAD_REDUCED_GRAYSCALE_4),
    (2, cv2.IMREAD_REDUCED_GRAYSCALE_2),
)
"""As flags for one eighth, one quarter and half of a side: of those for colours each bears the one for BGR."""
_RGB = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))


def decode_image(jpeg: bytes, height: int, width: int) -> NDArray[np.uint8]:
    """The picture scaled to [height, width, 3], RGB, uint8; raises FrameUnreadable.

    A picture at least twice as large is decoded at a reduced scale already (in the DCT). What then is less than twice
    as large is interpolated, which below that leaves no pixel out and takes a third of the time of averaging.
    """
    full_height, full_width = jpeg_size(jpeg)
    shrink = min(full_height // height, full_width // width)
    reduced = next((flag for factor, flag in _REDUCED if shrink >= factor), 0)
    try:
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), _RGB | reduced)
        if picture is None:
            raise FrameUnreadable(f"JPEG of {len(jpeg)} bytes, {full_width}x{full_height}, does not decode", "damaged")
        if picture.shape[:2] != (height, width):
            is_far = picture.shape[0] >= 2 * height or picture.shape[1] >= 2 * width
            way = cv2.INTER_AREA if is_far else cv2.INTER_LINEAR
            picture = cv2.resize(picture, (width, height), interpolation=way)
    except cv2.error as err:
        raise FrameUnreadable(f"JPEG of {len(jpeg)} bytes, {full_width}x{full_height}: {err.err}", "damaged") from err
    return np.asarray(picture, dtype=np.uint8)


class Pending(NamedTuple):
    """A picture that is being decoded, one of a part."""

    part: Future[list[NDArray[np.uint8] | FrameUnreadable]]
    place: int

    def result(self) -> NDArray[np.uint8]:
        """The picture's planes, [3, height, width], RGB, uint8, once they are there; raises FrameUnreadable."""
        decoded = self.part.result()[self.place]
        if isinstance(decoded, FrameUnreadable):
            raise decoded
        return decoded


def begin_decoding(
    decoders: Executor, num_threads: int, jpegs: Sequence[bytes], height: int, width: int
) -> list[Pending]:
    """Gives the pictures to as many threads, in parts, the first of them first."""
    size = max(1, min(LARGEST_PART, -(-len(jpegs) // num_threads)))
    pending = list[Pending]()
    for start in range(0, len(jpegs), size):
        jpegs_of_part = jpegs[start : start + size]
        part = decoders.submit(_decode_part, jpegs_of_part, height, width)
        pending += [Pending(part, place) for place in range(len(jpegs_of_part))]
    return pending


def _decode_part(jpegs: Sequence[bytes], height: int, width: int) -> list[NDArray[np.uint8] | FrameUnreadable]:
    decoded = list[NDArray[np.uint8] | FrameUnreadable]()
    planes = np.empty((len(jpegs), 3, height, width), np.uint8)
    for jpeg, of_image in zip(jpegs, planes, strict=True):
        try:
            cv2.split(decode_image(jpeg, height, width), list(of_image))
        except FrameUnreadable as err:
            decoded.append(err)
        else:
            decoded.append(of_image)
    return decoded


def planes_of(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[B, H, W, 3] -> [B, 3, H, W]: each colour by itself, which plain arithmetic is several times faster with."""
    planes = np.empty((len(images), 3, *images.shape[1:3]), np.uint8)
    for image, of_image in zip(images, planes, strict=True):
        cv2.split(image, list(of_image))
    return planes


def jpeg_size(jpeg: bytes) -> tuple[int, int]:
    """Height and width from the header, before anything is decoded; raises FrameUnreadable beyond 4096 a side."""
    if len(jpeg) > MAX_JPEG_BYTES:
        raise FrameUnreadable(f"JPEG of {len(jpeg)} bytes; allowed are {MAX_JPEG_BYTES}", "size")
    for marker, start in _segments(jpeg):
        if marker in _FRAME_HEADERS and start + 7 <= len(jpeg):
            height = int.from_bytes(jpeg[start + 3 : start + 5], "big")
            width = int.from_bytes(jpeg[start + 5 : start + 7], "big")
            if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
                raise FrameUnreadable(f"picture of {width}x{height}; allowed are 1 to {MAX_SIDE} pixels a side", "size")
            return height, width
    raise FrameUnreadable(f"{len(jpeg)} bytes without a JPEG frame header", "header")


def _segments(jpeg: bytes) -> Iterator[tuple[int, int]]:
    """The marker and offset (of its length field) of each segment, up to the picture's data."""
    if jpeg[:2] != b"\xff\xd8":
        return
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF:
        marker = jpeg[at + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            at += 1 if marker == 0xFF else 2
            continue
        yield marker, at + 2
        if marker in (0xDA, 0xD9):
            return
        at += 2 + max(2, int.from_bytes(jpeg[at + 2 : at + 4], "big"))
