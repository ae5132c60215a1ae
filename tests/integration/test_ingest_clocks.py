"""Clocks that are set while cameras are watched, and hosts whose clocks differ."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cameras import camera_server
from default_layout import partition_of
from faked_time import FakedTime
from films import VideoFile
from ingest_runner import BASE_MS, IngestRunner, Passing, stream_spec
from leasing import seize
from outages import LIVE
from patience import PATIENCE_SECONDS, eventually
from service_process import ingest_process

from services.ingest.captures import inlet
from services.ingest.captures.clock import SLEW
from services.ingest.readers.reading import Reading, reading
from shared.clock import now_ms
from shared.entries import Frame
from shared.store.client import connect
from shared.store.frame_queue import FrameWriter
from shared.store.leases import LeaseBook
from shared.store.registry import Registry
from shared.streams import StreamState

FPS = 8
STEP_MS = 1000 / FPS
SLACK_MS = (2 * SLEW + 0.08) * STEP_MS
"""of a distance: the clock and what glides may both slew"""
SET_BACK_SECONDS = 40
NUM_SETTLED = FPS
"""So many right distances in a row, and a stream's time has settled: before, a camera may send what it holds at once,
or a busy machine see the first pictures late by more than glides."""
NEAR_MS = 5000


class Times:
    """The times of a camera's frames as they come."""

    def __init__(self, passing: Passing) -> None:
        self.all: list[int] = []
        self._passing = passing

    def take(self, num_frames: int) -> list[int]:
        """So many more."""
        wanted, deadline = len(self.all) + num_frames, time.monotonic() + PATIENCE_SECONDS
        while len(self.all) < wanted:
            for frames in self._passing.step().values():
                self.all += [frame.captured_at_ms for frame in frames if frame.jpeg]
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return self.all[-num_frames:]

    def take_until_near(self, now_ms: Callable[[], float]) -> None:
        """More, until the newest is as good as now: a busy machine may have held them up."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while abs(self.take(1)[-1] - now_ms()) > NEAR_MS:
            assert time.monotonic() < deadline, self.all[-1] - now_ms()


def wrong_distances(times: list[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(times) if abs(later - earlier - STEP_MS) > SLACK_MS]


def num_missing(times: list[int]) -> int:
    """How many frames are missing among those, whose distances are whole steps."""
    distances = [later - earlier for earlier, later in pairwise(times)]
    steps = [max(1, round(each / STEP_MS)) for each in distances]
    pairs = zip(distances, steps, strict=True)
    assert [each for each, num in pairs if abs(each - num * STEP_MS) > num * SLACK_MS] == []
    return sum(steps) - len(steps)


def settled(times: list[int]) -> list[int]:
    """Those from the first on that NUM_SETTLED right distances follow; none where there is no such."""
    for first in range(len(times) - NUM_SETTLED):
        if not wrong_distances(times[first : first + NUM_SETTLED + 1]):
            return times[first:]
    return []


@pytest.fixture
def film(video_file: VideoFile) -> Path:
    return video_file("film.mp4", seconds=60, fps=FPS)


def test_a_clock_that_is_set_moves_no_frame(film: Path, redis_url: str, tmp_path: Path) -> None:
    faked, spec_id, log = FakedTime(tmp_path), "camera", tmp_path / "log"
    with camera_server(film) as server, closing(connect(redis_url)) as client:
        client.flushall()
        spec = stream_spec(spec_id, server.url(), pace="live", fps=FPS)
        Registry(client).add(spec)
        with ingest_process(redis_url, tmp_path, log, faked.environment) as ingest:
            times = Times(Passing(client, [spec]))
            while not settled(times.all):
                times.take(1)
            for offset_seconds in (-SET_BACK_SECONDS, 0, 3600, -3600):
                faked.set(offset_seconds)
                times.take(2 * FPS)
                times.take_until_near(now_ms)
                ahead = ingest.samples().values["afterimage_clock_ahead_seconds", frozenset({("stream_id", spec_id)})]
                assert ahead == pytest.approx(-offset_seconds, abs=1)
            samples = ingest.samples()
            assert samples.total("connections") == 1
            assert (samples.total("clock_steps", way="back"), samples.total("clock_steps", way="forward")) == (2, 2)
    assert num_missing(settled(times.all)) <= samples.total("frames_dropped", reason="busy")
    lines = [line for line in log.read_text().splitlines() if "clock" in line]
    assert len(lines) == 4, lines
    assert "this host's clock was set back by 40.0 s" in lines[0].replace("39.9", "40.0")


def captured(ingest: IngestRunner, name: str) -> list[int]:
    """When each frame was taken, in ms."""
    return [frame.captured_at_ms for frame in ingest.frames(name)]


def test_a_partition_that_moves_to_a_host_whose_clock_is_behind_goes_on(
    film: Path, ingest: IngestRunner, caplog: pytest.LogCaptureFixture
) -> None:
    with camera_server(film) as server:
        names = ("one", "two")
        lease_of = seize(ingest.client, "ingest")
        last_ms = now_ms() + 1000 * SET_BACK_SECONDS
        for name in names:
            spec = ingest.add(name, server.url(), pace="live", fps=FPS)
            lease = lease_of[partition_of(name)]
            writer = FrameWriter(ingest.client, name, spec.generation, "live", lease)
            writer.publish([Frame(last_ms, last_ms, 1, 0.0, b"jpeg")])
        LeaseBook(ingest.client, "ingest", "the-test").release(list(lease_of.values()))
        ingest.start()
        for name in names:
            eventually(lambda name=name: len(settled(captured(ingest, name)[1:])) > 2 * FPS, "frames")  # type: ignore[misc]
            times = captured(ingest, name)
            assert (times[0], times[1]) == (last_ms, last_ms + STEP_MS)
            dropped = ingest.value("afterimage_frames_dropped_total", stream_id=name, reason="busy")
            assert num_missing(settled(times[1:])) <= (dropped or 0)
            ahead = ingest.value("afterimage_clock_ahead_seconds", stream_id=name)
            assert ahead == pytest.approx(SET_BACK_SECONDS, abs=10)
            assert ingest.frames(name)[-1].due_at_ms <= now_ms()
    told = [record.getMessage() for record in caplog.records if "ahead of this host's clock" in record.getMessage()]
    assert len(told) == 1


@pytest.mark.parametrize("loop", [True, False])
def test_a_live_file_after_downtime(loop: bool, ingest: IngestRunner, video_file: VideoFile) -> None:
    """Looped, it begins at now; played once, it takes up where it was left."""
    ingest.add("clip", video_file("clip.mp4", seconds=20, fps=FPS).name, pace="live", loop=loop)
    ingest.start()
    eventually(lambda: len(ingest.frames("clip")) > 4, "frames")
    ingest.stop()
    before = [frame.captured_at_ms for frame in ingest.frames("clip")]
    assert before[0] == BASE_MS
    began_ms = now_ms()
    ingest.start()
    eventually(lambda: len(ingest.frames("clip")) > len(before) + 4, "more frames")
    after = ingest.frames("clip")[len(before) :]
    assert [frame.epoch for frame in after] == [2] * len(after)
    if loop:
        assert began_ms <= after[0].captured_at_ms <= after[0].due_at_ms + STEP_MS
        assert after[0].media_seconds == 0
    else:
        assert after[0].captured_at_ms == before[-1] + STEP_MS
    assert [later.captured_at_ms - earlier.captured_at_ms for earlier, later in pairwise(after)] == [STEP_MS] * (
        len(after) - 1
    )


def test_a_recording_of_a_server_ends_as_a_file_does(
    ingest: IngestRunner, video_file: VideoFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def recording(*args: Any) -> Iterator[Reading]:
        with reading(*args) as source:
            source.info = replace(source.info, is_recording=True)
            yield source

    monkeypatch.setattr(inlet, "reading", recording)
    with camera_server(video_file("film.mp4", seconds=3, fps=FPS)) as server:
        ingest.add("door", server.url(), pace="live")
        ingest.start()
        record = ingest.until("door", StreamState.ENDED)
    assert record.status.reason is None
    assert [name.endswith("-1") for name, _ in ingest.entries("door")][-1]
    assert ingest.value("afterimage_source_failures_total", stream_id="door") == 0


def test_a_source_that_is_connected_says_why_it_gives_no_picture(
    ingest: IngestRunner, video_file: VideoFile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen = threading.Event()

    @contextmanager
    def patient(
        job: Any, stop: Any, observe: Any, changed: Any, waiting: Callable[[str], None], marked: Any
    ) -> Iterator[Reading]:
        with reading(job, stop, observe, changed, waiting, marked) as source:
            waiting("waiting for a keyframe")
            waiting("waiting for a keyframe")
            seen.wait(PATIENCE_SECONDS)
            yield source

    monkeypatch.setattr(inlet, "reading", patient)
    caplog.set_level(logging.INFO)
    ingest.add("door", video_file("film.mp4").name, pace="live")
    ingest.start()
    status = ingest.until("door", StreamState.WAITING).status
    assert (status.reason, status.next_attempt_at_ms) == ("waiting for a keyframe", None)
    seen.set()
    assert ingest.until("door", LIVE).status.reason is None
    assert caplog.text.count("waiting for a keyframe") == 1
    assert ingest.value("afterimage_source_failures_total", stream_id="door") == 0
