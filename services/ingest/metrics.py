"""What ingest measures of itself."""

from contextlib import AbstractContextManager
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.lease_metrics import LeaseMetrics

Stage = Literal["read", "decode", "encode", "publish"]
DropReason = Literal["undecodable", "store_unavailable"]

SECONDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class IngestMetrics:
    """The process's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.leases = LeaseMetrics(self.registry)
        self._published = Counter(
            "afterimage_frames_published_total", "Frames put into the queue", ["stream_id"], registry=self.registry
        )
        self._dropped = Counter(
            "afterimage_frames_dropped_total", "Frames lost, by reason", ["stream_id", "reason"], registry=self.registry
        )
        self._connections = Counter(
            "afterimage_connections_total", "Openings of a source", ["stream_id"], registry=self.registry
        )
        self._failures = Counter(
            "afterimage_source_failures_total",
            "Times that a source gave no video",
            ["stream_id"],
            registry=self.registry,
        )
        self._up = Gauge(
            "afterimage_stream_up", "1 while frames come from the source", ["stream_id"], registry=self.registry
        )
        self._stages = Histogram(
            "afterimage_stage_seconds", "Time per stage", ["stage"], registry=self.registry, buckets=SECONDS
        )

    def published(self, stream_id: str, num_frames: int) -> None:
        """Frames are in the queue."""
        self._published.labels(stream_id).inc(num_frames)

    def dropped(self, stream_id: str, reason: DropReason, num_frames: int) -> None:
        """Frames are lost before they reached the queue."""
        self._dropped.labels(stream_id, reason).inc(num_frames)

    def connected(self, stream_id: str) -> None:
        """A source is open."""
        self._connections.labels(stream_id).inc()

    def failed(self, stream_id: str) -> None:
        """A source could not be opened or broke."""
        self._failures.labels(stream_id).inc()

    def set_up(self, stream_id: str, *, up: bool) -> None:
        """Whether a stream is live."""
        self._up.labels(stream_id).set(up)

    def observe(self, stage: str, seconds: float) -> None:
        """One pass through a stage."""
        self._stages.labels(stage).observe(seconds)

    def timed(self, stage: Stage) -> AbstractContextManager[object]:
        """Observes how long the block takes."""
        return self._stages.labels(stage).time()

    def forget(self, stream_id: str) -> None:
        """Removes a stream's series."""
        labels = {"stream_id": stream_id}
        for metric in (self._published, self._dropped, self._connections, self._failures, self._up):
            metric.remove_by_labels(labels)
