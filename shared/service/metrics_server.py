"""A service's metrics, and the port on which Prometheus reads them and the container's engine asks how it is."""

from collections.abc import Callable, Iterable
from typing import cast
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import (
    CollectorRegistry,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)

from shared.errors import SettingsInvalid
from shared.service.settings import ServiceSettings


def new_registry() -> CollectorRegistry:
    """An empty registry, but for what is known of every process: its memory, CPU time, open files and start.

    When each counter was made is told by none: that would double the series, and nothing here asks for it.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


def serve_metrics(registry: CollectorRegistry, settings: ServiceSettings, is_well: Callable[[], bool]) -> None:
    """Serves them on a thread if the settings name a port; raises SettingsInvalid where it cannot be had.

    `/healthz` answers with 200 while the service `is_well`, else with 503; `/livez` with 200 as long as it answers at
    all, whether Redis is there or not.
    """
    if not settings.metrics_port:
        return
    try:
        server, _ = start_http_server(settings.metrics_port, settings.metrics_host, registry=registry)
    except OSError as err:
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        raise SettingsInvalid(f"AFTERIMAGE_METRICS_PORT: cannot listen on {where}: {err.strerror}") from err
    metrics = cast(WSGIApplication, server.get_app())

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path not in {"/healthz", "/livez"}:
            return metrics(environ, start_response)
        heard = path == "/livez" or is_well()
        start_response("200 OK" if heard else "503 Service Unavailable", [("Content-Type", "text/plain")])
        return [b"ok\n" if heard else b"Redis has not heard of this worker for longer than a lease\n"]

    server.set_app(answer)
