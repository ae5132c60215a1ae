"""Decoding frames: the right picture, and nothing too large."""

import cv2
import numpy as np
import pytest
import torch

from services.inference.models.images import MAX_SIDE, as_input, decode_image, jpeg_size
from services.ingest.sources.decoding.transport import encode_jpeg
from shared.errors import FrameUnreadable


def ramp(height: int, width: int) -> np.ndarray:
    """Blue grows to the right, red downwards."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = np.linspace(0, 250, width)[None]
    picture[..., 2] = np.linspace(0, 250, height)[:, None]
    return picture


@pytest.mark.parametrize("size", [(192, 256), (192, 341), (96, 128), (97, 131), (768, 1024), (60, 80)])
def test_decodes_to_rgb_of_the_wanted_size(size: tuple[int, int]) -> None:
    image = decode_image(encode_jpeg(ramp(*size)), 96, 128)
    wanted = cv2.resize(ramp(*size), (128, 96), interpolation=cv2.INTER_AREA)[..., ::-1]
    assert image.shape == (96, 128, 3)
    assert image.dtype == np.uint8
    assert image.flags["C_CONTIGUOUS"]
    assert np.abs(image.astype(int) - wanted).mean() < 4


def test_decoding_is_repeatable() -> None:
    jpeg = encode_jpeg(ramp(192, 256))
    assert np.array_equal(decode_image(jpeg, 96, 128), decode_image(jpeg, 96, 128))


def test_reads_the_size_from_the_header() -> None:
    assert jpeg_size(encode_jpeg(ramp(40, 70))) == (40, 70)


def with_size(height: int, width: int) -> bytes:
    """A small JPEG whose header claims another size."""
    jpeg = bytearray(encode_jpeg(ramp(32, 32)))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(jpeg)


@pytest.mark.parametrize(("height", "width"), [(MAX_SIDE + 1, 32), (32, 65_535), (0, 32)])
def test_refuses_claimed_sizes_before_decoding(height: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("was decoded"))
    with pytest.raises(FrameUnreadable, match=f"{width}x{height}"):
        decode_image(with_size(height, width), 96, 128)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"not a picture", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_refuses_what_is_no_jpeg(content: bytes) -> None:
    with pytest.raises(FrameUnreadable, match="frame header"):
        decode_image(content, 96, 128)


def test_refuses_a_header_without_a_picture() -> None:
    jpeg = encode_jpeg(ramp(192, 256))
    with pytest.raises(FrameUnreadable):
        decode_image(jpeg[: jpeg.index(b"\xff\xda")], 96, 128)


def test_a_segment_that_points_beyond_the_end_is_refused() -> None:
    with pytest.raises(FrameUnreadable):
        decode_image(b"\xff\xd8\xff\xe0\xff\xff" + bytes(20), 96, 128)


@pytest.mark.parametrize("as_planes", [False, True])
def test_a_network_is_given_what_was_decoded(*, as_planes: bool) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3), dtype=np.uint8)
    pixels = as_input(images, torch.device("cpu"), as_planes=as_planes)
    assert pixels.is_contiguous() == as_planes
    assert np.array_equal(pixels.permute(0, 2, 3, 1), images)
