"""Networks that hold everything back for a while, and servers that send little at a time."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from films import VideoFile
from ingest_runner import IngestRunner
from odd_manners import Manners
from odd_rtsp import odd_camera
from patience import eventually
from picture_cameras import stream
from rtp_film import clip
from web_server import Handler, web_server

from services.ingest.readers.reader import ReadJob
from services.ingest.readers.reading import reading
from services.ingest.sources.options import ReadOptions
from services.ingest.sources.video import open_video
from shared.errors import SourceFailed
from shared.sources import parse_source

RATE = 10
HELD_AFTER = 30
HELD_SECONDS = 5.0
SLACK_MS = 150
"""What a busy machine may see late of the first pictures."""


def paced(parts: list[bytes], held_seconds: float = 0.0) -> Callable[[Handler], None]:
    """Sends a part in each tenth of a second, and after 30 of them nothing for a while: then all that is due."""

    def send(handler: Handler) -> None:
        due_at = time.monotonic()
        for number, part in enumerate(parts):
            handler.wfile.write(part)
            due_at += 1 / RATE
            time.sleep(max(0.0, held_seconds if number == HELD_AFTER else 0.0, due_at - time.monotonic()))

    return send


def pieces(content: bytes, num_pieces: int) -> list[bytes]:
    size = len(content) // num_pieces
    return [content[begin : begin + size] for begin in range(0, len(content), size)]


@contextmanager
def rtsp_camera() -> Iterator[str]:
    with odd_camera(Manners(rate=RATE, holds=(HELD_AFTER, HELD_SECONDS / 2))) as camera:
        yield camera.url()


@contextmanager
def http_camera(film: VideoFile) -> Iterator[str]:
    content = film("film.ts", seconds=30, fps=RATE).read_bytes()
    with web_server() as server:
        server.answers["/live"] = stream(paced(pieces(content, 30 * RATE), HELD_SECONDS), "video/mp2t")
        yield server.url("/live")


def test_what_a_network_held_back_keeps_its_distances(ingest: IngestRunner, video_file: VideoFile) -> None:
    """From the first picture on."""
    with rtsp_camera() as door, http_camera(video_file) as yard:
        urls = {"door": door, "yard": yard}
        for stream_id, url in urls.items():
            ingest.add(stream_id, url, pace="live", fps=5)
        ingest.start()
        eventually(lambda: all(len(ingest.frames(stream_id)) >= 35 for stream_id in urls), "frames")
        for stream_id in urls:
            times = [frame.captured_at_ms for frame in ingest.frames(stream_id)]
            steps = [later - earlier for earlier, later in pairwise(times)]
            assert [step for step in steps if abs(step - 200) > SLACK_MS] == [], stream_id


def test_of_pictures_without_times_arrival_counts() -> None:
    """However fast their codec says that they are; FFmpeg holds back the first ones."""
    start = b"\0\0\0\1"
    parts = [start + start.join(units) for units in clip()]
    with web_server() as server:
        server.answers["/live"] = stream(paced(2 * parts), "video/h264")
        with open_video(parse_source(server.url("/live"), Path("/")), ReadOptions()) as video:
            frames = video.frames(100.0, threading.Event())
            taken = [next(frames) for _ in range(15)]
    first, last = taken[0], taken[-1]
    assert last.media_seconds == pytest.approx((last.arrived_at_ms - first.arrived_at_ms) / 1000, abs=0.01)
    assert last.media_seconds > 1


def opened(url: str, stall_seconds: float) -> str:
    job = ReadJob(parse_source(url, Path("/")), fps=5.0, options=ReadOptions(stall_seconds=stall_seconds))
    with reading(job, threading.Event()) as source:
        next(source.pictures())
        return source.info.codec


def test_a_server_that_sends_little_at_a_time_is_heard(video_file: VideoFile) -> None:
    """For longer than it may be silent, and than its reader may say nothing."""
    film = video_file("film.flv", seconds=20).read_bytes()
    slowly = pieces(film[:1980], 55)
    with web_server() as server:
        server.answers["/live"] = stream(paced([*slowly, film[1980:], *[b""] * 50]), "video/x-flv")
        began = time.monotonic()
        assert opened(server.url("/live"), stall_seconds=1.5) == "h264"
        assert time.monotonic() - began > 5


def test_a_server_that_sends_no_picture_for_long_is_left_and_why_is_said() -> None:
    nothing = b"\x47\x1f\xff\x10" + bytes(184)
    with web_server() as server:
        server.answers["/live"] = stream(paced([nothing] * 100), "video/mp2t")
        with pytest.raises(SourceFailed, match=r"no picture yet, though data came for 3\.6 s"):
            opened(server.url("/live"), stall_seconds=0.6)
