"""The HTTP server around the app: its socket, its start and its orderly end."""

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Generator

import uvicorn
from fastapi import FastAPI

from services.api.app import context_of
from services.api.security.doorkeeper import is_loopback
from services.api.settings import words
from shared.errors import SettingsInvalid, StoreUnavailable

GRACE_SECONDS = 4  # a request that waits for a Redis that hangs ends by itself in less

log = logging.getLogger(__name__)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises SettingsInvalid where the address is in use or not this machine's."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as err:
        problem = err.strerror if isinstance(err, socket.gaierror) else os.strerror(err.errno or 0)
        raise SettingsInvalid(
            f"AFTERIMAGE_API_HOST, AFTERIMAGE_API_PORT: cannot listen on {host}:{port}: {problem}"
        ) from err
    # Connections inherit it; without it a client's delayed acknowledgement holds every answer back by 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class Server(uvicorn.Server):
    """Serves until `stop` is set; live listeners are sent home first, so that nobody waits for them."""

    def __init__(self, app: FastAPI, stop: threading.Event) -> None:
        context = context_of(app)
        proxies = words(context.settings.api_trusted_proxies)
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                log_level=logging.WARNING,
                access_log=False,
                server_header=False,
                ws="none",
                proxy_headers=bool(proxies),
                forwarded_allow_ips=proxies,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._feed = context.feed
        self._stop = stop

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leaves the signals to whoever sets `stop`."""
        yield

    async def on_tick(self, counter: int) -> bool:
        """Asked ten times a second whether to end."""
        return self._stop.is_set() or await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends the live feed, then the connections."""
        self._feed.stop()
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
    check_address(app, host)
    log.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)
    Server(app, stop).run(sockets=[listener])
