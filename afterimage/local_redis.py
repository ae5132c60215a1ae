"""A Redis of one's own for the length of a `with` block: a new one, or that of a stack which is stopped."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from afterimage.child import Child, Command
from afterimage.data_folder import open_data_folder
from afterimage.redis_server import RedisServer, prepare_server
from shared.errors import StackFailed
from shared.store.client import connect

START_SECONDS = 120.0
"""Most of it is for reading what is there."""
STOP_SECONDS = 20.0


@contextmanager
def running_redis(folder: Path, max_memory_mb: int = 2048) -> Iterator[redis.Redis]:
    """Starts the embedded server with its usual settings in an existing folder; stops it at the end."""
    server = prepare_server(folder, max_memory_mb)
    with subprocess.Popen(server.argv, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(server, process.poll)
            yield connect(server.url)
        finally:
            process.terminate()


@contextmanager
def redis_of_stopped(data: Path) -> Iterator[str]:
    """Runs the server of a stack that is stopped, with no limit of its memory, and gives its URL; the folder is locked
    meanwhile. Raises StackFailed."""
    if not (data / "redis").is_dir():
        raise StackFailed(f"data folder {data}: no `afterimage up` has kept anything there")
    with open_data_folder(data) as folder:
        server = prepare_server(folder.redis, max_memory_mb=0)
        command = Command("redis", server.argv, folder.logs, folder=server.folder, kept_fds=(folder.lock_fd,))
        child = Child(command, lambda _name, _line: None)
        try:
            _wait_for(server, child.exit_code)
            yield server.url
        finally:
            child.stop(STOP_SECONDS, threading.Event())


def _wait_for(server: RedisServer, exit_code: Callable[[], int | None]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.is_ready():
        if exit_code() is not None or time.monotonic() > deadline:
            raise StackFailed(f"redis-server did not start in {server.folder}")
        time.sleep(0.01)
