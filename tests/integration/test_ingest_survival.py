"""No error ends a camera: whatever an attempt meets, the next one comes, and others do not notice."""

import errno
import logging
import os
import random
import resource
import signal
import threading
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cameras import camera_server
from films import VideoFile
from ingest_runner import IngestRunner, stream_spec
from patience import eventually
from process_tree import children, readers
from service_process import ingest_process

from services.ingest.captures import attempts, inlet
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
