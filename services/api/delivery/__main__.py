"""Delivery as a process: `python -m services.api.delivery`, set by `AFTERIMAGE_*` variables."""

from services.api.delivery.worker import DeliveryWorker, WorkerMetrics
from services.api.kept.catalog import ModelListing
from services.api.media.places.opening import API_SECONDS, place_of
from services.api.settings import DeliverySettings
from shared.service.lifecycle import run_service, stop_on_signals
from shared.service.logs import configure_logging
from shared.service.metrics_server import serve_metrics
from shared.service.settings import read_settings
from shared.service.tenancy import tenancy_of
from shared.store.client import connect
from shared.store.layout.known import partition_for_logs
from shared.store.leases import worker_id
from shared.tracing.switch import tracing
from shared.words.sealing import Vault


def main() -> int:
    """Delivers events to all targets until SIGTERM; the process's exit code."""
    settings = read_settings(DeliverySettings)
    worker_name = worker_id()
    client = connect(settings.redis_url.get_secret_value(), name="delivery", partitions=settings.partitions)
    configure_logging("delivery", settings.log_level, settings.log_format, worker_name, partition_for_logs(client))
    stop = stop_on_signals()
    metrics = WorkerMetrics()
    tenancy = tenancy_of(settings, "delivery", worker_name, metrics.leases)
    serve_metrics(metrics.registry, settings, lambda: tenancy.is_heard)
    vault = Vault(settings.secret_key.get_secret_value())
    catalog, place = ModelListing(settings.models_dir), place_of(settings.events_dir, API_SECONDS)
    with tracing("delivery", worker_name, metrics.registry) as tracer:
        DeliveryWorker(client, tenancy, settings.receivers, catalog, metrics, stop, vault, place, tracer).run()
    return 0


if __name__ == "__main__":
    run_service(main)
