"""No error ends a camera: whatever an attempt meets, the next one comes, and others do not notice."""

import errno
import logging
import os
import random
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cameras import camera_server
from films import VideoFile, index_first
from ingest_runner import IngestRunner, stream_spec
from patience import eventually
from process_tree import children, readers
from service_process import ingest_process

from services.ingest.captures import attempts, capture, inlet, playback
from services.ingest.captures.publisher import LivePublisher
from services.ingest.captures.supervisor import Supervisor
from services.ingest.readers.gate import Gate
from services.ingest.readers.reading import reading
from services.ingest.readers.starting import Starter
from shared.store.client import connect
from shared.store.registry import Registry
from shared.streams import StreamState

LIVE, WAITING, FAILED, ENDED = StreamState.LIVE, StreamState.WAITING, StreamState.FAILED, StreamState.ENDED
TROUBLE: dict[str, tuple[Exception, str, str]] = {
    "descriptors": (OSError(errno.EMFILE, "Too many open files"), "may not open more files", "readers_lost"),
    "processes": (BlockingIOError(errno.EAGAIN, "Try again"), "no more processes start", "readers_lost"),
    "memory": (MemoryError(), "out of memory", "readers_lost"),
    "end": (EOFError("unexpected EOF"), "internal error: EOFError", "defects"),
    "connection": (ConnectionResetError(errno.ECONNRESET, "reset"), "internal error: Connection", "defects"),
    "bug": (ZeroDivisionError("rtsp://guard:swordfish@host"), "internal error: ZeroDivisionError", "defects"),
}
"""By name: what an attempt raises, what the reason says, and which counter tells."""


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes minutes takes no time."""
    monkeypatch.setattr(attempts, "SLOW_SECONDS", 0.1)
    monkeypatch.setattr(attempts, "FIRST_ABSENT_SECONDS", 0.1)
    monkeypatch.setattr(capture, "BREATH_SECONDS", 0.1)
    monkeypatch.setattr(capture, "DEFECT_SECONDS", 0.1)


class Failing:
    """Raises on the first so many calls, then does what it stands for."""

    def __init__(self, error: Exception, num_times: int, wanted: Callable[..., Any]) -> None:
        self.num_left = num_times
        self._error = error
        self._wanted = wanted

    def __call__(self, *args: Any, **named: Any) -> Any:
        if self.num_left:
            self.num_left -= 1
            raise self._error
        return self._wanted(*args, **named)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("name", sorted(TROUBLE))
def test_whatever_an_attempt_meets_the_next_one_comes(
    name: str,
    ingest: IngestRunner,
    video_file: VideoFile,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    error, reason, counter = TROUBLE[name]
    video_file("film.mp4", seconds=1)
    failing = Failing(error, 2, reading)
    monkeypatch.setattr(inlet, "reading", failing)
    ingest.add("door", "film.mp4")
    ingest.start()
    status = ingest.until("door", WAITING).status
    assert reason in (status.reason or "")
    assert status.next_attempt_at_ms
    assert ingest.until("door", ENDED).frames_published == 8
    assert failing.num_left == 0
    for each in (counter, "source_failures"):
        assert ingest.value(f"afterimage_{each}_total", stream_id="door") == 2
    told = [record for record in caplog.records if record.name.endswith("status") and record.levelno >= logging.WARNING]
    assert len(told) == 1
    assert bool(told[0].exc_info) == (counter == "defects")
    assert "swordfish" not in (status.reason or "")


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("where", ["publish", "prepare", "handle"])
def test_a_defect_anywhere_costs_a_camera_time_alone(
    where: str, ingest: IngestRunner, video_file: VideoFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name = {
        "publish": (LivePublisher, "publish"),
        "prepare": (Registry, "get"),
        "handle": (attempts.Attempts, "failed"),
    }[where]
    failing = Failing(ZeroDivisionError(), 3, getattr(owner, name))
    monkeypatch.setattr(owner, name, lambda *args: failing(*args))  # noqa: PLW0108 (a method, once it is the class's)
    with camera_server(video_file("film.mp4", seconds=30, fps=10)) as server:
        if where == "handle":
            monkeypatch.setattr(inlet, "reading", Failing(OSError(), 4, reading))
        ingest.add("door", server.url(), pace="live")
        ingest.start()
        eventually(lambda: failing.num_left == 0, "three failures")
        eventually(lambda: len(ingest.frames("door")) > 8, "frames of the camera")
        assert (ingest.value("afterimage_defects_total", stream_id="door") or 0) >= 3
    assert tmp_path


@pytest.mark.usefixtures("soon")
def test_threads_that_do_not_start_and_ticks_that_fail_are_tried_again(
    ingest: IngestRunner, video_file: VideoFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    video_file("film.mp4", seconds=1)
    begin = threading.Thread.start
    failing = Failing(RuntimeError("can't start new thread"), 3, begin)

    def start(thread: threading.Thread) -> None:
        (failing if thread.name.startswith("capture-") else begin)(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    ticks = Failing(KeyError("a defect"), 2, Supervisor._tick)
    monkeypatch.setattr(Supervisor, "_tick", lambda self: ticks(self))  # noqa: PLW0108
    ingest.add("one", "film.mp4")
    ingest.add("two", "film.mp4")
    ingest.start()
    ingest.until("one", ENDED)
    ingest.until("two", ENDED)
    assert (failing.num_left, ticks.num_left) == (0, 0)


def test_what_readers_are_forked_from_may_be_killed(ingest: IngestRunner, video_file: VideoFile) -> None:
    names = [f"camera-{number}" for number in range(4)]
    with camera_server(video_file("film.mp4", seconds=90, fps=10)) as server:
        for name in names:
            ingest.add(name, server.url(), pace="live")
        ingest.start()
        for name in names:
            ingest.until(name, LIVE)
        [nursery] = [child for child in children(os.getpid()) if children(child)]
        before = children(nursery)
        os.kill(nursery, signal.SIGKILL)
        eventually(lambda: all(ingest.registry.get(name).status.epoch == 2 for name in names), "all opened anew")
        for name in names:
            ingest.until(name, LIVE)
            assert ingest.value("afterimage_readers_lost_total", stream_id=name) == 1
            assert ingest.value("afterimage_reader_crashes_total", stream_id=name) == 0
        assert not set(before) & set(readers(os.getpid()))


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("changes", [{}, {"loop": True}, {"pace": "live"}], ids=str)
def test_a_file_that_comes_late_is_played(changes: dict[str, Any], ingest: IngestRunner, video_file: VideoFile) -> None:
    ingest.add("door", "share/late.mp4", **changes)
    ingest.start()
    status = ingest.until("door", WAITING).status
    assert "no such file" in (status.reason or "")
    assert status.next_attempt_at_ms
    (ingest.media_root / "share").mkdir()
    whole = video_file("whole.mp4", seconds=1)
    whole.rename(ingest.media_root / "share" / "late.mp4")
    ingest.until("door", LIVE, ENDED)
    eventually(lambda: len(ingest.frames("door")) >= 8, "the file's frames")


@contextmanager
def growing(path: Path, data: bytes) -> Iterator[Callable[[], None]]:
    """A file that somebody writes to, a bit each twentieth of a second, until the rest is asked for."""
    enough = threading.Event()
    part = max(1, len(data) // 400)

    def write() -> None:
        with path.open("ab", buffering=0) as file:
            for begin in range(len(data) // 4, len(data), part):
                file.write(data[begin : begin + part])
                enough.wait(0.05)

    path.write_bytes(data[: len(data) // 4])
    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield enough.set
    finally:
        enough.set()
        writer.join()


@pytest.mark.usefixtures("soon")
def test_a_file_still_being_written_is_played_once_it_is_whole(ingest: IngestRunner, video_file: VideoFile) -> None:
    data = video_file("whole.mp4", seconds=2).read_bytes()
    part = ingest.media_root / "part.mp4"
    ingest.add("door", part.name)
    with growing(part, data[: len(data) // 2]):
        ingest.start()
        reason = ingest.until("door", WAITING).status.reason
    assert "not a video file" in (reason or "")
    assert "still being written" in (reason or "")
    part.write_bytes(data)
    assert ingest.until("door", ENDED).frames_published == 16


@pytest.mark.usefixtures("soon")
def test_a_file_that_grows_is_played_on(ingest: IngestRunner, video_file: VideoFile) -> None:
    data = video_file("whole.ts", seconds=40, fps=10).read_bytes()
    ingest.add("door", "growing.ts")
    with growing(ingest.media_root / "growing.ts", data) as finish:
        ingest.start()
        reason = ingest.until("door", WAITING).status.reason
        assert "still being written" in (reason or "")
        assert 0 < ingest.registry.get("door").frames_published < 320
        finish()
        assert ingest.until("door", ENDED).frames_published >= 318
    times = [frame.captured_at_ms for frame in ingest.frames("door")]
    assert len(set(times)) == len(times)


@pytest.mark.parametrize("changes", [{}, {"pace": "live", "loop": True}], ids=str)
def test_a_damaged_file_has_failed_until_it_changes(
    changes: dict[str, Any], ingest: IngestRunner, video_file: VideoFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playback, "LOOKOUT_SECONDS", 0.1)
    path = video_file("film.mp4")
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    os.utime(path, (1, 1))
    ingest.add("door", path.name, **changes)
    ingest.start()
    status = ingest.until("door", FAILED).status
    assert "not a video file" in (status.reason or "")
    assert (status.next_attempt_at_ms is None) is not bool(changes), "what ends is given up"
    assert ingest.value("afterimage_source_failures_total", stream_id="door") == 1
    path.write_bytes(whole)
    os.utime(path, (2, 2))
    ingest.until("door", LIVE if changes else ENDED)


def test_a_film_that_was_cut_off_says_so(ingest: IngestRunner, video_file: VideoFile) -> None:
    whole = index_first(video_file("whole.mp4", seconds=8))
    cut = ingest.media_root / "cut.mp4"
    pictures_at = whole.index(b"mdat")
    cut.write_bytes(whole[: pictures_at + (len(whole) - pictures_at) * 7 // 10])
    os.utime(cut, (1, 1))
    for name in ("whole", "cut"):
        ingest.add(name, f"{name}.mp4")
    ingest.start()
    assert ingest.until("whole", ENDED).status.reason is None
    assert "s of the 8.0 s that it states" in (ingest.until("cut", ENDED).status.reason or "")


def test_of_a_file_that_was_given_up_nothing_is_told_after_an_hour(tmp_path: Path) -> None:
    lookout, path = playback.Lookout(), tmp_path / "film.mp4"
    lookout.note("door", playback.GivenUp(path, None), 0.0)
    lookout.look(3_599.0)
    path.touch()
    lookout.look(3_599.5)
    assert (lookout.take(), lookout.take()) == (["door"], [])
    lookout.note("door", playback.GivenUp(path, None), 4_000.0)
    path.unlink()
    lookout.look(7_600.0)
    path.touch()
    lookout.look(7_601.0)
    assert lookout.take() == []


@pytest.mark.usefixtures("soon")
def test_a_recording_that_is_deleted_is_played_to_its_end_and_waited_for(
    ingest: IngestRunner, video_file: VideoFile
) -> None:
    video_file("once.mp4", seconds=1.5, fps=8)
    video_file("loop.mp4", seconds=1.5, fps=8)
    ingest.add("once", "once.mp4", pace="live")
    ingest.add("loop", "loop.mp4", pace="live", loop=True)
    ingest.start()
    for name in ("once", "loop"):
        ingest.until(name, LIVE)
        (ingest.media_root / f"{name}.mp4").unlink()
    assert "no such file" in (ingest.until("loop", WAITING).status.reason or "")
    assert ingest.until("once", ENDED).frames_published == 12
    video_file("loop.mp4", seconds=1.5, fps=8)
    ingest.until("loop", LIVE)


def test_a_limit_on_files_that_is_reached_ends_nobody(redis_url: str, video_file: VideoFile, tmp_path: Path) -> None:
    video_file("film.mp4", seconds=10, fps=10, size=(640, 480))
    names = [f"file-{number}" for number in range(3)]
    with closing(connect(redis_url)) as client:
        client.flushall()
        registry = Registry(client)
        for name in names:
            registry.add(stream_spec(name, "film.mp4", pace="live", loop=True))
        with ingest_process(redis_url, tmp_path, tmp_path / "log") as ingest:

            def epochs() -> list[int]:
                return [each.status.epoch for each in registry.records(names) if each.status.state is LIVE]

            eventually(lambda: len(epochs()) == len(names), "all live")
            before = resource.prlimit(ingest.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(ingest.pid, resource.RLIMIT_NOFILE, (3, before[1]))
            for reader in readers(ingest.pid):
                os.kill(reader, signal.SIGKILL)
            said = "this process may not open more files"
            eventually(lambda: any(said in (each.status.reason or "") for each in registry.records(names)), said)
            assert len(epochs()) < len(names)
            resource.prlimit(ingest.pid, resource.RLIMIT_NOFILE, before)
            eventually(lambda: len(epochs()) == len(names) and min(epochs()) > 1, "all live again")
            assert ingest.samples().total("readers_lost") >= 1
            assert "Traceback" not in ingest.log.read_text()


def test_a_process_limit_is_no_storm(
    ingest: IngestRunner, video_file: VideoFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty streams, no process for any: what is tried grows with time, not with streams."""
    refusals = list[float]()
    refused = Gate.refused

    def counted(gate: Gate, now: float) -> None:
        refusals.append(now)
        refused(gate, now)

    def fork(*_: Any) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr("services.ingest.readers.reading._starter", Starter())
    monkeypatch.setattr(Gate, "refused", counted)
    monkeypatch.setattr(Starter, "_connected", fork)
    monkeypatch.setattr(random, "uniform", lambda _low, high: high)
    video_file("film.mp4")
    names = [f"file-{number}" for number in range(40)]
    for name in names:
        ingest.add(name, "film.mp4", pace="live", loop=True)
    ingest.start()
    eventually(lambda: len(refusals) >= 4, "four refusals")
    waits = [later - earlier for earlier, later in pairwise(refusals)]
    assert all(wait >= limit for wait, limit in zip(waits, (0.5, 1.0, 2.0), strict=False))
    waiting = [record for record in ingest.registry.records(names) if record.status.state is WAITING]
    assert 1 <= len(waiting) <= 4
    assert all("no more processes start" in (record.status.reason or "") for record in waiting)
