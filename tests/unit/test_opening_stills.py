"""Still pictures that are asked for again and again, read from a real server."""

import gzip
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email.utils import formatdate

import pytest
from jpegs import jpeg, part
from patience import eventually
from picture_cameras import EVERY_PICTURE, GREYS, frames_of, grey_of, opened, stream
from web_server import Answer, Handler, WebServer, behind_digest, web_server

from shared.errors import SourceFailed


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


class Still:
    """A camera that has one picture at a time; `asked` are the conditions that it was asked with."""

    def __init__(self, headers: Callable[[bytes], dict[str, str]] = lambda _: {}) -> None:
        self.picture = jpeg(GREYS[0])
        self.conditions: list[tuple[str | None, str | None]] = []
        self._headers = headers

    def __call__(self, handler: Handler) -> None:
        told = handler.headers.get("If-None-Match"), handler.headers.get("If-Modified-Since")
        self.conditions.append(told)
        picture = self.picture
        headers = self._headers(picture)
        if told != (None, None) and (told[0] or told[1]) in headers.values():
            handler.reply(304, b"", **headers)
        else:
            handler.reply(200, picture, Content_Type="image/jpeg", **headers)


def etag(picture: bytes) -> dict[str, str]:
    return {"ETag": f'"{hash(picture)}"'}


def last_modified(picture: bytes) -> dict[str, str]:
    return {"Last-Modified": formatdate(zlib.crc32(picture) % 1_000_000_000, usegmt=True)}


@pytest.mark.parametrize("headers", [lambda _: {}, etag, last_modified], ids=["plain", "etag", "last-modified"])
def test_a_still_picture_is_asked_for_again_and_counts_when_it_is_new(
    web: WebServer, headers: Callable[[bytes], dict[str, str]]
) -> None:
    still = web.answers["/snap"] = Still(headers)
    greys: list[int] = []
    with opened(web.url("/snap")) as video:
        for frame in frames_of(video):
            greys.append(grey_of(frame))
            if len(greys) == len(GREYS):
                break
            asked = len(still.conditions)
            threading.Thread(target=change, args=(still, asked + 3, GREYS[len(greys)])).start()
        assert (video.tally.decoded, video.tally.refused) == (len(GREYS), 0)
    assert greys == pytest.approx(GREYS, abs=2)
    told = [condition for condition in still.conditions if condition != (None, None)]
    assert bool(told) == bool(headers(b""))


def change(still: Still, asked: int, grey: int) -> None:
    """Shows another picture once the present one was given several times."""
    eventually(lambda: len(still.conditions) >= asked, "asked again")
    still.picture = jpeg(grey)


def test_a_still_picture_comes_once_a_step(web: WebServer) -> None:
    numbers, began = iter(range(10, 250)), time.monotonic()
    web.answers["/snap"] = lambda handler: handler.reply(200, jpeg(next(numbers)))
    with opened(web.url("/snap"), poll_fps=10.0) as video:
        frames = frames_of(video, fps=10.0)
        points = [next(frames).point for _ in range(6)]
    assert points[0] == 0
    assert 6 <= len(web.asked) <= (time.monotonic() - began) * 10.0 + 1


def test_a_still_picture_that_does_not_change_stays_alive(web: WebServer) -> None:
    web.answers["/snap"] = Still(etag)
    stop = threading.Event()
    with opened(web.url("/snap"), stall_seconds=2.0, poll_fps=20.0) as video:
        began = time.monotonic()

        def hear() -> None:
            if time.monotonic() - began > 2.5:
                stop.set()

        frames = list(video.frames(20.0, stop, heard=hear))
    assert stop.is_set()
    assert len(frames) == 1


def test_a_still_picture_that_is_asked_for_seldom_gives_signs_of_life(web: WebServer) -> None:
    web.answers["/snap"] = Still()
    stop = threading.Event()
    with opened(web.url("/snap"), stall_seconds=2.0, poll_fps=0.01) as video:
        began = time.monotonic()

        def hear() -> None:
            if time.monotonic() - began > 2.5:
                stop.set()

        frames = list(video.frames(0.01, stop, heard=hear))
    assert stop.is_set()
    assert len(frames) == 1
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        (lambda handler: handler.reply(404), "not found"),
        (lambda handler: handler.reply(503), "an error of its own (HTTP status 503)"),
        (lambda handler: handler.reply(401, WWW_Authenticate='Basic realm="yard"'), "authentication refused"),
        (lambda handler: handler.reply(200, b"<html>busy</html>"), "holds no picture any more"),
        (lambda handler: handler.reply(302, Location="http://169.254.169.254/"), "169.254.169.254 is refused"),
        (lambda handler: handler.reply(302, Location="file:///etc/passwd"), "neither http:// nor https://"),
        (lambda handler: handler.connection.close(), "the connection broke"),
    ],
    ids=["404", "503", "401", "page", "metadata", "file", "nothing"],
)
def test_a_still_picture_that_is_gone_is_noticed(web: WebServer, then: Answer, reason: str) -> None:
    web.answers["/snap"] = Still()
    with opened(web.url("/snap"), stall_seconds=1.0) as video:
        frames = frames_of(video)
        next(frames)
        web.answers["/snap"] = then
        with pytest.raises(SourceFailed) as caught:
            next(frames)
    assert reason in str(caught.value)


