"""The ingest service: `python -m services.ingest`, set by `AFTERIMAGE_*` variables."""

from services.ingest.captures.inlet import Workplace
from services.ingest.captures.supervisor import Supervisor
from services.ingest.frame_traces import FrameTraces
from services.ingest.metrics import IngestMetrics
from services.ingest.own_redis import OwnRedis
from services.ingest.probe_desk import ProbeDesk
from services.ingest.settings import IngestSettings
from shared.probes import ProbeQueue
from shared.service.allocator import share_arenas
from shared.service.lifecycle import run_service, stop_on_signals
from shared.service.logs import configure_logging
from shared.service.metrics_server import serve_metrics
from shared.service.settings import read_settings
from shared.service.stream_series import StreamSeries
from shared.service.tenancy import tenancy_of
from shared.store.client import connect
from shared.store.layout.known import partition_for_logs
from shared.store.leases import worker_id
from shared.store.registry import Registry
from shared.tracing.switch import tracing
from shared.words.sealing import Vault


def main() -> int:
    """Captures every registered stream until SIGTERM; the process's exit code."""
    share_arenas()
    settings = read_settings(IngestSettings)
    worker_name = worker_id()
    client = connect(settings.redis_url.get_secret_value(), name="ingest", partitions=settings.partitions)
    configure_logging("ingest", settings.log_level, settings.log_format, worker_name, partition_for_logs(client))
    stop = stop_on_signals()
    vault = Vault(settings.secret_key.get_secret_value())
    metrics = IngestMetrics(StreamSeries(settings.metrics_streams))
    tenancy = tenancy_of(settings, "ingest", worker_name, metrics.leases)
    serve_metrics(metrics.registry, settings, lambda: tenancy.is_heard)
    own_redis, registry = OwnRedis(client, settings.forbidden), Registry(client, vault)
    with (
        tracing("ingest", worker_name, metrics.registry) as tracer,
        ProbeDesk(ProbeQueue(client), settings, own_redis, stop),
    ):
        traces = FrameTraces(tracer, settings.trace_every) if tracer else None
        place = Workplace(client, registry, metrics, settings, own_redis, vault, traces=traces)
        Supervisor(place, tenancy, stop).run()
    return 0


if __name__ == "__main__":
    run_service(main)
