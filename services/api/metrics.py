"""What Prometheus sees of the api, and what the api knows of the streams at the moment of the scrape."""

import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.schemas import StreamView
from shared.errors import StoreUnavailable
from shared.registry import Registry

KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class ApiMetrics:
    """The api's own metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "afterimage_api_requests_total", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "afterimage_api_request_seconds",
            "Time until an answer began.",
            ["method", "route"],
            registry=self.registry,
        )
        self.live_clients = Gauge(
            "afterimage_api_live_clients", "Listeners of the live feed connected now.", registry=self.registry
        )
        self.live_clients_slow = Counter(
            "afterimage_api_live_clients_slow_total",
            "Listeners of the live feed disconnected for being slow.",
            registry=self.registry,
        )


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


class StreamCollector(Collector):
    """Reads the streams at each scrape, so that a removed stream's series are gone with it."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """A gauge per question that operators ask of a stream."""
        up = GaugeMetricFamily("afterimage_api_store_up", "Whether Redis answers.")
        lag = GaugeMetricFamily(
            "afterimage_stream_lag_frames", "Published and not yet looked at.", labels=["stream_id"]
        )
        state = GaugeMetricFamily(
            "afterimage_stream_state", "1 for the state that the stream is in.", labels=["stream_id", "state"]
        )
        try:
            records = self._registry.records(self._registry.specs())
        except StoreUnavailable:
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        for record in records:
            view = StreamView.of(record)
            lag.add_metric([view.id], view.lag_frames)
            state.add_metric([view.id, view.state], 1)
        return [up, lag, state]
