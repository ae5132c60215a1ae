"""Cameras that vanish, hang and refuse: seen at a real service and a real RTSP server."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from api_server import running_api
from cameras import camera_server
from films import VideoFile
from ingest_runner import Passing, stream_spec
from outages import LIVE, WAITING, Streams, lateness_after_restart
from patience import eventually
from process_tree import command_lines, readers, usage
from service_process import ServiceProcess, ingest_process

from services.ingest.sources.options import STALL_SECONDS as DEFAULT_STALL_SECONDS
from shared.store.client import connect
from shared.store.registry import Registry
from shared.streams import DEFAULT_FPS

STALL_SECONDS = 2.0
LATE_SECONDS = 15.0
"""Whoever did not come at the stated time would wait for half a minute."""
PAUSE_SECONDS = 6.0
NUM_STREAMS = 4
AWAY_TIMES = 2


@dataclass(frozen=True, slots=True)
class Watched:
    """A service that watches cameras."""

    ingest: ServiceProcess
    streams: Streams


@pytest.fixture
def film(video_file: VideoFile) -> Path:
    return video_file("film.mp4", seconds=90, fps=15, size=(64, 48))


@contextmanager
def watched(redis_url: str, folder: Path, *sources: str, stall_seconds: float = STALL_SECONDS) -> Iterator[Watched]:
    """Runs a service on these sources."""
    with ExitStack() as stack:
        client = stack.enter_context(closing(connect(redis_url)))
        client.flushall()
        registry = Registry(client)
        specs = [stream_spec(f"camera-{number}", source, pace="live") for number, source in enumerate(sources)]
        for spec in specs:
            registry.add(spec)
        ingest = stack.enter_context(
            ingest_process(redis_url, folder, folder / "log", STALL_SECONDS=f"{stall_seconds:g}", LOG_LEVEL="debug")
        )
        yield Watched(ingest, Streams(registry, Passing(client, specs), [spec.id for spec in specs]))


def test_cameras_come_back_with_their_server(film: Path, redis_url: str, tmp_path: Path) -> None:
    with camera_server(film) as server, watched(redis_url, tmp_path, *[server.url()] * NUM_STREAMS) as system:
        system.streams.until_all(LIVE)
        before = size(system.ingest.pid)
        for number in range(AWAY_TIMES):
            lateness = lateness_after_restart(server, system.streams, epoch=2 + number)
            assert max(lateness.values()) < LATE_SECONDS, lateness
        assert [each.status.epoch for each in system.streams.records()] == [1 + AWAY_TIMES] * NUM_STREAMS
        samples = system.ingest.samples()
        for stream_id in system.streams.ids:
            assert samples.total("connections", stream_id=stream_id) == 1 + AWAY_TIMES
            assert samples.total("source_failures", stream_id=stream_id) >= AWAY_TIMES
        assert samples.total("reader_crashes") == 0
        eventually(lambda: size(system.ingest.pid) == before, "as many threads and processes as before")


def test_a_frozen_server_is_noticed(film: Path, redis_url: str, tmp_path: Path) -> None:
    with camera_server(film) as server, watched(redis_url, tmp_path, *[server.url()] * 2) as system:
        system.streams.until_all(LIVE)
        server.freeze()
        assert system.streams.until_all(WAITING) < DEFAULT_STALL_SECONDS
        for record in system.streams.records():
            assert "timed out" in (record.status.reason or "") or "no data" in (record.status.reason or "")
            assert record.status.next_attempt_at_ms
        server.thaw()
        system.streams.until_all(LIVE, epoch=2)
        assert system.ingest.samples().total("reader_crashes") == 0


def test_a_short_pause_loses_nothing(film: Path, redis_url: str, tmp_path: Path) -> None:
    with camera_server(film) as server, watched(redis_url, tmp_path, server.url(), stall_seconds=20) as system:
        system.streams.until_all(LIVE)
        [stream_id] = system.streams.ids
        server.freeze()
        threading.Event().wait(PAUSE_SECONDS)
        before = system.ingest.samples().total("frames_published", stream_id=stream_id)
        server.thaw()
        wanted = before + 0.9 * PAUSE_SECONDS * DEFAULT_FPS
        eventually(lambda: system.ingest.samples().total("frames_published") > wanted, "what was held up")
        samples = system.ingest.samples()
        assert samples.total("connections") == 1
        assert samples.total("frames_dropped") == 0


def test_a_wrong_password_is_said_and_found_nowhere(film: Path, redis_url: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(camera_server(film, "guard", "open-sesame"))
        sources = server.url("guard:swordfish@"), server.url("guard:open-sesame@")
        system = stack.enter_context(watched(redis_url, tmp_path, *sources))
        api = stack.enter_context(running_api(redis_url))
        wrong, right = system.streams.ids
        texts: list[str] = []
        while not texts or system.streams.registry.get(right).status.state is not LIVE:
            status = system.streams.registry.get(wrong).status
            assert status.state is not LIVE
            if status.state is WAITING:
                assert "authentication refused: check user name and password" in (status.reason or "")
                texts.append(command_lines(system.ingest.process.pid))
            time.sleep(0.05)
        texts += [api.http.get(path).text for path in ("/v1/streams", f"/v1/streams/{wrong}", f"/v1/streams/{right}")]
        texts += [api.metrics(), system.ingest.page()]
        shown = "".join(str(each.status) for each in system.streams.records())
    texts += [shown, system.ingest.log.read_text()]
    assert "guard" not in system.ingest.log.read_text()
    assert all("swordfish" not in text for text in texts)
    assert all("sesame" not in text for text in texts[-6:])


def test_a_killed_service_takes_its_readers_along(film: Path, redis_url: str, tmp_path: Path) -> None:
    with camera_server(film) as server, watched(redis_url, tmp_path, server.url()) as system:
        system.streams.until_all(LIVE)
        below = readers(system.ingest.pid)
        assert len(below) == 1
        system.ingest.process.kill()
        eventually(lambda: not any(is_alive(pid) for pid in below), "the readers' end")


def size(pid: int) -> tuple[int, int]:
    """Threads of the service, and processes below it."""
    seen = usage(pid)
    return seen.num_threads, seen.num_processes


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
