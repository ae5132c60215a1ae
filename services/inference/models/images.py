"""From a frame's JPEG to the tensor that the network sees."""

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.errors import FrameUnreadable

MAX_SIDE = 4096
MAX_JPEG_BYTES = 32 << 20
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

    A picture at least twice as large is decoded at a reduced scale already (in the DCT), then averaged down.
    """
    full_height, full_width = jpeg_size(jpeg)
    shrink = min(full_height // height, full_width // width)
    reduced = next((flag for factor, flag in _REDUCED if shrink >= factor), 0)
    try:
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), _RGB | reduced)
        if picture is None:
            raise FrameUnreadable(f"JPEG of {len(jpeg)} bytes, {full_width}x{full_height}, does not decode", "damaged")
        if picture.shape[:2] != (height, width):
            picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    except cv2.error as err:
        raise FrameUnreadable(f"JPEG of {len(jpeg)} bytes, {full_width}x{full_height}: {err.err}", "damaged") from err
    return np.asarray(picture, dtype=np.uint8)


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


def as_input(images: NDArray[np.uint8], device: torch.device, *, as_planes: bool) -> Tensor:
    """[B, H, W, 3] uint8 -> [B, 3, H, W] on a device; `as_planes` lays each colour out by itself, which plain
    arithmetic on a CPU is several times faster with."""
    if not as_planes or device.type != "cpu":
        host = torch.from_numpy(images)
        return (host if device.type == "cpu" else host.pin_memory()).to(device, non_blocking=True).permute(0, 3, 1, 2)
    planes = np.empty((len(images), 3, *images.shape[1:3]), np.uint8)
    for image, of_image in zip(images, planes, strict=True):
        cv2.split(image, list(of_image))
    return torch.from_numpy(planes)
