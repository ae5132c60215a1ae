"""Hostile sources beside sound ones: the sound ones do not notice."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import redis
from cameras import camera_server
from films import VideoFile
from hostile import become_fifo, endless, huge_film, huge_jpeg, signal_readers_of, without_keyframes
from ingest_runner import Passing, stream_spec
from outages import LIVE, Streams
from process_tree import readers
from service_process import ServiceProcess, ingest_process
from web_server import web_server

from shared.clock import now_ms
from shared.entries import Frame
from shared.store.client import connect
from shared.store.registry import Registry
from shared.streams import DEFAULT_FPS, StreamSpec, StreamState

STALL_SECONDS = 2.0
WINDOW_SECONDS = 16.0
PATIENCE_SECONDS = 90.0
MAX_STEPS = 2
"""Of the grid, from a frame to the next: whatever the machine's load, no picture is left out."""
LATEST_MS = 5_000
"""So old may a neighbour's newest frame be: it keeps up."""

EXPECTED = {
    "aborts": "the decoder crashed (SIGABRT)",
    "becomes-a-fifo": "not a regular file",
    "hangs": "no sign of life for 6 s",
    "no-keyframe": "waiting for a keyframe",
    "huge-film": "no picture could be decoded",
    "huge-stream": "",
    "playlist": "a file of the container hls",
    "disguised-playlist": "a file of the container hls",
    "concatenation": "a file of the container concat",
}
"""By stream: what its reason must say."""


@dataclass(frozen=True, slots=True)
class System:
    """A service and where its streams are."""

    ingest: ServiceProcess
    client: redis.Redis
    neighbours: list[StreamSpec]

    def frames_in(self, seconds: float, also: Callable[[], object] = lambda: None) -> dict[str, list[Frame]]:
        """Frames of the neighbours that come within so many seconds, once all are live; `also` happens meanwhile."""
        passing = Passing(self.client, self.neighbours)
        Streams(Registry(self.client), passing, [spec.id for spec in self.neighbours]).until_all(LIVE)
        passing.step()
        found: dict[str, list[Frame]] = {spec.id: [] for spec in self.neighbours}
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for stream_id, frames in passing.step().items():
                found[stream_id] += frames
            also()
            time.sleep(0.01)
        for stream_id, frames in found.items():
            assert now_ms() - frames[-1].due_at_ms < LATEST_MS, f"{stream_id} fell behind"
        return found


@contextmanager
def running(redis_url: str, folder: Path, camera: str) -> Iterator[System]:
    """A service with two files and two cameras to watch."""
    with closing(connect(redis_url)) as client:
        client.flushall()
        stall_seconds = f"{STALL_SECONDS:g}"
        with ingest_process(
            redis_url, folder, folder / "log", STALL_SECONDS=stall_seconds, LOG_LEVEL="debug"
        ) as ingest:
            files = [stream_spec(f"file-{n}", "film.mp4", pace="live", loop=True) for n in range(2)]
            cameras = [stream_spec(f"camera-{n}", camera, pace="live") for n in range(2)]
            for spec in (*files, *cameras):
                Registry(client).add(spec)
            yield System(ingest, client, [*files, *cameras])


@pytest.mark.timeout(360)
def test_neighbours_do_not_notice(redis_url: str, video_file: VideoFile, tmp_path: Path) -> None:
    film = video_file("film.mp4", seconds=120, fps=10)
    with ExitStack() as stack:
        server = stack.enter_context(camera_server(film))
        sources = prepared(stack, film, video_file, tmp_path)
        with running(redis_url, tmp_path, server.url()) as system:
            registry = Registry(system.client)
            for stream_id, source in sources.items():
                registry.add(stream_spec(stream_id, source, pace="live", loop=stream_id in LOOPED))
            while not all(registry.get(stream_id).status.epoch for stream_id in LOOPED):
                time.sleep(0.01)
            become_fifo(tmp_path / sources["becomes-a-fifo"])

            def disturb() -> None:
                for stream_id, number in CRASHES.items():
                    signal_readers_of(tmp_path / sources[stream_id], system.ingest.pid, number)

            disturbed = system.frames_in(WINDOW_SECONDS, disturb)
            reasons = all_reasons(registry, disturb)
            samples = system.ingest.samples()
            below = readers(system.ingest.pid)
    for stream_id, frames in disturbed.items():
        steps = np.diff([frame.media_seconds for frame in frames])
        assert steps.min() > 0, stream_id
        assert steps.max() <= MAX_STEPS / DEFAULT_FPS + 0.001, (stream_id, steps.max())
        assert samples.total("connections", stream_id=stream_id) == 1
        assert samples.total("frames_dropped", stream_id=stream_id) == 0
    for stream_id, reason in EXPECTED.items():
        assert reason in reasons[stream_id], reasons
    for stream_id in CRASHES:
        assert samples.total("reader_crashes", stream_id=stream_id) >= 1
    assert samples.total("reader_crashes", stream_id="becomes-a-fifo") == 0
    assert len(below) <= len(system.neighbours) + len(sources)
    assert "root:" not in (tmp_path / "log").read_text()


CRASHES = {"aborts": signal.SIGABRT, "hangs": signal.SIGSTOP}
LOOPED = (*CRASHES, "becomes-a-fifo")


def prepared(stack: ExitStack, film: Path, video_file: VideoFile, folder: Path) -> dict[str, str]:
    """The hostile sources by stream."""
    for name in ("aborts.mp4", "hangs.mp4", "fifo.mp4"):
        video_file(name, seconds=2, fps=10)
    without_keyframes(film, folder / "nokey.mp4")
    huge_film(folder / "huge.avi")
    (folder / "list.m3u8").write_text("#EXTM3U\n#EXTINF:10,\n/etc/passwd\n#EXTINF:10,\nfile:///etc/passwd\n")
    (folder / "list.mp4").write_text("#EXTM3U\n#EXTINF:10,\nconcat:/etc/passwd|/etc/hosts\n")
    (folder / "concat.mp4").write_text("ffconcat version 1.0\nfile /etc/passwd\n")
    cameras = stack.enter_context(camera_server(folder / "nokey.mp4"))
    web = stack.enter_context(web_server())
    web.answers["/huge"] = partial(endless, huge_jpeg())
    return {
        "aborts": "aborts.mp4",
        "hangs": "hangs.mp4",
        "becomes-a-fifo": "fifo.mp4",
        "no-keyframe": cameras.url(),
        "huge-film": "huge.avi",
        "huge-stream": web.url("/huge"),
        "playlist": "list.m3u8",
        "disguised-playlist": "list.mp4",
        "concatenation": "concat.mp4",
    }


def all_reasons(registry: Registry, also: Callable[[], object]) -> dict[str, str]:
    """Why each hostile stream gives nothing, once all say so."""
    deadline, reasons = time.monotonic() + PATIENCE_SECONDS, dict[str, str]()
    while len(reasons) < len(EXPECTED):
        for record in registry.records(EXPECTED):
            if record.status.state in (StreamState.FAILED, StreamState.WAITING) and record.status.reason:
                reasons.setdefault(record.spec.id, record.status.reason)
        also()
        assert time.monotonic() < deadline, reasons
        time.sleep(0.01)
    return reasons
