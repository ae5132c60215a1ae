"""What Prometheus is told of pictures and clips."""

from prometheus_client import Counter, Gauge, Histogram

from shared.service.lease_metrics import LeaseMetrics
from shared.service.metrics_server import new_registry

OUTCOMES = ("whole", "partly", "none")


class MediaMetrics:
    """A recorder's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = new_registry()
        self.leases = LeaseMetrics(self.registry)
        self.under_way = Gauge(
            "afterimage_recordings_under_way", "Events whose pictures and clip are not all cut", registry=self.registry
        )
        self.recorded = Counter(
            "afterimage_recordings_total", "Events recorded: whole, partly, none", ["outcome"], registry=self.registry
        )
        self.removed = Counter(
            "afterimage_recordings_removed_total",
            "Events whose media went, for age or for room",
            registry=self.registry,
        )
        self.kept_bytes = Gauge(
            "afterimage_media_bytes", "What the media of this recorder's partitions takes", registry=self.registry
        )
        self.away = Gauge(
            "afterimage_media_away", "1 while the place of pictures and clips cannot be had", registry=self.registry
        )
        self.cutting = Histogram(
            "afterimage_cutting_seconds",
            "Time to cut an event's pictures and clip",
            registry=self.registry,
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        for outcome in OUTCOMES:
            self.recorded.labels(outcome)
