"""The inference service: `python -m services.inference`."""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from services.inference.metrics import InferenceMetrics, watch_gpu
from services.inference.models.catalog import Catalog
from services.inference.models.runner import choose_device, share_process
from services.inference.pipeline.worker import Worker
from services.inference.settings import InferenceSettings
from shared.errors import ModelUnusable
from shared.service.lifecycle import run_service, stop_on_signals
from shared.service.logs import configure_logging
from shared.service.metrics_server import serve_metrics
from shared.service.settings import read_settings
from shared.service.stream_series import StreamSeries
from shared.service.tenancy import tenancy_of
from shared.store.client import connect
from shared.store.layout.known import partition_for_logs
from shared.store.leases import worker_id
from shared.streams import DEFAULT_MODEL
from shared.tracing.switch import tracing

log = logging.getLogger("inference")


def main() -> int:
    """Runs a worker until it is told to stop."""
    settings = read_settings(InferenceSettings)
    worker_name = worker_id()
    client = connect(settings.redis_url.get_secret_value(), name="inference", partitions=settings.partitions)
    configure_logging("inference", settings.log_level, settings.log_format, worker_name, partition_for_logs(client))
    stop = stop_on_signals()
    share_process(settings.num_torch_threads())
    device = choose_device(settings.device)
    batch_size = settings.batch_for(device.type)
    metrics = InferenceMetrics(StreamSeries(settings.metrics_streams))
    watch_gpu(metrics.registry, device)
    tenancy = tenancy_of(settings, "inference", worker_name, metrics.leases)
    serve_metrics(metrics.registry, settings, lambda: tenancy.is_heard)
    catalog = Catalog(settings.models_dir, device, batch_size, metrics.loaded)
    with (
        tracing("inference", worker_name, metrics.registry) as tracer,
        ThreadPoolExecutor(settings.num_decode_threads(), "decode") as decoders,
    ):
        worker = Worker(client, tenancy, catalog, decoders, settings, batch_size, metrics, stop, tracer)
        log.info("worker on %s, batches of up to %d", device, batch_size)
        with suppress(ModelUnusable):  # logged, and said of each stream that asks for it
            catalog.runner(DEFAULT_MODEL)
        worker.run()
    return 0


if __name__ == "__main__":
    run_service(main)
