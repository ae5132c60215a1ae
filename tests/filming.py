"""Cameras that give pictures as time goes by, without ingest."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import redis
from leasing import seize
from worker_runner import pictures

from shared.clock import now_ms
from shared.entries import Frame
from shared.store.frame_queue import FrameWriter
from shared.store.layout.known import layout_of
from shared.store.registry import Registry
from shared.streams import StreamState, StreamStatus


@contextmanager
def filming(client: redis.Redis, *stream_ids: str) -> Iterator[None]:
    """Cameras that give ten pictures a second meanwhile, as ingest publishes them."""
    leases, registry, film = seize(client, "ingest"), Registry(client), pictures(8)
    specs = [registry.get(stream_id).spec for stream_id in stream_ids]
    over = threading.Event()

    def publish() -> None:
        number = 0
        writers = []
        for spec in specs:
            lease = leases[layout_of(client).of(spec.id)]
            status = StreamStatus(state=StreamState.LIVE, generation=spec.generation, base_ms=spec.base_ms, epoch=1)
            assert registry.set_status(spec.id, status, lease)
            writers.append(FrameWriter(client, spec.id, spec.generation, "live", lease))
        while not over.wait(0.1):
            at_ms, number = now_ms(), number + 1
            for writer in writers:
                writer.publish([Frame(at_ms, at_ms, 1, number / 10, film[number % len(film)])])

    with ThreadPoolExecutor(1) as pool:
        filmed = pool.submit(publish)
        try:
            yield
        finally:
            over.set()
            filmed.result()
