"""What Prometheus sees of the streams, the workers and Redis: asked of Redis at the moment of the scrape."""

from collections.abc import Iterable, Sequence
from typing import get_args

import redis
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.api.metrics.servers import memory_by_node
from services.api.schemas.streams import StreamView
from shared.errors import StoreUnavailable
from shared.store.client import translated
from shared.store.keys import Role
from shared.store.layout.known import layout_of
from shared.store.leases import living_workers
from shared.store.registry import Registry
from shared.streams import StreamState


class StoreCollector(Collector):
    """Reads Redis at each scrape, so that a removed stream's series are gone with it."""

    def __init__(self, client: redis.Redis, registry: Registry, lease_seconds: float) -> None:
        self._client = client
        self._registry = registry
        self._lease_seconds = lease_seconds

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """A gauge per question that operators ask; where Redis does not answer, only that."""
        up = GaugeMetricFamily("afterimage_api_store_up", "Whether Redis answers.")
        try:
            families = [*self._streams(), self._workers(), *self._memory()]
        except StoreUnavailable:
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        return [up, *families]

    def _streams(self) -> list[GaugeMetricFamily]:
        records = self._registry.records(self._registry.ids())
        views = [StreamView.of(record) for record in records]
        kinds = _gauge(
            "afterimage_stream_info", "1: how a stream is to be read, and by which model.", "stream_id", "pace", "model"
        )
        lag = _gauge("afterimage_stream_lag_frames", "Published and not yet looked at.", "stream_id")
        state = _gauge(
            "afterimage_stream_state", "1 for the state that the stream is in, else 0.", "stream_id", "state"
        )
        queue = _gauge("afterimage_stream_queue_bytes", "Memory of the stream's frame queue in Redis.", "stream_id")
        for view, num_bytes in zip(views, self._queue_bytes([view.id for view in views]), strict=True):
            kinds.add_metric([view.id, view.pace, view.model], 1)
            lag.add_metric([view.id], view.lag_frames)
            queue.add_metric([view.id], num_bytes)
            for name in StreamState:
                state.add_metric([view.id, name], float(view.state is name))
        return [kinds, lag, queue, state]

    def _queue_bytes(self, stream_ids: Sequence[str]) -> list[int]:
        """As Redis estimates it from a few entries; 0 where nothing waits. Raises StoreUnavailable."""
        pipeline, layout = self._client.pipeline(transaction=False), layout_of(self._client)
        for stream_id in stream_ids:
            pipeline.memory_usage(layout.keys_of(stream_id).frames(stream_id))
        with translated():
            return [num_bytes or 0 for num_bytes in pipeline.execute()]

    def _workers(self) -> GaugeMetricFamily:
        family = _gauge("afterimage_workers", "Worker processes heard of lately.", "role")
        for role in get_args(Role):
            family.add_metric([role], len(living_workers(self._client, role, self._lease_seconds)))
        return family

    def _memory(self) -> list[GaugeMetricFamily]:
        used = _gauge("afterimage_redis_memory_bytes", "Memory that Redis uses.", "node")
        limit = _gauge("afterimage_redis_memory_limit_bytes", "Memory at which Redis refuses writes.", "node")
        with translated():
            for node, info in memory_by_node(self._client).items():
                used.add_metric([node], info["used_memory"])
                if info["maxmemory"]:
                    limit.add_metric([node], info["maxmemory"])
        return [used, limit]


def _gauge(name: str, meaning: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, labels=labels)
