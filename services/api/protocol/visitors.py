"""What browsers are kept from: a page of another site that calls this api, under its own name or under a borrowed one.

A page may have its name lead to this machine (DNS rebinding), and then counts as of the same origin: so the Host must
be one of this api's. It may send forms and requests to any address: so what changes something must come from a page of
this api's own, or from none.
"""

from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.protocol.errors import ApiError
from services.api.security.access import answer
from services.api.security.doorkeeper import is_loopback
from services.api.security.policy import is_write
from services.api.settings import ApiSettings, words


class Visitors:
    """Refuses with 421 what is meant for another host, and with 403 what a page of another site would have changed."""

    def __init__(self, app: ASGIApp, settings: ApiSettings) -> None:
        self._app = app
        self._hosts = _names([*words(settings.api_allowed_hosts), settings.api_host])
        self._origins = {origin.lower() for origin in words(settings.api_cors_origins)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection."""
        try:
            if scope["type"] != "lifespan":
                self._check(scope, Headers(scope=scope))
        except ApiError as err:
            await answer(err, scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope, headers: Headers) -> None:
        host = headers.get("host", "")
        if host and not self._is_ours(_name_in(host), scope):
            known = "loopback, the address it listens on, and what AFTERIMAGE_API_ALLOWED_HOSTS names"
            raise ApiError(421, "host_unknown", f"Host: not a name of this api; allowed are {known}", field="Host")
        if not (is_write(scope) or scope["type"] == "websocket"):
            return
        origin = headers.get("origin")
        if origin is None:
            is_foreign = headers.get("sec-fetch-site") == "cross-site"
        else:
            own = {f"{scheme}://{host.lower()}" for scheme in ("http", "https") if host}
            is_foreign = origin.lower() not in own | self._origins
        if is_foreign:
            problem = "a page of another site may not change anything here; AFTERIMAGE_API_CORS_ORIGINS names who may"
            raise ApiError(403, "origin_foreign", problem, field="Origin")

    def _is_ours(self, name: str, scope: Scope) -> bool:
        own = (scope.get("server") or ("", 0))[0]
        return name in self._hosts or is_loopback(name) or name == own.lower()


def _names(hosts: Iterable[str]) -> frozenset[str]:
    return frozenset(_name_in(host) for host in hosts) - {"0.0.0.0", "::"}  # noqa: S104  (what all addresses are called)


def _name_in(host: str) -> str:
    """A Host without its port and brackets."""
    text = host.lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    name, colon, port = text.rpartition(":")
    is_port = colon and ":" not in name and port.isdecimal()
    return (name if is_port else text).rstrip(".")
