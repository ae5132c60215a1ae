"""Which pictures are found in what cameras send, and how soon."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jpegs import LOUD, MANNERS, TYPE, jpeg, length_of, part, pictures, sound, with_thumbnail

from services.ingest.sources.mjpeg.multipart import (
    MAX_HEADER_BYTES,
    MAX_PICTURE_BYTES,
    PictureParser,
    gives_pictures,
)
from shared.errors import SourceFailed

PICTURES = pictures(6)
BEGINNINGS = [
    b"--frame\r\n",
    TYPE,
    b"\r\n",
    b"\xff\xd8\xff",
    b"\xff\xda\0\x0c",
    b"\xff",
    b"Content-Length: 9\r\n",
    LOUD,
]


def fed(*pieces: bytes) -> list[bytes]:
    parser = PictureParser()
    return [picture for piece in pieces for picture in parser.feed(piece)]


@pytest.mark.parametrize("manner", MANNERS)
def test_each_picture_is_there_once_it_was_sent(manner: str) -> None:
    parser = PictureParser()
    sent = [MANNERS[manner](picture, number) for number, picture in enumerate(PICTURES)]
    assert [parser.feed(piece) for piece in sent] == [[picture] for picture in PICTURES]
    whole = b"".join(sent)
    assert fed(whole) == PICTURES
    assert fed(*(whole[at : at + 1] for at in range(len(whole)))) == PICTURES


@given(st.sampled_from(sorted(MANNERS)), st.data())
def test_it_does_not_matter_how_it_comes(manner: str, data: st.DataObject) -> None:
    whole = b"".join(MANNERS[manner](picture, number) for number, picture in enumerate(PICTURES))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=12)) | {0, len(whole)})
    assert fed(*(whole[begin:end] for begin, end in pairwise(cuts))) == PICTURES


@given(st.lists(st.one_of(st.sampled_from([*BEGINNINGS, *PICTURES]), st.binary(max_size=300)), max_size=30))
def test_garbage_does_no_harm(pieces: list[bytes]) -> None:
    parser = PictureParser()
    for piece in pieces:
        assert all(found.startswith(b"\xff\xd8\xff") for found in parser.feed(piece))
    parser.feed(b"\xff\xd9\xff\xd9" + bytes(70_000))  # ends whatever it is in, with more than a segment holds
    found = parser.feed(b"\r\n".join([b"", *(part(picture) for picture in PICTURES)]))
    assert found[-4:] == PICTURES[-4:]


@pytest.mark.parametrize(
    "picture",
    [
        with_thumbnail(PICTURES[0], PICTURES[1]),
        jpeg(90, noise=40, flags=(cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
        jpeg(90, noise=40, flags=(cv2.IMWRITE_JPEG_RST_INTERVAL, 2)),
        jpeg(90, noise=90, size=(480, 640), flags=(cv2.IMWRITE_JPEG_QUALITY, 100)),
        PICTURES[0][:2] + b"\xff\xff\xff" + PICTURES[0][3:-2] + b"\xff\xff\xff\xd9",
        PICTURES[0][:2] + b"\xff\xfe\0\x0b--frame\r\n" + PICTURES[0][2:],
    ],
    ids=["thumbnail", "progressive", "restart markers", "large", "fill bytes", "boundary in a comment"],
)
def test_pictures_of_every_kind_stay_whole(picture: bytes) -> None:
    assert cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR) is not None
    assert fed(part(picture), part(picture)) == [picture] * 2
    assert fed(picture, picture) == [picture] * 2


def test_a_picture_without_its_last_marker_ends_with_its_part() -> None:
    parser = PictureParser()
    short = [picture[:-2] for picture in PICTURES[:4]]
    assert parser.feed(part(short[0])) == []  # nobody knows yet whether its length is right
    assert parser.feed(part(short[1])) == short[:2]
    assert parser.feed(part(short[2])) == [short[2]]
    assert parser.feed(part(short[3])[:-2]) == [short[3]]
    told_by_the_line = (part(picture, headers=TYPE) + b"--frame\r\n" for picture in short)
    parser = PictureParser()
    assert [parser.feed(piece) for piece in told_by_the_line] == [[picture] for picture in short]


def test_a_picture_that_was_cut_off_costs_no_other() -> None:
    half = PICTURES[0][: len(PICTURES[0]) * 3 // 4]
    assert fed(part(half), part(PICTURES[1])) == [half, PICTURES[1]]
    assert fed(half, PICTURES[1]) == [half, PICTURES[1]]
    assert fed(part(PICTURES[0][:20]), part(PICTURES[1]), part(PICTURES[2]))[-1] == PICTURES[2]


def test_what_shows_nothing_is_no_picture() -> None:
    assert fed(b"\xff\xd8\xff\xd9", part(b"\xff\xd8\xff\xd9"), part(PICTURES[0])) == PICTURES[:1]


def test_a_thumbnail_in_data_of_another_kind_is_no_picture() -> None:
    facts = part(b"{" + PICTURES[0] + b"}", headers=b"Content-Type: application/json\r\n" + length_of(PICTURES[0], 2))
    assert fed(facts, part(PICTURES[1])) == PICTURES[1:2]


def test_no_more_is_held_than_a_camera_can_mean() -> None:
    endless = [part(PICTURES[0])[:-300]] + [bytes(65_536)] * (MAX_PICTURE_BYTES // 65_536)
    with pytest.raises(SourceFailed, match="one of its pictures is larger than 16777216 bytes"):
        fed(*endless)
    lines = [b"X-Header: " + b"x" * 988 + b"\r\n"] * (MAX_HEADER_BYTES // 1000 + 1)
    with pytest.raises(SourceFailed, match="the headers of one of its parts are larger than 65536 bytes"):
        fed(*lines)


def test_sound_that_never_ends_is_not_believed() -> None:
    parser = PictureParser()
    parser.feed(sound(b"", 0)[:-2])
    for _ in range(MAX_PICTURE_BYTES // 1_000_000 + 2):
        parser.feed(bytes(1_000_000))
    assert parser.feed(PICTURES[0]) == PICTURES[:1]


@pytest.mark.parametrize(
    ("content_type", "first", "expected"),
    [
        ("", PICTURES[0], True),
        ("video/mp4", b"\r\n" + PICTURES[0], True),
        ("text/html", part(PICTURES[0]), True),
        ("", part(PICTURES[0], b"frame"), True),
        ("", TYPE + b"\r\n" + PICTURES[0], True),
        ("multipart/x-mixed-replace", b"frame", True),
        ("image/jpeg", b"\0\0\0\x18ftypmp42\0\0\0\0", False),
        ("", b"#EXTM3U\n#EXT-X-VERSION:3\n", False),
        ("", b"#EXTM3U\nhttp://127.0.0.1/1.ts\n", False),
        ("", b"<!DOCTYPE html>\n<html>\n<a href='x: y'>\n", False),
        ("", b"\x47\x40\x00\x10" * 40, False),
        ("", b"", False),
    ],
)
def test_pictures_are_known_by_their_first_bytes(content_type: str, first: bytes, *, expected: bool) -> None:
    assert gives_pictures(content_type, first) == expected
