"""A service's metrics: the registry they are kept in, and the port on which Prometheus reads them."""

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


def serve_metrics(registry: CollectorRegistry, settings: ServiceSettings) -> None:
    """Serves them on a thread if the settings name a port; raises SettingsInvalid where it cannot be had."""
    if not settings.metrics_port:
        return
    try:
        start_http_server(settings.metrics_port, settings.metrics_host, registry=registry)
    except OSError as err:
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        raise SettingsInvalid(f"AFTERIMAGE_METRICS_PORT: cannot listen on {where}: {err.strerror}") from err
