"""What a camera says over RTSP, cut out of its bytes."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.sources.rtsp.messages import (
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    Call,
    Inbox,
    Media,
    Reply,
    answer,
    encoded,
    parameter,
    request,
)
from shared.errors import SourceFailed

REPLY = b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 4\r\nX: a\r\n b\r\n\r\nbody"
LINE_FEEDS = b"RTSP/1.0 404 Not Found\nCSeq:4\n\n"
CALL = b"REDIRECT * RTSP/1.0\r\nCSeq: 9\r\nLocation: rtsp://there/\r\n\r\n"
PACKET = b"$\x01\x00\x05RTSP/"
EVERYTHING = REPLY + PACKET + LINE_FEEDS + b"\r\n" + CALL + PACKET
MEANT = [
    Reply(200, (("cseq", "3"), ("content-length", "4"), ("x", "a b")), b"body"),
    Media(1, b"RTSP/"),
    Reply(404, (("cseq", "4"),)),
    Call("REDIRECT", (("cseq", "9"), ("location", "rtsp://there/"))),
    Media(1, b"RTSP/"),
]


def taken(*pieces: bytes, is_tunnel: bool = False) -> list[Media | Reply | Call]:
    inbox, found = Inbox(is_tunnel=is_tunnel), []
    for piece in pieces:
        inbox.add(piece)
        while message := inbox.take():
            found.append(message)
    return found


@given(st.lists(st.integers(1, len(EVERYTHING) - 1), max_size=20))
def test_messages_come_out_however_they_are_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(set(cuts)), len(EVERYTHING)]
    assert taken(*(EVERYTHING[begin:end] for begin, end in pairwise(edges))) == MEANT


def test_stray_bytes_are_left_out() -> None:
    assert taken(REPLY, b"\x00\xffstray\n" + PACKET + b"more\nof it\nRTSP", LINE_FEEDS[4:]) == MEANT[:3]
    assert taken(REPLY, b"\xff" * 100, PACKET, b"\n") == MEANT[:2]


def test_a_tunnel_begins_with_http_of_any_length() -> None:
    found = taken(b"HTTP/1.0 200 OK\r\nContent-Length: 32767\r\n\r\n" + LINE_FEEDS, is_tunnel=True)
    assert [message.status for message in found if isinstance(message, Reply)] == [200, 404]


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"RTSP/1.0 nonsense\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nX: " + b"x" * MAX_HEAD_BYTES,
        b"x" * MAX_HEAD_BYTES,
        b"RTSP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
        REPLY + b"\n".join([b"stray"] * 200_000),
    ],
    ids=["http", "ssh", "no status", "endless head", "endless line", "large body", "endless stray"],
)
def test_what_is_no_rtsp_fails(sent: bytes) -> None:
    with pytest.raises(SourceFailed):
        taken(sent)


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_no_bytes_raise_anything_else(pieces: list[bytes]) -> None:
    with suppress(SourceFailed):
        taken(REPLY, *pieces)


def test_a_url_ends_no_line() -> None:
    sent = request("SETUP", encoded("rtsp://h/a b\r\nX: 1\u00e9"), 7, [("Transport", "RTP/AVP")])
    assert sent.splitlines()[0] == b"SETUP rtsp://h/a%20b%0D%0AX:%201%C3%A9 RTSP/1.0"
    assert b"CSeq: 7" in sent.splitlines()
    assert answer(Call("OPTIONS", (("cseq", "1\r\nX: 2"),)), "200 OK") == b"RTSP/1.0 200 OK\r\nCSeq: 1X:2\r\n\r\n"


@given(st.text())
def test_encoded_urls_are_ascii_without_blanks(url: str) -> None:
    assert encoded(url).isascii()
    assert not set(encoded(url)) & set(" \r\n\t\x00\x7f")


def test_parameters_are_found() -> None:
    assert parameter('42;Timeout="30" ;x', "timeout") == "30"
    assert parameter("42", "timeout") is None
