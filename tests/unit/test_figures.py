"""What is measured at full size, on pictures whose figures are plain to see."""

from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from services.ingest.sources.figures import UNKNOWN, Measurer, Planes
from shared.entries import Figures

HEIGHT, WIDTH = 96, 160
"""6 x 10 blocks: of rows 1 and 3, 8 blocks each are measured."""
NUM_MEASURED = 16
Picture = NDArray[np.uint8]


def frame(luma: Picture, chroma: Picture | int = 128) -> av.VideoFrame:
    height, width = luma.shape
    planes = np.full((height // 2, width), 128, np.uint8)
    planes.reshape(2, height // 2, width // 2)[1] = chroma
    return av.VideoFrame.from_ndarray(np.concatenate([luma, planes]), format="yuv420p")


def measured(*frames: av.VideoFrame) -> Figures:
    """Those of the last of a source's frames."""
    measurer = Measurer()
    found = [measurer.measure(each) for each in frames][-1]
    assert found is not None
    return found


def scene() -> Picture:
    """Soft texture, the same on every machine."""
    coarse = np.random.default_rng(0).integers(60, 180, (12, 20), dtype=np.uint8)
    return cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def test_a_flat_picture_that_stands_still() -> None:
    flat = frame(np.full((HEIGHT, WIDTH), 90, np.uint8))
    first, second = measured(flat), measured(flat, flat)
    assert (first[4], second[4]) == (1, 1)
    assert (first[5], first[12], first[13]) == (UNKNOWN,) * 3
    assert (second[5], second[12], second[13]) == (1, 0, 0)
    assert first[6] == pytest.approx(np.log(0.1))
    assert [first[index] for index in (0, 1, 2, 3, 7, 8, 9, 10, 11, 14, 15)] == [0] * 11


def test_one_changed_pixel_is_a_changed_block() -> None:
    before = scene()
    after = before.copy()
    after[20, 20] += 1
    assert measured(frame(before), frame(after))[5] == 1 - 1 / NUM_MEASURED
    elsewhere = before.copy()
    elsewhere[2, 20] += 1
    assert measured(frame(before), frame(elsewhere))[5] == 1


def test_damaged_blocks_stand_out_where_blocks_are_and_nowhere_else() -> None:
    whole = np.full((HEIGHT, WIDTH), 100, np.uint8)
    damaged = whole.copy()
    for row in range(HEIGHT // 16):
        for col in range(row % 2, WIDTH // 16, 2):
            damaged[16 * row : 16 * row + 16, 16 * col : 16 * col + 16] += 10
    found = measured(frame(whole), frame(damaged))
    assert found[:4] == (1, 1, 1, 0)  # a checker: every block differs from all around it by 10
    assert (found[10], found[11]) == (10, 20)
    assert (found[12], found[13]) == (1, 0)
    assert (found[14], found[15]) == (0, 0)
    moved = measured(frame(np.roll(damaged, (8, 8), (0, 1))))
    assert (moved[:4], moved[14], moved[15]) == ((0, 0, 0, 0), 1, 1)


def test_an_edge_is_no_damage() -> None:
    edge = np.full((HEIGHT, WIDTH), 100, np.uint8)
    edge[:, 80:] = 200
    found = measured(frame(edge))
    assert found[:4] == (0, 0, 0, 0)
    assert found[11] > 5


def test_smears_are_told_by_their_direction() -> None:
    stripes = np.random.default_rng(1).integers(0, 255, (1, WIDTH), dtype=np.uint8).repeat(HEIGHT, axis=0)
    down, across = measured(frame(stripes)), measured(frame(np.ascontiguousarray(stripes[:, :HEIGHT].T)))
    assert (down[7], down[8], down[4]) == (1, 0, 0)
    assert (across[7], across[8], across[4]) == (0, 1, 0)


@pytest.mark.parametrize(("chroma", "share"), [(80, 0), (79, 1), (176, 0), (177, 1)])
def test_extreme_colour(chroma: int, share: int) -> None:
    assert measured(frame(scene(), chroma))[9] == share


def test_a_blurred_picture_is_less_sharp() -> None:
    sharp = np.random.default_rng(2).integers(0, 255, (HEIGHT, WIDTH), dtype=np.uint8)
    assert measured(frame(sharp))[6] > measured(frame(cv2.blur(sharp, (5, 5))))[6] + 1  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["yuvj420p", "nv12", "yuv422p", "yuv444p", "gray", "yuv420p10le", "yuv411p"], ids=str)
@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (WIDTH + 10, HEIGHT + 6)], ids=["even", "odd"])
def test_other_formats_have_the_same_figures(name: str, size: tuple[int, int]) -> None:
    luma: NDArray[Any] = cv2.resize(scene(), size)
    usual = frame(luma)
    other = usual.reformat(format=name, src_color_range="MPEG", dst_color_range="MPEG")
    if name == "yuvj420p":  # the same bytes mean other colours
        other = av.VideoFrame.from_ndarray(usual.to_ndarray(), format=name)
    elif name == "gray":
        other = av.VideoFrame.from_ndarray(luma, format=name)
    assert other.format.name == name
    assert measured(other) == pytest.approx(measured(usual), abs=0.01)


def test_a_frames_figures_are_those_of_its_picture() -> None:
    bgr: NDArray[Any] = cv2.cvtColor(scene(), cv2.COLOR_GRAY2BGR)
    bgr[32:64, 64:96] = 0, 255, 0
    decoded = av.VideoFrame.from_ndarray(bgr, format="bgr24")
    rendered = Measurer().measure_planes(Planes.of_picture(bgr))
    assert measured(decoded) == pytest.approx(rendered, abs=0.15)
    assert measured(decoded)[9] == 2 / NUM_MEASURED


def test_what_cannot_be_compared_is_not_known() -> None:
    measurer, large = Measurer(), frame(scene())
    assert measurer.measure(frame(scene()[:62])) is None
    first = measurer.measure(large)
    other = measurer.measure(frame(scene()[:, :80]))
    assert first is not None
    assert other is not None
    assert (first[5], other[5]) == (UNKNOWN, UNKNOWN)


def test_the_frame_before_may_be_unwanted() -> None:
    measurer, still = Measurer(), frame(scene())
    measurer.pass_over(frame(np.zeros((HEIGHT, WIDTH), np.uint8)))
    measurer.pass_over(still)
    assert measurer.measure(still) == measured(still, still)
