"""`POST /v1/streams/probe`, from the request to the ingest worker that tries the source, and back."""

import asyncio
import base64
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
import redis
from api_server import RunningApi, running_api
from cameras import camera_server
from films import VideoFile
from patience import eventually
from process_tree import command_lines, readers
from pydantic import SecretStr
from service_process import ingest_process
from test_probe_queue import asked, desk_of, kept

from services.api.kept.probing import Prober
from services.api.protocol.errors import ApiError
from services.api.schemas.probes import ProbeCreate
from services.api.settings import ApiSettings
from services.ingest.own_redis import OwnRedis
from services.ingest.probe_desk import ProbeDesk
from services.ingest.readers.probe import probe
from services.ingest.settings import IngestSettings
from services.ingest.sources.options import ReadOptions
from shared.errors import SourceFailed
from shared.probes import MAX_OPEN, ProbeQueue, ProbeRequest
from shared.sources import parse_source
from shared.store.keys import PROBES_WAITING

SECRET = "swordfish"


@pytest.fixture
def api(redis_url: str, redis_client: redis.Redis, tmp_path: Path) -> Iterator[RunningApi]:
    """An api with the test's own folder as media root."""
    with running_api(redis_url, media_root=tmp_path) as running:
        yield running


@pytest.fixture
def worker(redis_client: redis.Redis) -> ProbeQueue:
    """An ingest worker's queue, which has said that it takes requests, and takes none."""
    return desk_of(redis_client)


class Desk:
    """Opens the ingest worker's desk, with settings of the test's own."""

    def __init__(self, client: redis.Redis, media_root: Path, stack: ExitStack) -> None:
        self._client = client
        self._media_root = media_root
        self._stack = stack
        self.stop = threading.Event()

    def open(self, limit_seconds: float = 15.0, **settings: Any) -> None:
        """Begins to try sources."""
        wanted = IngestSettings(**{"media_root": self._media_root, **settings})
        own_redis = OwnRedis(self._client, wanted.forbidden)
        queue = desk_of(self._client)
        self._stack.enter_context(ProbeDesk(queue, wanted, own_redis, self.stop, limit_seconds))


