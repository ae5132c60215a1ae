"""MJPEG cameras with manners of their own and still pictures, read from a real server."""

import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from email.utils import formatdate
from pathlib import Path

import pytest
from jpegs import MANNERS, jpeg, part
from patience import eventually, unavailable
from web_server import Answer, Handler, WebServer, behind_digest, web_server

from services.ingest.sources.options import ReadOptions
from services.ingest.sources.video import SampledFrame, Video, open_video
from shared.errors import SourceFailed
from shared.sources import parse_source

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
GREYS = [20, 90, 160, 230]
EVERY_PICTURE = 100_000.0
"""A grid so fine that none falls between its points."""
TYPES = {
    "right": "multipart/x-mixed-replace; boundary=frame",
    "quoted": 'multipart/x-mixed-replace;boundary="frame"',
    "with hyphens": "multipart/x-mixed-replace; boundary=--frame",
    "other": "multipart/x-mixed-replace; boundary=ThisRandomString",
    "without boundary": "multipart/x-mixed-replace",
    "none": "",
    "wrong": "application/octet-stream",
    "still": "image/jpeg",
}


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


@contextmanager
def opened(url: str, stall_seconds: float = 20.0, poll_fps: float = 50.0) -> Iterator[Video]:
    options = ReadOptions(stall_seconds=stall_seconds, poll_fps=poll_fps)
    with open_video(parse_source(url, Path("/")), options) as video:
        yield video


def frames_of(video: Video, fps: float = EVERY_PICTURE) -> Iterator[SampledFrame]:
    return video.frames(fps, threading.Event())


def grey_of(frame: SampledFrame) -> int:
    return round(float(frame.image.mean()))


def stream(send: Callable[[Handler], None], content_type: str, *, in_chunks: bool = False) -> Answer:
    def answer(handler: Handler) -> None:
        if in_chunks:
            handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        if content_type:
            handler.send_header("Content-Type", content_type)
        if in_chunks:
            handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        send(handler)

    return answer


def in_turn(manner: str, taken: threading.Semaphore) -> Callable[[Handler], None]:
    """Sends a picture only once the one before was taken."""

    def send(handler: Handler) -> None:
        for number, grey in enumerate(GREYS):
            handler.wfile.write(MANNERS[manner](jpeg(grey), number))
            assert taken.acquire(timeout=30)

    return send


@pytest.mark.parametrize("manner", MANNERS)
def test_pictures_come_in_every_manner_and_none_late(web: WebServer, manner: str) -> None:
    taken = threading.Semaphore(0)
    web.answers["/cam"] = stream(in_turn(manner, taken), TYPES["right"])
    greys = []
    with opened(web.url("/cam")) as video:
        for frame in frames_of(video):
            greys.append(grey_of(frame))
            taken.release()
        assert video.info.codec == "mjpeg"
        assert (video.tally.decoded, video.tally.refused) == (len(GREYS), 0)
    assert greys == pytest.approx(GREYS, abs=2)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("manner", ["plain", "no first boundary", "boundary without hyphens", "pictures alone"])
def test_pictures_come_whatever_type_is_stated(web: WebServer, kind: str, manner: str) -> None:
    def send(handler: Handler) -> None:
        handler.wfile.write(b"".join(MANNERS[manner](jpeg(grey), number) for number, grey in enumerate(GREYS)))

    web.answers["/cam"] = stream(send, TYPES[kind])
    with opened(web.url("/cam")) as video:
        greys = [grey_of(frame) for frame in frames_of(video)]
        assert greys[0] == pytest.approx(GREYS[0], abs=2)
        assert video.tally.decoded == len(GREYS)


def test_pictures_come_in_chunks_of_any_size(web: WebServer) -> None:
    def send(handler: Handler) -> None:
        whole = b"".join(part(jpeg(grey)) for grey in GREYS)
        for at in range(0, len(whole), 333):
            piece = whole[at : at + 333]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    web.answers["/cam"] = stream(send, TYPES["right"], in_chunks=True)
    with opened(web.url("/cam")) as video:
        list(frames_of(video))
        assert video.tally.decoded == len(GREYS)


@pytest.mark.parametrize("name", ["mjpeg_noinitial.http", "mjpeg_audio2.http"])
def test_what_cameras_sent_is_read(web: WebServer, name: str) -> None:
    if not (CASES / name).exists():
        unavailable(f"../shared/cases/{name}")
    sent = (CASES / name).read_bytes()

    def replay(handler: Handler) -> None:
        handler.wfile.write(sent)

    web.answers["/cam"] = replay
    with opened(web.url("/cam")) as video:
        list(frames_of(video))
        assert (video.tally.decoded, video.tally.refused, video.size) == (10, 0, (320, 180))


def test_a_pictures_time_is_that_of_its_arrival(web: WebServer) -> None:
    taken, came, began = threading.Semaphore(0), [], time.monotonic()
    web.answers["/cam"] = stream(in_turn("plain", taken), TYPES["right"])
    with opened(web.url("/cam")) as video:
        for frame in frames_of(video):
            came.append((frame.media_seconds, time.monotonic() - began))
            time.sleep(0.05)
            taken.release()
    assert len(came) == len(GREYS)
    assert all(number * 0.05 <= seconds <= now for number, (seconds, now) in enumerate(came))


def test_data_without_a_picture_do_not_keep_a_camera_open(web: WebServer) -> None:
    over = threading.Event()

    def send(handler: Handler) -> None:
        handler.wfile.write(part(jpeg(90)))
        while not over.wait(0.05):
            handler.wfile.write(part(b""))

    web.answers["/cam"] = stream(send, TYPES["right"])
    try:
        with opened(web.url("/cam"), stall_seconds=1.5) as video, pytest.raises(SourceFailed) as caught:
            list(frames_of(video))
    finally:
        over.set()
    assert str(caught.value) == "no picture for 1.5 s"


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
    with opened(web.url("/snap")) as video:
        frames = frames_of(video)
        next(frames)
        web.answers["/snap"] = then
        with pytest.raises(SourceFailed) as caught:
            next(frames)
    assert reason in str(caught.value)


def test_a_server_that_is_gone_is_noticed() -> None:
    closing = ExitStack()
    with web_server() as web:
        web.answers["/snap"] = Still()
        frames = frames_of(closing.enter_context(opened(web.url("/snap"))))
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

    web.answers["/snap"] = stream(send, TYPES["right"])
    with opened(web.url("/snap")) as video:
        frames = frames_of(video)
        assert [grey_of(next(frames)) for _ in GREYS] == pytest.approx(GREYS, abs=2)
