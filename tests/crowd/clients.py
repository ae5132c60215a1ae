"""Clients of the api by the hundred, on one event loop."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from process_tree import cpu_seconds, usage
from websockets.asyncio.client import connect

HEALTH_EVERY_SECONDS = 0.05
TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Api:
    """An api process and where it listens."""

    url: str
    pid: int
    metrics_port: int

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 80

    async def open(
        self, request: str = "", limit: int = 1 << 16, port: int | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection, with a request on it where one is given."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port or self.port, limit=limit)
        if request:
            writer.write(f"GET {request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        return reader, writer

    async def read(self, request: str, port: int | None = None) -> str:
        """The answer; it must be a success."""
        reader, writer = await self.open(request, port=port)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.partition(b"\r\n")[0], head
        answer = await reader.read()
        writer.close()
        return answer.decode()


class Watch(threading.Thread):
    """Asks for the api's health and looks at its memory until it is ended; each time on a connection of its own."""

    def __init__(self, api: Api) -> None:
        super().__init__()
        self._api = api
        self._ended = threading.Event()
        self.health_seconds: list[float] = []
        self.work_seconds: list[float] = []
        """the api's processor time between the question and the answer"""
        self.rss_mb: list[float] = []

    def run(self) -> None:
        while not self._ended.wait(HEALTH_EVERY_SECONDS):
            started, had_worked = time.perf_counter(), cpu_seconds(self._api.pid)
            with socket.create_connection(("127.0.0.1", self._api.port), timeout=TIMEOUT_SECONDS) as asked:
                asked.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = asked.recv(4096)
            self.health_seconds.append(time.perf_counter() - started)
            assert b" 200 " in answer, answer
            self.work_seconds.append(cpu_seconds(self._api.pid) - had_worked)
            self.rss_mb.append(usage(self._api.pid).rss_mb)

    def end(self) -> None:
        self._ended.set()
        self.join(TIMEOUT_SECONDS)
        assert not self.is_alive()


@dataclass
class Delays:
    """When things were written, by id, and how long after it each client had them."""

    written_at: dict[str, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def came(self, event_id: str) -> None:
        if event_id in self.written_at:
            self.seconds.append(time.perf_counter() - self.written_at[event_id])


async def listen(api: Api, delays: Delays, joined: asyncio.Semaphore) -> None:
    """Follows the feed until it is cancelled."""
    reader, writer = await api.open("/v1/events/live")
    try:
        async for line in reader:
            if line.startswith(b": following"):
                joined.release()
            if line.startswith(b"data: "):
                delays.came(json.loads(line[6:])["id"])
    finally:
        writer.close()


async def watch(api: Api, rates: Mapping[str, float], delays: Delays, joined: asyncio.Semaphore) -> None:
    """Watches streams on a WebSocket until it is cancelled."""
    async with connect(f"{api.url.replace('http', 'ws', 1)}/v1/live", proxy=None) as shown:
        await shown.send(json.dumps({"streams": dict(rates)}))
        is_first = True
        async for message in shown:
            assert isinstance(message, bytes)
            head = json.loads(message[4 : 4 + int.from_bytes(message[:4], "big")])
            delays.came(f"{head['id']} {head['at_ms']}")
            if is_first:
                joined.release()
            is_first = False
