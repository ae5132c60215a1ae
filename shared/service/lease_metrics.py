"""How a worker's share of the partitions is measured, the same for every role."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

WAYS: Final = ("taken", "handed_back", "lost")


class LeaseMetrics:
    """Partitions owned, and how they come and go."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._owned = Gauge("afterimage_partitions_owned", "Partitions that this worker holds", registry=registry)
        self._damaged = Gauge(
            "afterimage_partitions_damaged", "Partitions that stand still: their keys are damaged", registry=registry
        )
        self._moved = Counter(
            "afterimage_rebalances_total", "Partitions taken, handed back or lost", ["way"], registry=registry
        )
        for way in WAYS:
            self._moved.labels(way)

    def owned(self, num_partitions: int) -> None:
        """So many partitions are this worker's now."""
        self._owned.set(num_partitions)

    def damaged(self, num_partitions: int) -> None:
        """So many partitions that fall to this worker cannot be taken: their keys are damaged."""
        self._damaged.set(num_partitions)

    def moved(self, way: str, num_partitions: int) -> None:
        """Partitions were `taken`, `handed_back` or `lost`."""
        self._moved.labels(way).inc(num_partitions)