def test_a_camera_that_is_busy_for_a_moment_is_not_given_up(web: WebServer) -> None:
    still = Still()
    answers = iter([lambda handler: handler.reply(503), lambda handler: handler.reply(200, b"<html>busy</html>")])
    web.answers["/snap"] = still
    with opened(web.url("/snap")) as video:
        frames = frames_of(video)
        next(frames)
        still.picture = jpeg(GREYS[1])

        def answered(handler: Handler) -> None:
            next(answers, still)(handler)

        web.answers["/snap"] = answered
        assert grey_of(next(frames)) == pytest.approx(GREYS[1], abs=2)
    assert next(answers, None) is None


PNG, WEBP = b"\x89PNG\r\n\x1a\n", b"RIFF\x94\x01\0\0WEBPVP8 "
OTHERS = [(PNG, "PNG"), (b"GIF89a", "GIF"), (b"BM", "BMP"), (WEBP, "WebP"), (b"\0\0\0\x1cftypavif", "AVIF")]


@pytest.mark.parametrize(("head", "name"), OTHERS)
def test_a_still_picture_of_another_kind_is_called_by_its_name(web: WebServer, head: bytes, name: str) -> None:
    web.give("/snap", head + bytes(500))
    with pytest.raises(SourceFailed, match=f"a {name} picture: of still pictures only JPEG"), opened(web.url("/snap")):
        pytest.fail("it cannot be open")


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize(("head", "name"), OTHERS)
def test_pictures_of_another_kind_in_parts_are_called_by_their_name(
    web: WebServer, head: bytes, name: str, *, goes_on: bool
) -> None:
    taken = part(head + bytes(40_000), headers=b"Content-Type: image/other\r\n")
    end = threading.Event()

    def send(handler: Handler) -> None:
        for _ in range(3 if goes_on else 1):
            handler.wfile.write(taken)
        if goes_on:
            end.wait(30)

    web.answers["/cam"] = stream(send, "multipart/x-mixed-replace; boundary=frame")
    with pytest.raises(SourceFailed, match=f"its pictures are {name}: .* only JPEG"), opened(web.url("/cam")):
        pytest.fail("it cannot be open")
    end.set()


def test_a_picture_is_unpacked_where_a_server_packs_it_unasked(web: WebServer) -> None:
    packed = gzip.compress(jpeg(GREYS[0]))
    web.answers["/snap"] = lambda handler: handler.reply(
        200, packed, Content_Type="image/jpeg", Content_Encoding="gzip"
    )
    with opened(web.url("/snap")) as video:
        assert grey_of(next(frames_of(video))) == pytest.approx(GREYS[0], abs=2)


def test_a_server_that_is_gone_is_noticed() -> None:
    closing = ExitStack()
    with web_server() as web:
        web.answers["/snap"] = Still()
        frames = frames_of(closing.enter_context(opened(web.url("/snap"), stall_seconds=1.0)))
        next(frames)
    with closing, pytest.raises(SourceFailed, match=r"connection refused|the connection broke"):
        next(frames)


def test_a_still_picture_is_asked_for_with_its_login_and_where_it_moved_to(web: WebServer) -> None:
    with web_server() as other:
        other.answers["/snap"] = shown = Still()
        web.answers["/old"] = behind_digest(
            lambda handler: handler.reply(302, Location=other.url("/snap")), "u", "secret"
        )
        greys = []
        with opened(web.url("/old", "u:secret@")) as video:
            for frame in frames_of(video):
                greys.append(grey_of(frame))
                if len(greys) == 2:
                    break
                shown.picture = jpeg(GREYS[1])
        assert greys == pytest.approx(GREYS[:2], abs=2)
        assert not any("Authorization" in headers for _, headers in other.asked)


def test_what_a_camera_appends_to_a_still_picture_is_no_picture(web: WebServer) -> None:
    web.answers["/snap"] = lambda handler: handler.reply(200, jpeg(90) + jpeg(20), Content_Type="image/jpeg")
    stop = threading.Event()
    asked = 0

    def heard() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            stop.set()

    with opened(web.url("/snap")) as video:
        assert [grey_of(frame) for frame in video.frames(EVERY_PICTURE, stop, heard=heard)] == [90]


@pytest.mark.parametrize("missing", [2, 40])
def test_a_still_picture_that_is_not_whole(web: WebServer, missing: int) -> None:
    """Its last marker may be missing; what was cut off on the way is no picture."""
    whole = jpeg(90, noise=30)

    def cut_off(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(whole)))
        handler.end_headers()
        handler.wfile.write(whole[:-missing])

    web.give("/short", whole[:-missing])
    web.answers["/cut"] = cut_off
    with opened(web.url("/short")) as video:
        assert next(frames_of(video)).image.shape == (48, 64, 3)
    with pytest.raises(SourceFailed), opened(web.url("/cut")):
        pass


def test_one_picture_an_answer_in_parts_is_a_still_picture_too(web: WebServer) -> None:
    numbers = iter(GREYS)

    def send(handler: Handler) -> None:
        handler.wfile.write(part(jpeg(next(numbers))))

    web.answers["/snap"] = stream(send, "multipart/x-mixed-replace; boundary=frame")
    with opened(web.url("/snap")) as video:
        frames = frames_of(video)
        assert [grey_of(next(frames)) for _ in GREYS] == pytest.approx(GREYS, abs=2)
