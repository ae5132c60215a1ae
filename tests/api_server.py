"""Runs the api for a test: a real server on a loopback port, in a thread; and writes what inference would write."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import redis
from default_layout import keys_of
from leasing import lease_of
from prometheus_client import generate_latest
from pydantic import SecretStr

from services.api.app import context_of, create_app
from services.api.context import ApiContext
from services.api.kept.rollouts.steps import RolloutPace
from services.api.server import Server, listen
from services.api.settings import ApiSettings
from shared.entries import Frame
from shared.events import Event, event_id
from shared.service.settings import PROJECT_ROOT
from shared.store.frame_queue import FrameWriter
from shared.store.registry import Registry

BASE_MS = 1_700_000_000_000
NUM_LABELS = 13
CAMERA = {"name": "Camera", "source": "rtsp://camera.invalid/1"}


@dataclass(frozen=True, slots=True)
class RunningApi:
    """An api that answers."""

    url: str
    http: httpx.Client
    context: ApiContext

    def add(self, stream_id: str, **fields: Any) -> dict[str, Any]:
        """Registers a stream; returns its view."""
        reply = self.http.post("/v1/streams", json={**CAMERA, "id": stream_id, **fields})
        assert reply.status_code == 201, reply.text
        return reply.json()  # type: ignore[no-any-return]

    def metrics(self) -> str:
        """What Prometheus would be told."""
        return generate_latest(self.context.metrics.registry).decode()

    def error(self, status: int, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The error that a request is answered with, the first where there are several."""
        reply = self.http.request(method, path, **options)
        assert (reply.status_code, reply.headers["Content-Type"]) == (status, "application/problem+json"), reply.text
        assert reply.json()["status"] == status
        return reply.json()["errors"][0]  # type: ignore[no-any-return]


def publish(client: redis.Redis, stream_id: str, at_ms: int, *, end: bool = False) -> None:
    """Publishes a frame of a stream, as ingest does, and the end of its source where wanted."""
    lease = lease_of(client, "ingest", stream_id)
    generation = Registry(client).get(stream_id).spec.generation
    frames = [Frame(at_ms, at_ms, 1, 0.0, b"jpeg"), Frame.end(at_ms)]
    FrameWriter(client, stream_id, generation, "fast", lease).publish(frames[: 1 + end])


@contextmanager
def running_api(redis_url: str, pace: RolloutPace = RolloutPace(), /, **settings: Any) -> Iterator[RunningApi]:  # noqa: B008
    """An api on this Redis, with the project's models and its root as media root unless given otherwise."""
    defaults: dict[str, Any] = {"media_root": PROJECT_ROOT, "models_dir": PROJECT_ROOT / "models"}
    app = create_app(ApiSettings(redis_url=SecretStr(redis_url), **{**defaults, **settings}), pace)
    stop = threading.Event()
    with listen(settings.get("api_host", "127.0.0.1"), settings.get("api_port", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = threading.Thread(target=Server(app, stop).run, kwargs={"sockets": [listener]})
        server.start()
        try:
            with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
                yield RunningApi(url, client, context_of(app))
        finally:
            stop.set()
            server.join(60)
            assert not server.is_alive()


def an_event(stream_id: str, started_at_ms: int, label: str = "moved", state: str = "closed") -> Event:
    """An event as inference would make it."""
    is_closed = state == "closed"
    return Event.model_validate(
        {
            "id": event_id(stream_id, label, started_at_ms),
            "stream_id": stream_id,
            "label": label,
            "state": state,
            "started_at_ms": started_at_ms,
            "ended_at_ms": started_at_ms + 500 if is_closed else None,
            "media_started_seconds": 1.5,
            "peak_score": 0.9,
            "mean_score": 0.8,
            "model": "camera-events@00000000",
            "epoch": 1,
            "close_reason": "score" if is_closed else None,
        }
    )


def write_event(client: redis.Redis, event: Event) -> str:
    """Writes an event's transition as the commit does; returns its id."""
    keys, text = keys_of(event.stream_id), event.model_dump_json()
    pipeline = client.pipeline(transaction=True)
    pipeline.zadd(keys.events(event.stream_id), {event.id: event.started_at_ms})
    pipeline.hset(keys.event_data(event.stream_id), event.id, text)
    pipeline.xadd(keys.feed, {"kind": "opened" if event.state == "open" else "closed", "event": text})
    pipeline.execute()
    return event.id


@dataclass
class LiveClient:
    """A client of the live feed: reads in a thread from entering to leaving the context, or until the api ends it."""

    url: str
    query: str = ""
    last_event_id: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    received: list[tuple[str, str]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "LiveClient":
        address = httpx.URL(self.url)
        self._connection = http.client.HTTPConnection(address.host, address.port or 80, timeout=60)
        headers = self.headers | ({} if self.last_event_id is None else {"Last-Event-ID": self.last_event_id})
        self._connection.request("GET", f"/v1/events/live?{self.query}", headers=headers)
        self._socket = self._connection.sock
        reply = self._connection.getresponse()
        assert reply.status == 200, reply.read()
        self._thread = threading.Thread(target=self._read, args=[reply])
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(60)
        assert not self._thread.is_alive()
        self._connection.close()

    @property
    def ids(self) -> list[str]:
        """Ids of the events received, in order."""
        return [event_id for _, event_id in self.received]

    def _read(self, reply: http.client.HTTPResponse) -> None:
        fields: dict[str, str] = {}
        with suppress(http.client.HTTPException, OSError, ValueError):
            for line in reply:
                text = line.decode().rstrip("\n")
                name, _, value = text.partition(": ")
                if text:
                    fields[name] = value
                else:
                    self._take(fields)
                    fields = {}
        self.ended.set()

    def _take(self, fields: dict[str, str]) -> None:
        self.last_event_id = fields.get("id", self.last_event_id)
        if "event" in fields:
            self.received.append((fields["event"], json.loads(fields["data"])["id"]))
        elif "" in fields:
            self.comments.append(fields[""])


def add_scores(client: redis.Redis, stream_id: str, frames: int) -> None:
    """Scores of as many frames, as inference stores them."""
    labels = ",".join(f"label{number}" for number in range(NUM_LABELS))
    scores = ",".join(["0.50000"] * NUM_LABELS)
    pipeline = client.pipeline(transaction=False)
    for at in range(frames):
        pipeline.xadd(keys_of(stream_id).scores(stream_id), {labels: scores}, id=f"{BASE_MS + at}-0")
    pipeline.execute()