@pytest.fixture
def desk(redis_client: redis.Redis, tmp_path: Path) -> Iterator[Desk]:
    """The desk of a worker, which the test opens."""
    with ExitStack() as stack:
        yield Desk(redis_client, tmp_path, stack)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """The port of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def tried(api: RunningApi, source: str, **more: Any) -> dict[str, Any]:
    """The answer to a probe."""
    reply = api.http.post("/v1/streams/probe", json={"source": source, **more})
    assert reply.status_code == 200, reply.text
    return reply.json()  # type: ignore[no-any-return]


def test_a_file_is_described_with_its_first_picture(api: RunningApi, desk: Desk, video_file: VideoFile) -> None:
    video_file("clip.mp4", seconds=2, fps=10, size=(640, 480))
    desk.open()
    answer = tried(api, "clip.mp4")
    snapshot, took_seconds = answer.pop("snapshot"), answer.pop("took_seconds")
    assert answer == {
        "source": "clip.mp4",
        "ok": True,
        "reason": None,
        "codec": "h264",
        "width": 640,
        "height": 480,
        "fps": 10.0,
        "duration_seconds": 2.0,
    }
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(snapshot, validate=True), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (192, 256, 3)
    assert 0 < took_seconds < 15


def test_what_is_no_video_has_a_reason(api: RunningApi, desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"not a video")
    desk.open()
    answer = tried(api, "clip.mp4")
    assert (answer["ok"], answer["snapshot"], answer["codec"]) == (False, None, None)
    assert "not a video file" in answer["reason"]


def test_a_file_that_ingest_does_not_have_is_refused_by_ingest(api: RunningApi, desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"")
    (tmp_path / "elsewhere").mkdir()
    desk.open(media_root=tmp_path / "elsewhere")
    answer = tried(api, "clip.mp4")
    assert not answer["ok"]
    assert "no such file" in answer["reason"]


def test_the_systems_own_redis_is_no_source(api: RunningApi, desk: Desk, silent_port: int) -> None:
    desk.open(redis_url=SecretStr(f"redis://127.0.0.1:{silent_port}"), limit_seconds=2, stall_seconds=1)
    assert "this system's own Redis" in tried(api, f"rtsp://localhost:{silent_port}/x")["reason"]


def test_a_refused_source_is_not_even_logged_with_a_mask(
    desk: Desk, redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    desk.open()
    queue = ProbeQueue(redis_client)
    eventually(queue.desks, "a desk")
    probe_id = queue.ask(ProbeRequest(source=f"rtsp:/door/admin {SECRET}"), queue.desks())
    assert probe_id
    report = eventually(lambda: queue.answer_to(probe_id), "an answer")
    assert report is not None
    assert str(report.reason) in caplog.text
    assert SECRET not in caplog.text


def test_a_camera_that_says_nothing_is_given_up_and_its_password_is_nowhere(
    api: RunningApi, desk: Desk, silent_port: int, redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    desk.open(limit_seconds=1.5, stall_seconds=1)
    answer = tried(api, f"rtsp://guard:{SECRET}@127.0.0.1:{silent_port}/x", rtsp_transport="udp")
    assert answer["source"] == f"rtsp://***@127.0.0.1:{silent_port}/x"
    assert (answer["ok"], bool(answer["reason"])) == (False, True)
    assert answer["reason"] in caplog.text
    assert SECRET not in f"{answer} {caplog.text} {kept(redis_client)} {api.metrics()}"


def test_a_process_tries_cameras_and_keeps_their_passwords(
    api: RunningApi,
    redis_url: str,
    redis_client: redis.Redis,
    video_file: VideoFile,
    tmp_path: Path,
) -> None:
    film, log = video_file("film.mp4", seconds=60, fps=25, size=(320, 240)), tmp_path / "log"
    with (
        camera_server(film, "guard", "open-sesame") as camera,
        ingest_process(redis_url, tmp_path, log) as ingest,
    ):
        eventually(ProbeQueue(redis_client).desks, "its desk")
        right = tried(api, camera.url("guard:open-sesame@"))
        wrong = tried(api, camera.url(f"guard:{SECRET}@"))
        told = [ingest.page(), api.metrics(), str(kept(redis_client))]
        lines = command_lines(ingest.process.pid)
    assert (right["ok"], right["codec"], right["width"], right["height"]) == (True, "h264", 320, 240)
    assert right["duration_seconds"] is None
    assert base64.b64decode(right["snapshot"]).startswith(b"\xff\xd8")
    assert "authentication refused" in wrong["reason"]
    said = f"{told} {right} {wrong} {log.read_text()} {lines}"
    assert "services.ingest" in lines
    assert "open-sesame" not in said
    assert SECRET not in said


def test_a_refused_source_is_refused_at_once(api: RunningApi) -> None:
    for source in ("ftp://guard:swordfish@host/x", "/etc/passwd", "missing.mp4", ""):
        error = api.error(422, "POST", "/v1/streams/probe", json={"source": source})
        assert (error["code"], error["field"]) == ("invalid", "source")
        assert SECRET not in str(error)
    error = api.error(422, "POST", "/v1/streams/probe", json={"source": "rtsp://h/x", "rtsp_transport": "smoke"})
    assert "'tcp', 'udp', 'http' or 'https' (got 'smoke')" in error["message"]


def test_without_a_worker_nothing_is_tried(api: RunningApi, redis_client: redis.Redis) -> None:
    error = api.error(503, "POST", "/v1/streams/probe", json={"source": "rtsp://host/x"})
    assert (error["code"], error["message"]) == (
        "not_ready",
        "no living worker for: ingest, which would try the source",
    )
    assert kept(redis_client) == {}


def test_too_many_at_once_are_refused(api: RunningApi, worker: ProbeQueue, redis_client: redis.Redis) -> None:
    for _ in range(MAX_OPEN):
        asked(worker)
    reply = api.http.post("/v1/streams/probe", json={"source": "rtsp://host/x"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (429, "too_many_probes")
    assert int(reply.headers["Retry-After"]) > 0


def test_a_worker_that_does_not_answer_is_not_waited_for_for_ever(
    worker: ProbeQueue, redis_url: str, redis_client: redis.Redis
) -> None:
    prober = Prober(redis_client, ApiSettings(redis_url=SecretStr(redis_url)), wait_seconds=0.3)
    with pytest.raises(ApiError, match=r"no ingest worker tried the source within 0\.3 s") as failed:
        asyncio.run(prober.probe(ProbeCreate(source="rtsp://host/x")))
    assert failed.value.status == 503


def test_the_api_stops_although_somebody_waits(
    worker: ProbeQueue, redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1) as callers:
        with running_api(redis_url, media_root=tmp_path) as api:
            url = f"{api.url}/v1/streams/probe"
            call = callers.submit(httpx.post, url, json={"source": "rtsp://host/x"}, timeout=60, trust_env=False)
            eventually(lambda: redis_client.exists(PROBES_WAITING), "the request")
        with suppress(httpx.HTTPError):
            assert call.result().is_error


def test_the_limit_holds_whatever_the_source_does(silent_port: int) -> None:
    source = parse_source(f"rtsp://127.0.0.1:{silent_port}/x", Path())
    began = time.monotonic()
    with pytest.raises(SourceFailed, match=r"gave no picture within 0\.2 s"):
        probe(source, ReadOptions(stall_seconds=60), threading.Event(), limit_seconds=0.2)
    assert time.monotonic() - began < 30
    assert readers(os.getpid()) == []


def test_a_worker_that_is_stopped_says_so(
    api: RunningApi, desk: Desk, redis_client: redis.Redis, silent_port: int
) -> None:
    desk.open()
    queue = ProbeQueue(redis_client)
    probe_id = asked(queue, ProbeRequest(source=f"rtsp://127.0.0.1:{silent_port}/x"))
    eventually(lambda: not redis_client.exists(PROBES_WAITING), "somebody to take it")
    desk.stop.set()
    report = eventually(lambda: queue.answer_to(probe_id), "the answer")
    assert report
    assert report.reason == "the ingest worker that tried it was stopped: try again"


def test_a_worker_that_ends_is_asked_no_more(redis_client: redis.Redis, tmp_path: Path) -> None:
    queue = ProbeQueue(redis_client)
    with ProbeDesk(queue, IngestSettings(media_root=tmp_path), OwnRedis(redis_client, ()), threading.Event()):
        eventually(queue.desks, "its desk")
    assert queue.desks() == []
