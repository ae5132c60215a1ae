import os
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from films import VideoFile, render
from odd_manners import Manners
from odd_rtsp import odd_camera
from patience import PATIENCE_SECONDS, eventually
from process_tree import descriptors, readers
from stuck import StuckSource

from services.ingest.readers import reading as service_side
from services.ingest.readers.messages import Picture
from services.ingest.readers.reader import Reader, ReadJob
from services.ingest.readers.reading import Reading, reading
from services.ingest.sources.decoding.tally import Tally
from services.ingest.sources.options import ReadOptions
from services.ingest.sources.video import VideoInfo
from shared.errors import SourceCrashed, SourceFailed, SourceSilent
from shared.sources import Source
from shared.waiting import Stopped

STALL_SECONDS = 1.0
SHORT_GRACE_SECONDS = 0.2
OPTIONS = ReadOptions(stall_seconds=STALL_SECONDS)


@pytest.fixture(autouse=True)
def _nothing_is_left(video_file: VideoFile) -> Iterator[None]:
    with reading(ReadJob(Source(str(video_file("warm.mp4"))), 8.0), threading.Event()):
        """From here on the fork server runs, with its descriptors."""
    before = descriptors()
    yield
    assert readers(os.getpid()) == []
    assert descriptors() == before


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 s, 500 pictures: more than fit into the pipe, so a reader that nobody hears is never done with them."""
    path = tmp_path_factory.mktemp("films") / "film.ts"
    render(path, seconds=20, fps=25, size=(160, 120), rotation=0)
    return path


def everything(job: ReadJob) -> tuple[VideoInfo, list[Picture], Tally]:
    """All that a source gives, and the sum of what it says of its work."""
    total = Tally()

    def observe(tally: Tally) -> None:
        for name in ("decoded", "skipped", "dropped", "refused"):
            setattr(total, name, getattr(total, name) + getattr(tally, name))

    with reading(job, threading.Event(), observe) as source:
        return source.info, list(source.pictures()), total


def reader_pid() -> int:
    [pid] = readers(os.getpid())
    return pid


def read_to_the_end(source: Reading) -> None:
    for _ in source.pictures():
        """Nobody wants them."""


def test_a_film_comes_as_pictures_and_counts(video_file: VideoFile) -> None:
    info, pictures, total = everything(ReadJob(Source(str(video_file("film.mp4", seconds=2, fps=25))), 8.0))
    assert (info.codec, info.width, info.height, info.fps) == ("h264", 64, 48, 25.0)
    assert [picture.point for picture in pictures] == list(range(16))
    assert all(picture.jpeg.startswith(b"\xff\xd8") for picture in pictures)
    assert (total.decoded, total.skipped, total.dropped, total.refused) == (50, 34, 0, 0)


def test_a_source_without_pictures_says_why(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a film\n" * 50)
    with pytest.raises(SourceFailed, match="not a video file") as raised:
        everything(ReadJob(Source(str(tmp_path / "text.mp4")), 8.0))
    assert not isinstance(raised.value, SourceCrashed)


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV, signal.SIGKILL])
def test_a_reader_that_dies_is_a_failure_of_its_source(number: signal.Signals, film: Path) -> None:
    with reading(ReadJob(Source(str(film)), 25.0), threading.Event()) as source:
        next(source.pictures())
        os.kill(reader_pid(), number)
        with pytest.raises(SourceCrashed, match=rf"the decoder crashed \({number.name}\)"):
            read_to_the_end(source)


def test_a_reader_that_hangs_in_open_is_ended(film: Path) -> None:
    began = time.monotonic()
    with pytest.raises(SourceCrashed, match="no sign of life for 4 s"), reading(stuck(film), threading.Event()):
        pytest.fail("it cannot be open")
    assert time.monotonic() - began >= STALL_SECONDS


def test_a_reader_that_hangs_in_read_is_ended(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_side, "GRACE_SECONDS", SHORT_GRACE_SECONDS)
    with reading(stuck(film, patience=20), threading.Event()) as source:
        last = [time.monotonic()]
        with pytest.raises(SourceCrashed, match="no sign of life"):
            last.extend(time.monotonic() for _ in source.pictures())
        assert time.monotonic() - last[-1] >= STALL_SECONDS


def test_a_reader_that_is_frozen_is_ended(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_side, "GRACE_SECONDS", SHORT_GRACE_SECONDS)
    with reading(ReadJob(Source(str(film)), 25.0, options=OPTIONS), threading.Event()) as source:
        os.kill(reader_pid(), signal.SIGSTOP)
        with pytest.raises(SourceCrashed, match="no sign of life"):
            read_to_the_end(source)


def test_a_host_that_does_not_speak_is_given_up_by_the_reader_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_side, "GRACE_SECONDS", PATIENCE_SECONDS)  # however late it says so
    with socket.create_server(("127.0.0.1", 0)) as silent:
        location = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/camera"
        with pytest.raises(SourceFailed) as raised:
            everything(ReadJob(Source(location, "rtsp"), 8.0, options=OPTIONS))
    assert not isinstance(raised.value, SourceCrashed)


def test_a_camera_that_falls_silent_is_not_a_reader_that_hangs() -> None:
    """Its last pictures were not sampled, so the reader had nothing to say of them."""
    options = ReadOptions(stall_seconds=2.0)
    with odd_camera(Manners(rate=10, stops_after=29)) as camera:
        job = ReadJob(Source(camera.url(), "rtsp"), 1.0, options=options)
        with reading(job, threading.Event()) as source, pytest.raises(SourceSilent, match="no data for 2 s"):
            read_to_the_end(source)


def test_time_that_the_service_takes_is_not_the_reader_s(film: Path) -> None:
    with reading(ReadJob(Source(str(film)), 25.0, options=OPTIONS), threading.Event()) as source:
        pictures = source.pictures()
        next(pictures)
        threading.Event().wait(STALL_SECONDS + 1)
        assert len(list(pictures)) == 20 * 25 - 1


def test_stop_ends_a_reader_that_hangs(film: Path) -> None:
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(Stopped), reading(stuck(film, options=ReadOptions(stall_seconds=600)), stop):
        pytest.fail("it cannot be open")


def test_stop_ends_a_reader_that_never_pauses(film: Path) -> None:
    stop = threading.Event()
    with reading(ReadJob(Source(str(film)), 25.0), stop) as source:
        pictures = source.pictures()
        next(pictures)
        stop.set()
        with pytest.raises(Stopped):
            next(pictures)


def test_a_reader_ends_with_its_service(film: Path) -> None:
    with reading(ReadJob(Source(str(film)), 25.0), threading.Event()) as source:
        next(source.pictures())
        pid = reader_pid()
    eventually(lambda: not Path(f"/proc/{pid}").exists(), "the reader's end")


def stuck(path: Path, patience: int = 1, options: ReadOptions = OPTIONS) -> ReadJob:
    return ReadJob(StuckSource(str(path), patience=patience), 8.0, options=options)


def fill(connection: Connection) -> None:
    while select.select([], [connection], [], 0)[1]:
        connection.send_bytes(bytes(1000))


def drain(connection: Connection) -> None:
    while connection.poll(0.1):
        connection.recv_bytes()


def test_a_live_picture_waits_for_a_listener_that_was_held_up_but_not_for_one_that_is_always_late() -> None:
    ours, theirs = Pipe()
    with ours, theirs:
        reader = Reader(ReadJob(Source("rtsp://camera"), 8.0), theirs, threading.Event())
        fill(theirs)
        listener = threading.Timer(0.2, drain, [ours])
        listener.start()
        assert reader._is_listened_to()
        listener.join()
        fill(theirs)
        assert not reader._is_listened_to()
        assert reader._patience_seconds == 0
