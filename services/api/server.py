"""The HTTP server around the app: its socket, its start and its orderly end."""

import asyncio
import contextlib
import gc
import logging
import os
import resource
import socket
import sys
import threading
from collections.abc import Generator
from functools import partial
from typing import cast

import uvicorn
from fastapi import FastAPI

from services.api.app import context_of
from services.api.connections import ConnectionDoor, HttpConnection, WebSocketConnection
from services.api.security.doorkeeper import is_loopback
from services.api.settings import words
from shared.errors import SettingsInvalid, StoreUnavailable
from shared.store.layout.known import check_layout

OTHER_FILES = 256
"""Files that are no clients' connections: those to Redis, and the models'."""
MAX_MESSAGE_BYTES = 16 * 1024
INHERITED = (
    (socket.IPPROTO_TCP, "TCP_NODELAY", 1),  # else a client's delayed acknowledgement holds answers back by 40 ms
    (socket.SOL_SOCKET, "SO_SNDBUF", 128 * 1024),  # what a client does not take is to be noticed
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),  # a client that is gone without a word is, too
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 20),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 5),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 20_000),
)
"""Options of the listening socket that its connections have as well, where the system knows them."""
ACCEPTED_AT_ONCE = 16
"""Connections, before those that are there have their turn again."""
QUEUED = 2048
SWITCH_SECONDS = 0.001
"""How long a thread that computes may keep the event loop waiting: a fifth of Python's own choice."""
GRACE_SECONDS = 4  # a request that waits for a Redis that hangs ends by itself in less

log = logging.getLogger(__name__)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, of `::` for both families; SettingsInvalid if the address is in use or not this machine's."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        is_both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
        listener = socket.create_server((host, port), family=family, dualstack_ipv6=is_both)
    except OSError as err:
        problem = err.strerror if isinstance(err, socket.gaierror) else os.strerror(err.errno or 0)
        raise SettingsInvalid(
            f"AFTERIMAGE_API_HOST, AFTERIMAGE_API_PORT: cannot listen on {host}:{port}: {problem}"
        ) from err
    for level, name, value in INHERITED:
        if hasattr(socket, name):
            listener.setsockopt(level, getattr(socket, name), value)
    return listener


def open_files() -> int:
    """How many files this process may have open, once its limit is as high as it may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # macOS has a lower limit that it does not name
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


class Server(uvicorn.Server):
    """Serves until `stop` is set; live listeners are sent home first, so that nobody waits for them."""

    def __init__(self, app: FastAPI, stop: threading.Event) -> None:
        context = context_of(app)
        settings = context.settings
        most = max(1, min(settings.api_connections, open_files() - OTHER_FILES))
        door = ConnectionDoor(most, settings.api_connections_per_client, context.metrics)
        proxies = words(settings.api_trusted_proxies)
        super().__init__(
            uvicorn.Config(
                app,
                http=cast(type[asyncio.Protocol], partial(HttpConnection, door=door)),
                ws=cast(type[asyncio.Protocol], partial(WebSocketConnection, door=door)),
                ws_max_size=MAX_MESSAGE_BYTES,
                ws_per_message_deflate=False,
                log_config=None,
                log_level=logging.WARNING,
                access_log=False,
                server_header=False,
                backlog=ACCEPTED_AT_ONCE,
                proxy_headers=bool(proxies),
                forwarded_allow_ips=proxies,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._feed, self._tiles = context.feed, context.tiles
        self._stop = stop

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leaves the signals to whoever sets `stop`."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to serve; the queue of those who wait to be accepted is longer than what is accepted at once."""
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(QUEUED)

    async def on_tick(self, counter: int) -> bool:
        """Asked ten times a second whether to end."""
        return self._stop.is_set() or await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends what has no end of its own, then the connections."""
        self._feed.stop()
        self._tiles.stop()
        await super().shutdown(sockets)


def check_address(app: FastAPI, host: str) -> None:
    """Raises SettingsInvalid where others can reach the address, and no key keeps them out."""
    try:
        is_open = not is_loopback(host) and context_of(app).keyring.is_empty()
    except StoreUnavailable as err:
        log.warning("whether there are keys is not known yet; until then nobody is served: %s", err)
        return
    if is_open:
        raise SettingsInvalid(
            f"AFTERIMAGE_API_HOST: {host} can be reached from other machines, and there is no key yet: listen on "
            "127.0.0.1 and make one (`afterimage keys create NAME --role admin`), or set AFTERIMAGE_ADMIN_KEY_HASH"
        )


def serve(app: FastAPI, listener: socket.socket, stop: threading.Event) -> None:
    """Serves the app on the socket until `stop` is set; raises SettingsInvalid where it may not."""
    host, port = listener.getsockname()[:2]
    check_layout(context_of(app).client)
    check_address(app, host)
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()  # what there is now stays to the end: going through it for garbage would hold everybody up for 0.1 s
    log.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)
    Server(app, stop).run(sockets=[listener])
