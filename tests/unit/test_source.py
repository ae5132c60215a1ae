import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from films import VideoFile

from services.ingest.sources.decoding import pictures
from services.ingest.sources.options import ReadOptions
from services.ingest.sources.video import SampledFrame, VideoInfo, open_video
from shared.errors import SourceFailed
from shared.sources import Source


def read(
    path: Path, fps: float = 8.0, first_point: int = 0, *, fast: bool = False
) -> tuple[VideoInfo, list[SampledFrame]]:
    with open_video(Source(str(path)), ReadOptions(num_threads=4 if fast else 1)) as video:
        return video.info, list(video.frames(fps, threading.Event(), first_point))


def failure(location: str, *, is_file: bool, stall_seconds: float = 10) -> str:
    with (
        pytest.raises(SourceFailed) as caught,
        open_video(Source(location, "file" if is_file else "rtsp"), ReadOptions(stall_seconds=stall_seconds)) as video,
    ):
        list(video.frames(8.0, threading.Event()))
    return str(caught.value)


def test_frames_lie_on_the_grid(video_file: VideoFile) -> None:
    info, frames = read(video_file("clip.mp4", seconds=3, fps=10))
    assert info == VideoInfo(codec="h264", width=64, height=48, fps=10.0, duration_seconds=3.0)
    assert [frame.point for frame in frames] == list(range(24))
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}


def test_pictures_are_small_and_of_the_right_moment(video_file: VideoFile) -> None:
    _, frames = read(video_file("clip.mp4", seconds=2, fps=10, size=(640, 480)))
    assert frames[0].image.shape == (192, 256, 3)
    square = [int(np.argmax(frame.image[10].mean(axis=1) > 200)) for frame in frames]
    assert square[0] <= 1
    assert square == sorted(square)
    assert 150 < square[-1] < 192


def test_one_thread_or_many_decode_the_same(video_file: VideoFile) -> None:
    path = video_file("clip.mp4", seconds=2, fps=25)
    slow, quick = read(path)[1], read(path, fast=True)[1]
    assert [frame.point for frame in slow] == [frame.point for frame in quick]
    assert all(np.array_equal(one.image, other.image) for one, other in zip(slow, quick, strict=True))


def test_reading_can_begin_later(video_file: VideoFile) -> None:
    path = video_file("clip.mkv", seconds=2, fps=10)
    whole, rest = read(path)[1], read(path, first_point=9)[1]
    assert [frame.point for frame in rest] == list(range(9, 16))
    assert np.array_equal(whole[9].image, rest[0].image)


def test_a_rotated_picture_is_turned_upright(video_file: VideoFile) -> None:
    straight = read(video_file("straight.mp4", seconds=1))[1]
    # rotation is counterclockwise, as FFmpeg's display matrix counts
    turned = read(video_file("turned.mp4", seconds=1, rotation=90))[1]
    assert turned[0].image.shape == (64, 48, 3)
    assert np.abs(turned[0].image.astype(int) - np.rot90(straight[0].image)).mean() < 2


def test_reading_stops_when_asked(video_file: VideoFile) -> None:
    stop = threading.Event()
    with open_video(Source(str(video_file("clip.mp4", seconds=2)))) as video:
        frames = video.frames(8.0, stop)
        next(frames)
        stop.set()
        assert list(frames) == []


def test_what_is_not_a_video_says_so(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("This is not a film.\n" * 100)
    (tmp_path / "empty.mp4").write_bytes(b"")
    assert failure(str(tmp_path / "missing.mp4"), is_file=True) == "no such file"
    for name in ("text.mp4", "empty.mp4"):
        assert "not a video" in failure(str(tmp_path / name), is_file=True)


def test_a_picture_beyond_the_bound_is_refused(video_file: VideoFile, monkeypatch: pytest.MonkeyPatch) -> None:
    path = video_file("clip.mp4", size=(320, 240))
    monkeypatch.setattr(pictures, "MAX_PIXELS", 320 * 200)
    assert "320x240" in failure(str(path), is_file=True)


def test_a_damaged_file_gives_what_decodes(video_file: VideoFile) -> None:
    path = video_file("clip.avi", seconds=4)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    path.write_bytes(content)
    assert len(read(path)[1]) > 10


@pytest.fixture
def mute_server() -> Iterator[int]:
    """A port where something listens and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_camera_that_is_not_there_says_why(mute_server: int) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]
        assert "connection refused" in failure(f"rtsp://u:secret@127.0.0.1:{closed}/x", is_file=False)
    mute = f"rtsp://u:secret@127.0.0.1:{mute_server}/x"
    assert "timed out" in failure(mute, is_file=False, stall_seconds=0.5)
    assert "host not found" in failure("rtsp://u:secret@camera.invalid/x", is_file=False)


@pytest.mark.parametrize(("name", "count"), [("vtest.avi", 636), ("car-detection.mp4", 241)])
def test_real_footage(reference_data: Path, name: str, count: int) -> None:
    assert [frame.point for frame in read(reference_data / "video" / name, fast=True)[1]] == list(range(count))


@pytest.mark.parametrize(
    "pattern",
    ["*encrypted*", "*missing_stsd*", "*invalid_nalu*", "*empty_track*", "*.264", "*cenc*", "*rotat*"],
)
def test_odd_files_are_read_or_refused_in_words(reference_data: Path, pattern: str) -> None:
    paths = sorted((reference_data / "odd").glob(pattern))
    assert paths
    for path in paths:
        with suppress(SourceFailed):
            points = [frame.point for frame in read(path)[1]]
            assert points == sorted(set(points))
