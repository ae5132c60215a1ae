"""Cameras over HTTP through the whole of ingest, and the system's own Redis, which none may lead to."""

import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import redis
from ingest_runner import IngestRunner
from jpegs import jpeg
from patience import eventually
from redis_process import redis_process
from web_server import Answer, Handler, WebServer, behind_digest, web_server

from services.ingest.sources.options import ReadOptions
from services.ingest.sources.video import open_video
from shared.errors import SourceFailed
from shared.sources import parse_source
from shared.streams import StreamState

PASSWORD = "p@w:r/d?1#100%"


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


def mjpeg(over: threading.Event) -> Answer:
    """A camera of 25 pictures a second until the test is over."""
    picture = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        while not over.wait(0.04):
            handler.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + picture + b"\r\n")

    return answer


def test_an_mjpeg_camera_is_watched(web: WebServer, ingest: IngestRunner, caplog: pytest.LogCaptureFixture) -> None:
    over = threading.Event()
    web.answers["/cam"] = behind_digest(mjpeg(over), "guard", PASSWORD)
    ingest.add("right", web.url("/cam", f"guard:{PASSWORD}@"), pace="live")
    ingest.add("wrong", web.url("/cam", "guard:p@wxyz@"), pace="live")
    ingest.start()
    try:
        status = ingest.until("right", StreamState.LIVE).status
        assert (status.width, status.height, status.codec) == (64, 48, "mjpeg")
        frames = eventually(lambda: (found := ingest.frames("right"))[16:] and found, "two seconds of frames")
        assert frames[16].captured_at_ms - frames[0].captured_at_ms > 1200
        wrong = ingest.until("wrong", StreamState.WAITING).status
        assert "authentication refused" in (wrong.reason or "")
        assert "wxyz" not in caplog.text + wrong.model_dump_json()
    finally:
        over.set()


def test_a_still_picture_is_a_camera(web: WebServer, ingest: IngestRunner) -> None:
    shown = [jpeg(10)]
    web.answers["/snap"] = lambda handler: handler.reply(200, shown[-1], Content_Type="image/jpeg")
    ingest.add("still", web.url("/snap"), pace="live", fps=20.0)
    ingest.start()
    record = ingest.until("still", StreamState.LIVE)

    def all_published() -> bool:
        return len(ingest.frames("still")) == len(shown)

    for grey in range(20, 100, 10):
        num_asked = len(web.asked) + 3
        eventually(partial(reached, web, num_asked), "asked again")
        shown.append(jpeg(grey))
        eventually(all_published, "one frame for each picture")
    assert ingest.registry.get("still").status.epoch == record.status.epoch
    reports = reports_of(ingest)
    eventually(lambda: reports_of(ingest) > reports, "signs of life while it does not change")
    web.answers["/snap"] = lambda handler: handler.reply(404)
    assert "not found" in (ingest.until("still", StreamState.WAITING).status.reason or "")
    assert all_published()


def reports_of(ingest: IngestRunner) -> float:
    return ingest.value("afterimage_reader_reports_total", stream_id="still") or 0.0


def reached(web: WebServer, num_asked: int) -> bool:
    return len(web.asked) >= num_asked


@pytest.fixture
def redis_port() -> Iterator[int]:
    """A Redis that listens on a port."""
    with web_server() as server:
        port = server.server_port  # free again in a moment
    with tempfile.TemporaryDirectory(prefix="afterimage-") as folder, redis_process(Path(folder), "--port", str(port)):
        yield port


def test_no_source_reaches_redis(web: WebServer, redis_port: int) -> None:
    web.answers["/cam"] = lambda handler: handler.reply(302, Location=f"http://127.0.0.9:{redis_port}/")
    with redis.Redis(port=redis_port) as client:
        num_before = client.info("stats")["total_connections_received"]
        for url in (
            web.url("/cam"),
            f"http://localhost:{redis_port}/",
            f"https://127.0.0.1:{redis_port}/",
            f"rtsp://127.0.0.2:{redis_port}/live",
            f"rtsps://[::ffff:127.0.0.1]:{redis_port}/live",
        ):
            options = ReadOptions(stall_seconds=5, forbidden=(f"localhost:{redis_port}",))
            with (
                pytest.raises(SourceFailed, match="this system's own Redis"),
                open_video(parse_source(url, Path("/")), options),
            ):
                pass
        assert client.info("stats")["total_connections_received"] == num_before
