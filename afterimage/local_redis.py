"""A Redis of one's own for the length of a `with` block, as benchmarks and tests need it."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from afterimage.redis_server import prepare_server
from shared.errors import StackFailed
from shared.store.client import connect

START_SECONDS = 10.0


@contextmanager
def running_redis(folder: Path, max_memory_mb: int = 2048) -> Iterator[redis.Redis]:
    """Starts the embedded server with its usual settings in an existing folder; stops it at the end."""
    server = prepare_server(folder, max_memory_mb)
    with subprocess.Popen(server.argv, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + START_SECONDS
            while not server.is_ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise StackFailed("redis-server did not start")
                time.sleep(0.01)
            yield connect(server.url)
        finally:
            process.terminate()
