"""The ingest service: `python -m services.ingest`, set by `AFTERIMAGE_*` variables."""

import logging

import prometheus_client

from services.ingest.metrics import IngestMetrics
from services.ingest.outlet import Workplace
from services.ingest.settings import IngestSettings
from services.ingest.supervisor import Supervisor
from shared.errors import SettingsInvalid
from shared.leases import LeaseBook, worker_id
from shared.lifecycle import run_service, stop_on_signals
from shared.logs import configure_logging
from shared.registry import Registry
from shared.settings import read_settings
from shared.store import connect
from shared.tenancy import Tenancy

logger = logging.getLogger(__name__)


def main() -> int:
    """Captures every registered stream until SIGTERM; the process's exit code."""
    settings = read_settings(IngestSettings)
    configure_logging("ingest", settings.log_level, settings.log_format)
    stop = stop_on_signals()
    client = connect(settings.redis_url.get_secret_value())
    metrics = IngestMetrics()
    _serve_metrics(metrics, settings)
    book = LeaseBook(client, "ingest", worker_id(), settings.lease_seconds)
    tenancy = Tenancy(book, metrics.leases, settings.lease_seconds)
    Supervisor(Workplace(client, Registry(client), metrics, settings), tenancy, stop).run()
    return 0


def _serve_metrics(metrics: IngestMetrics, settings: IngestSettings) -> None:
    if not settings.metrics_port:
        return
    try:
        prometheus_client.start_http_server(settings.metrics_port, settings.metrics_host, registry=metrics.registry)
    except OSError as err:
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        raise SettingsInvalid(f"AFTERIMAGE_METRICS_PORT: cannot listen on {where}: {err.strerror}") from err


if __name__ == "__main__":
    run_service(main)
