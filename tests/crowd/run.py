"""What a crowd of clients does to one api: those that hold on and take nothing, and those that watch and listen."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Self

import redis
from api_server import BASE_MS, add_scores, an_event, write_event
from default_layout import keys_of
from ingest_runner import stream_spec
from redis_cluster import free_port

from crowd.clients import Api, Delays, Watch, listen, watch
from shared.entries import Frame
from shared.store.registry import Registry

JPEG_BYTES = 8_000
FRAMES_PER_SECOND = 8
TILES = 4
"""Streams that one socket shows."""


@contextmanager
def api_process(redis_url: str) -> Iterator[Api]:
    """An api as long as the block lasts."""
    metrics_port = free_port()
    variables = {"REDIS_URL": redis_url, "API_PORT": "0", "METRICS_PORT": str(metrics_port)}
    environment = os.environ | {f"AFTERIMAGE_{name}": value for name, value in variables.items()}
    command = [sys.executable, "-m", "services.api"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            yield Api(process.stderr.readline().split()[-1], process.pid, metrics_port)
        finally:
            process.kill()


@dataclass(frozen=True, slots=True)
class Siege:
    """What came of clients that hold on, while others read."""

    health: "Health"
    most_rss_mb: float
    pages_bytes: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.health}; memory at most {self.most_rss_mb:.0f} MB; {self.pages_bytes / 1e6:.0f} MB of scores read "
            f"in {self.seconds:.1f} s; one more listener was served"
        )


class Health:
    """How long the api's health took to be told, and how much of that the api worked: the rest is the machine's."""

    def __init__(self, api: Api) -> None:
        self._watch = Watch(api)

    async def __aenter__(self) -> Self:
        self._watch.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._watch.end)

    def __str__(self) -> str:
        took, worked = (
            " ".join(f"{1000 * quantile(sorted(seconds), share):.0f}" for share in (0.5, 0.99, 1))
            for seconds in (self._watch.health_seconds, self._watch.work_seconds)
        )
        return f"/healthz, median p99 slowest: {took} ms, of which the api worked {worked} ms"

    @property
    def slowest_work_ms(self) -> float:
        """The most that the api worked before it told its health: how late that is where it has a processor."""
        return 1000 * max(self._watch.work_seconds)

    @property
    def most_rss_mb(self) -> float:
        """Of the api."""
        return max(self._watch.rss_mb)


async def siege(api: Api, client: redis.Redis, idle: int, readers: int, frames: int, silent: int) -> Siege:
    """So many idle connections, readers of so many scores each, and listeners of the feed that never read."""
    Registry(client).add(stream_spec("one", "clip.mp4"))
    add_scores(client, "one", frames)
    ask = f"/v1/streams/one/scores?limit={frames}"
    held = [await api.open("/v1/events/live", limit=64) for _ in range(silent)]
    held += [await api.open() for _ in range(idle)]
    while f"afterimage_api_live_clients {silent}.0" not in await api.read("/metrics", api.metrics_port):
        await asyncio.sleep(0.1)
    async with Health(api) as health:
        started = time.perf_counter()
        pages = asyncio.gather(*(api.read(ask) for _ in range(readers)))
        await served(api, client)
        num_bytes = sum(map(len, await pages))
        seconds = time.perf_counter() - started
    for _, writer in held:
        writer.close()
    return Siege(health, health.most_rss_mb, num_bytes, seconds)


async def served(api: Api, client: redis.Redis) -> None:
    """One more listener gets what happens."""
    joined, delays = asyncio.Semaphore(0), Delays()
    following = asyncio.create_task(listen(api, delays, joined))
    await joined.acquire()
    event = an_event("one", BASE_MS)
    delays.written_at[event.id] = time.perf_counter()
    await asyncio.to_thread(write_event, client, event)
    async with asyncio.timeout(60):
        while not delays.seconds:
            await asyncio.sleep(0.01)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Gallery:
    """How soon clients had what happened, and what it took."""

    events: Sequence[float]
    tiles: Sequence[float]
    health: Health

    def __str__(self) -> str:
        told = [
            f"{name}: {len(seconds)} came, p50 {quantile(seconds, 0.5) * 1000:.0f} ms, "
            f"p99 {quantile(seconds, 0.99) * 1000:.0f} ms"
            for name, seconds in (("events", self.events), ("pictures", self.tiles))
        ]
        return "; ".join([*told, f"memory at most {self.health.most_rss_mb:.0f} MB", str(self.health)])


async def gallery(
    api: Api, client: redis.Redis, listeners: int, sockets: int, seconds: float, streams: int = 16
) -> Gallery:
    """So many listeners of the feed and sockets that show TILES streams each, with ten events a second."""
    ids = [f"stream-{number:02d}" for number in range(streams)]
    joined, events, tiles = asyncio.Semaphore(0), Delays(), Delays()
    frames = asyncio.create_task(film(client, ids, tiles))
    clients = [asyncio.create_task(listen(api, events, joined)) for _ in range(listeners)]
    for number in range(sockets):
        rates = {ids[(number + at) % streams]: 5.0 for at in range(TILES)}
        clients.append(asyncio.create_task(watch(api, rates, tiles, joined)))
    for _ in clients:
        await joined.acquire()
    tiles.seconds.clear()
    try:
        async with Health(api) as health:
            await happen(client, ids, round(10 * seconds), events)
            async with asyncio.timeout(60):
                while len(events.seconds) < listeners * len(events.written_at):
                    await asyncio.sleep(0.01)
    finally:
        for task in (*clients, frames):
            task.cancel()
        await asyncio.gather(*clients, frames, return_exceptions=True)
    return Gallery(sorted(events.seconds), sorted(tiles.seconds), health)


async def happen(client: redis.Redis, stream_ids: Sequence[str], num_events: int, delays: Delays) -> None:
    """Ten events a second."""
    for number in range(num_events):
        event = an_event(stream_ids[number % len(stream_ids)], BASE_MS + number)
        delays.written_at[event.id] = time.perf_counter()
        await asyncio.to_thread(write_event, client, event)
        await asyncio.sleep(0.1)


async def film(client: redis.Redis, stream_ids: Sequence[str], delays: Delays) -> None:
    """Publishes frames of all streams until it is cancelled, as ingest does but for its leases."""
    for number in count(1):
        now, at_ms = time.perf_counter(), time.time_ns() // 1_000_000
        pipeline = client.pipeline(transaction=False)
        for stream_id in stream_ids:
            fields = [*Frame(at_ms, at_ms, 1, 0.0, os.urandom(JPEG_BYTES)).fields(), "n", number]
            pairs = dict(zip(fields[::2], fields[1::2], strict=True))
            pipeline.xadd(keys_of(stream_id).frames(stream_id), pairs, id=f"{at_ms}-0", maxlen=16)
            delays.written_at[f"{stream_id} {at_ms}"] = now
        await asyncio.to_thread(pipeline.execute)
        await asyncio.sleep(max(0.0, now + 1 / FRAMES_PER_SECOND - time.perf_counter()))


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which that share of them lies."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
