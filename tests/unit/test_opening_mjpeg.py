"""MJPEG cameras with manners of their own, read from a real server."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jpegs import MANNERS, jpeg, part
from patience import unavailable
from picture_cameras import GREYS, frames_of, grey_of, opened, stream
from web_server import Handler, WebServer, web_server

from shared.errors import SourceFailed

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"
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
