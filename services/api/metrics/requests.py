"""What the api counts and times of its own work."""

import time
from typing import Literal, get_args

from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.service.metrics_server import new_registry

KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

CutReason = Literal["full", "late", "slow"]


class ApiMetrics:
    """The api's own metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = new_registry()
        self.requests = Counter(
            "afterimage_api_requests_total", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "afterimage_api_request_seconds",
            "Time until an answer began.",
            ["method", "route"],
            registry=self.registry,
        )
        self.connections = Gauge("afterimage_api_connections", "Connections open now.", registry=self.registry)
        self._cut = Counter(
            "afterimage_api_connections_cut_total",
            "Connections refused or closed: full (no place), late (a request did not arrive in time), slow (an answer "
            "was not taken in time).",
            ["reason"],
            registry=self.registry,
        )
        for reason in get_args(CutReason):
            self._cut.labels(reason)
        self.live_clients = Gauge(
            "afterimage_api_live_clients", "Listeners of the live feed connected now.", registry=self.registry
        )
        self.viewers = Gauge(
            "afterimage_api_viewers", "Connections that are shown live pictures now.", registry=self.registry
        )
        self.live_clients_slow = Counter(
            "afterimage_api_live_clients_slow_total",
            "Listeners of the live feed disconnected for being slow.",
            registry=self.registry,
        )

    def cut(self, reason: CutReason) -> None:
        """Counts a connection that was refused or closed."""
        self._cut.labels(reason).inc()


class RequestMetrics:
    """Counts and times requests by route template, so that the number of series stays bounded."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                method = scope["method"] if scope["method"] in KNOWN_METHODS else "other"
                route = getattr(scope.get("route"), "path", "unmatched")
                self._metrics.requests.labels(method, route, message["status"]).inc()
                self._metrics.seconds.labels(method, route).observe(time.perf_counter() - started)
            await send(message)

        await self._app(scope, receive, send_counted)
