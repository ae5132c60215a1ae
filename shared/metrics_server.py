"""A service's metrics over HTTP, for Prometheus."""

from prometheus_client import CollectorRegistry, start_http_server

from shared.errors import SettingsInvalid
from shared.settings import ServiceSettings


def serve_metrics(registry: CollectorRegistry, settings: ServiceSettings) -> None:
    """Serves them on a thread if the settings name a port; raises SettingsInvalid where it cannot be had."""
    if not settings.metrics_port:
        return
    try:
        start_http_server(settings.metrics_port, settings.metrics_host, registry=registry)
    except OSError as err:
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        raise SettingsInvalid(f"AFTERIMAGE_METRICS_PORT: cannot listen on {where}: {err.strerror}") from err
