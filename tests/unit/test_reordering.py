"""Stamps of decoding, given to pictures as they are shown."""

import pytest

from services.ingest.sources.decoding.timeline import MAX_REORDERED, Reordering

Pictures = list[tuple[int, bool]]
"""By their own stamp, and whether it is a keyframe, as they are shown."""


def times(decoded: list[int | None], shown: Pictures, held_back: int = 2) -> list[int | None]:
    """What the pictures' times become where a decoder holds back so many."""
    reordering, pictures, found = Reordering(), iter(shown), []
    for number, stamp in enumerate(decoded):
        reordering.decoded(stamp)
        if number >= held_back and (picture := next(pictures, None)):
            found.append(reordering.shown(picture[0], is_keyframe=picture[1]))
    return found + [reordering.shown(stamp, is_keyframe=is_keyframe) for stamp, is_keyframe in pictures]


def plain(*stamps: int, keyframes: tuple[int, ...] = (0,)) -> Pictures:
    return [(stamp, stamp in keyframes) for stamp in stamps]


@pytest.mark.parametrize(
    "shown",
    [
        plain(0, 1, 2, 3, 4, 5, 6),
        plain(0, 2, 3, 1, 5, 6, 4),
        plain(0, 3, 2, 4, 1, 6, 5),
        plain(0, 2, 3, 1, 5, 6, 4, keyframes=(0, 4)),
    ],
    ids=["as decoded", "two B-frames", "a pyramid", "an open group"],
)
def test_pictures_are_shown_in_the_order_of_their_times(shown: Pictures) -> None:
    assert times([0, 1, 2, 3, 4, 5, 6], shown) == [0, 1, 2, 3, 4, 5, 6]


def test_a_picture_that_never_came_shifts_the_times_until_the_next_keyframe_only() -> None:
    assert times([0, 1, 2, 3, 4, 5, 6], plain(0, 2, 3, 4, 5, 6, keyframes=(0, 4))) == [0, 1, 2, 4, 5, 6]


def test_stamps_that_are_missing_make_times_that_are() -> None:
    assert times([None, None], plain(0, 1), held_back=0) == [None, None]


def test_what_is_remembered_is_bounded() -> None:
    reordering = Reordering()
    for stamp in range(1000):
        reordering.decoded(stamp)
    kept = [reordering.shown(None, is_keyframe=False) for _ in range(MAX_REORDERED + 1)]
    assert kept == [*range(1000 - MAX_REORDERED, 1000), None]
