from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.ingest.sources.decoding.transport import MAX_LONG_SIDE, encode_jpeg, max_long_side, transport_size

SIDE = st.integers(min_value=1, max_value=16_384)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ((1920, 1080), (342, 192)),
        ((1080, 1920), (192, 342)),
        ((768, 576), (256, 192)),
        ((192, 192), (192, 192)),
        ((176, 144), (176, 144)),
        ((101, 99), (100, 98)),
        ((16_384, 256), (1024, 16)),
        ((1, 1), (2, 2)),
    ],
)
def test_size_of_known_pictures(source: tuple[int, int], expected: tuple[int, int]) -> None:
    assert transport_size(*source) == expected


def test_a_large_picture_keeps_its_lines() -> None:
    assert transport_size(1920, 1080, 720) == (1280, 720)
    assert transport_size(2560, 1080, 720) == (1280, 540)


@example(1, 1128, 634)
@given(SIDE, SIDE, st.integers(min_value=32, max_value=768))
def test_size_is_even_bounded_and_never_enlarged(width: int, height: int, short_side: int) -> None:
    small_width, small_height = transport_size(width, height, short_side)
    assert small_width % 2 == small_height % 2 == 0
    assert 2 <= small_width <= max(2, width)
    assert 2 <= small_height <= max(2, height)
    assert max(small_width, small_height) <= max_long_side(short_side)
    assert min(small_width, small_height) <= max(2, short_side + 1)


@given(st.integers(min_value=200, max_value=8192), st.integers(min_value=200, max_value=8192))
def test_size_keeps_the_aspect_to_within_a_pixel(width: int, height: int) -> None:
    small_width, small_height = transport_size(width, height)
    scale = max(small_width / width, small_height / height)
    assert abs(small_width - width * scale) <= 2 * max(1, width / height)
    assert abs(small_height - height * scale) <= 2 * max(1, height / width)


def test_jpeg_comes_back_as_the_picture() -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :32] = (200, 100, 50)
    jpeg = encode_jpeg(picture)
    decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert jpeg[:2] == b"\xff\xd8"
    assert np.abs(decoded.astype(int) - picture).mean() < 3


def test_quality_trades_size() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    assert len(encode_jpeg(noise, 30)) < len(encode_jpeg(noise, 95))


@pytest.mark.parametrize(
    ("size", "aspect", "expected"),
    [
        ((352, 576), Fraction(24, 11), (256, 192)),
        ((704, 576), Fraction(16, 11), (342, 192)),
        ((720, 576), Fraction(16, 15), (256, 192)),
        ((1920, 1080), Fraction(1), (342, 192)),
        ((640, 240), Fraction(1, 2), (256, 192)),
        ((64, 48), Fraction(4, 3), (84, 48)),
        ((16_384, 2), Fraction(10), (1024, 2)),
        ((16_384, 16_384), Fraction(1, 10), (102, 1024)),
    ],
)
def test_oblong_pixels_are_made_square(size: tuple[int, int], aspect: Fraction, expected: tuple[int, int]) -> None:
    assert transport_size(*size, pixel_aspect=aspect) == expected


@pytest.mark.parametrize("aspect", [None, Fraction(0), Fraction(-4, 3), Fraction(101, 10), Fraction(1, 11)])
def test_an_aspect_that_cannot_be_is_ignored(aspect: Fraction | None) -> None:
    assert transport_size(352, 288, pixel_aspect=aspect) == transport_size(352, 288)


@given(SIDE, SIDE, st.fractions(-100, 100))
def test_size_is_even_and_bounded_whatever_the_pixels(width: int, height: int, aspect: Fraction) -> None:
    small_width, small_height = transport_size(width, height, pixel_aspect=aspect)
    assert small_width % 2 == small_height % 2 == 0
    assert min(small_width, small_height) >= 2
    assert max(small_width, small_height) <= MAX_LONG_SIDE
