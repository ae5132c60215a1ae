"""A Redis that is full (`noeviction`): said in the log, by /readyz and by every refusal, and its losses are counted."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from api_server import RunningApi, running_api
from films import VideoFile
from ingest_runner import IngestRunner
from patience import eventually
from redis_process import redis_process
from test_probe_queue import desk_of

from services.ingest.captures import publisher
from shared.store.client import connect
from shared.store.leases import LeaseBook
from shared.streams import StreamState

FPS = 50.0
BALLAST_BYTES = 8 << 20
PIECE_BYTES = 1 << 16
"""Small: Redis keeps the buffer that a large command came in for a while, and counts it as used."""


@dataclass(frozen=True, slots=True)
class Filling:
    """A Redis that can be filled at a word."""

    client: redis.Redis
    api: RunningApi
    ingest: IngestRunner
    media_root: Path

    def fill(self) -> None:
        """Nothing more goes in."""
        self.client.config_set("maxmemory", self.client.info("memory")["used_memory"] - BALLAST_BYTES // 2)

    def relieve(self) -> None:
        """Takes the ballast out: frames go in again."""
        self.client.delete("ballast")

    def view(self, stream_id: str = "door") -> dict[str, Any]:
        """A stream as the api shows it."""
        return dict(self.api.http.get(f"/v1/streams/{stream_id}").json())

    def lost(self) -> int:
        """Frames that ingest has counted as lost since it was started."""
        reasons = ("busy", "store_unavailable")
        series = [{"stream_id": "door", "reason": reason} for reason in reasons]
        return int(sum(self.ingest.value("afterimage_frames_dropped_total", **labels) or 0 for labels in series))


@pytest.fixture
def filling(tmp_path: Path, video_file: VideoFile) -> Iterator[Filling]:
    """A looped film as a camera, on a Redis of the test's own."""
    video_file("film.mp4", seconds=4, fps=50)
    with (
        tempfile.TemporaryDirectory(prefix="afterimage-") as folder,
        redis_process(Path(folder), "--maxmemory-policy", "noeviction") as url,
        closing(connect(url)) as client,
        running_api(url, media_root=tmp_path, lease_seconds=60) as api,
        IngestRunner(client, tmp_path) as ingest,
    ):
        for _ in range(BALLAST_BYTES // PIECE_BYTES):
            client.rpush("ballast", b"x" * PIECE_BYTES)
        LeaseBook(client, "inference", "w1").beat()
        desk_of(client)
        api.add("door", source="film.mp4", pace="live", loop=True, fps=FPS)
        ingest.start()
        eventually(lambda: ingest.frames("door"), "frames")
        yield Filling(client, api, ingest, tmp_path)


def test_is_said_once_and_again_when_it_is_over(
    filling: Filling, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "QUIET_SECONDS", 0.0)
    caplog.set_level(logging.WARNING, publisher.__name__)
    filling.fill()
    eventually(filling.lost, "lost frames")
    assert [line for line in caplog.messages if "Redis is full" in line] == [
        "Redis is full: it refuses frames; those of cameras are lost, files wait"
    ]
    assert "Redis takes frames again" not in caplog.messages
    filling.relieve()
    eventually(lambda: "Redis takes frames again" in caplog.messages, "the end of it in the log")


def test_each_stream_says_so_until_its_frames_are_taken(
    filling: Filling, video_file: VideoFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the others' are: the log waits until nothing was refused for a while."""
    monkeypatch.setattr(publisher, "QUIET_SECONDS", 3_600.0)
    filling.api.add("late", source="late.mp4", pace="fast")
    eventually(lambda: filling.view("late")["state"] == "waiting", "that the file is not there")
    filling.fill()
    video_file("other.mp4").rename(filling.media_root / "late.mp4")
    eventually(lambda: filling.view()["reason"] == "Redis is full: frames are lost", "a camera's reason")
    eventually(lambda: filling.view("late")["reason"] == "Redis is full: its frames wait", "a file's reason")
    filling.relieve()
    assert filling.ingest.until("late", StreamState.ENDED, passing=False).status.reason is None
    eventually(lambda: filling.view()["reason"] is None, "the end of the reason")
    assert len(filling.ingest.entries("late")) == 16 + 1


def test_is_no_readiness(filling: Filling) -> None:
    assert filling.api.http.get("/readyz").status_code == 200
    filling.fill()
    error = filling.api.error(503, "GET", "/readyz")
    assert (error["code"], error["message"]) == ("not_ready", "redis: full (maxmemory): it takes no more frames")
    filling.relieve()
    assert filling.api.http.get("/readyz").status_code == 200


def test_its_losses_are_in_the_one_number_of_the_api_also_after_a_restart(filling: Filling) -> None:
    filling.fill()
    eventually(lambda: filling.view()["frames_dropped"] > FPS, "losses in the api, while it is full")
    filling.ingest.stop()
    lost = filling.lost()
    assert filling.view()["frames_dropped"] == lost
    filling.relieve()
    filling.ingest.start()
    filling.ingest.until("door", StreamState.LIVE)
    filling.ingest.stop()
    assert filling.view()["frames_dropped"] == lost + filling.lost()


def test_every_refused_write_names_it_and_says_when_to_ask_again(filling: Filling) -> None:
    filling.fill()
    refused: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/v1/streams", {"name": "yard", "source": "film.mp4"}),
        ("PATCH", "/v1/streams/door", {"name": "another"}),
        ("POST", "/v1/streams/probe", {"source": "film.mp4"}),
    ]
    for method, path, body in refused:
        reply = filling.api.http.request(method, path, json=body)
        assert (reply.status_code, reply.headers.get("Retry-After")) == (503, "1"), (path, reply.text)
        error = reply.json()["errors"][0]
        assert error["code"] == "store_full"
        assert error["message"].startswith("Redis: it is full, and refuses what takes memory")
    assert filling.api.http.delete("/v1/streams/door").status_code == 204
