"""Times that begin anew within a source: in each of its segments, or with each clip that it was put together from."""

import io
import threading
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from web_server import WebServer, web_server

from services.ingest.sources.decoding.timeline import Splices
from services.ingest.sources.options import ReadOptions
from services.ingest.sources.timing.anchor import Pace
from services.ingest.sources.video import open_video
from shared.sources import parse_source

FPS = 10
NUM_CLIPS = 3


def clip(num_frames: int) -> bytes:
    """MPEG-TS whose pictures refer to later ones; the first time is the same in each."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=FPS)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, "yuv420p", num_frames
        stream.options = {"x264-params": "bframes=2:b-adapt=0:scenecut=0"}
        for index in range(num_frames):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 8 * index, np.uint8), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


def seconds_of(location: str) -> list[float]:
    """The times of all pictures that a source gives."""
    with open_video(parse_source(location, Path("/")), ReadOptions(stall_seconds=10.0)) as video:
        return [frame.media_seconds for frame in video.frames(100.0, threading.Event())]


@pytest.mark.parametrize("num_frames", [5, 10, 18, 30])
def test_clips_in_one_file_follow_each_other(num_frames: int, tmp_path: Path) -> None:
    (tmp_path / "film.ts").write_bytes(clip(num_frames) * NUM_CLIPS)
    expected = [index / FPS for index in range(NUM_CLIPS * num_frames)]
    assert seconds_of(str(tmp_path / "film.ts")) == pytest.approx(expected)


def test_segments_follow_each_other(web: WebServer) -> None:
    web.give("/clip.ts", clip(5))
    lines = "#EXT-X-DISCONTINUITY\n#EXTINF:0.5,\nclip.ts\n" * NUM_CLIPS
    web.give("/film.m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{lines}#EXT-X-ENDLIST\n".encode())
    assert seconds_of(web.url("/film.m3u8")) == pytest.approx([index / FPS for index in range(NUM_CLIPS * 5)])


def spliced(stamps: Sequence[float]) -> list[float]:
    splices = Splices()
    return [stamp + splices.shift_seconds(stamp) for stamp in stamps]


@pytest.mark.parametrize("length", [0.5, 1.0, 1.8, 600.0])
def test_times_that_begin_anew_are_waited_for(length: float) -> None:
    """Two seconds in 20 packets, whatever they say: none comes before its time."""
    pace, now = Pace(), 50.0
    for index, seconds in enumerate(spliced([7 + index * 0.1 % length for index in range(20)])):
        now += pace.early_seconds(seconds, now)
        assert now == pytest.approx(50 + index * 0.1)


def test_one_time_that_strays_moves_no_other() -> None:
    stamps = [0.0, 0.1, 0.2, 0.3, -0.2, 0.5, 0.6]
    assert spliced(stamps) == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])


def test_times_that_are_inexact_stay_as_they_are() -> None:
    stamps = [0.0, 0.04, 0.03, 0.08, 0.12, 0.1, 60.0]
    assert spliced(stamps) == stamps
