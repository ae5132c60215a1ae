"""Decoding frames: the right picture, and nothing too large."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from services.inference.models.images import (
    LARGEST_PART,
    MAX_SIDE,
    begin_decoding,
    decode_image,
    jpeg_size,
    planes_of,
)
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


def test_planes_hold_what_was_decoded() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3), dtype=np.uint8)
    planes = planes_of(images)
    assert planes.flags["C_CONTIGUOUS"]
    assert np.array_equal(planes.transpose(0, 2, 3, 1), images)
    with ThreadPoolExecutor(1) as decoders:
        jpeg = encode_jpeg(ramp(48, 64))
        [pending] = begin_decoding(decoders, 1, [jpeg], 48, 64)
        assert np.array_equal(pending.result(), planes_of(decode_image(jpeg, 48, 64)[None])[0])


@pytest.mark.parametrize("count", [0, 1, 2 * LARGEST_PART + 1, 3 * LARGEST_PART])
def test_pictures_are_decoded_in_parts_and_one_that_does_not_decode_harms_no_other(count: int) -> None:
    jpegs = [encode_jpeg(np.full((96, 128, 3), 2 * index, np.uint8)) for index in range(count)]
    if count > 1:
        jpegs[1] = b"no picture"
    with ThreadPoolExecutor(2) as decoders:
        pending = begin_decoding(decoders, 2, jpegs, 48, 64)
        assert len(pending) == count
        for index, each in enumerate(pending):
            if index == 1:
                with pytest.raises(FrameUnreadable, match="frame header"):
                    each.result()
            else:
                assert each.result().mean() == pytest.approx(2 * index, abs=1)
