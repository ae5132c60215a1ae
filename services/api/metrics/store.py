"""What Prometheus sees of the streams, the workers and Redis: asked of Redis at the moment of the scrape."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, get_args

import redis
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.api.kept.rollouts.book import RolloutBook
from services.api.kept.rollouts.record import RolloutState
from services.api.live.standings import Standings, StreamNow
from services.api.metrics.servers import memory_by_node
from shared.errors import StoreUnavailable
from shared.service.stream_series import OTHERS, StreamSeries
from shared.store.client import replies_of, translated
from shared.store.keys import Role
from shared.store.layout.known import layout_of
from shared.store.leases import living_workers
from shared.streams import StreamState

PACES: Final = ("live", "fast")
TURNS: Final = 16
"""In so many scrapes each queue is asked for its size, whatever is known of it."""


class StoreCollector(Collector):
    """Reads Redis at each scrape, so that a removed stream's series are gone with it."""

    def __init__(
        self,
        client: redis.Redis,
        standings: Standings,
        lease_seconds: float,
        series: StreamSeries | None = None,
        rollouts: RolloutBook | None = None,
    ) -> None:
        self._client = client
        self._standings = standings
        self._lease_seconds = lease_seconds
        self._series = series or StreamSeries()
        self._queues = QueueSizes(client)
        self._rollouts = rollouts or RolloutBook(client)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """A gauge per question that operators ask; where Redis does not answer, only that."""
        up = GaugeMetricFamily("afterimage_api_store_up", "Whether Redis answers.")
        try:
            families = [*self._streams(), self._states_of_rollouts(), self._workers(), *self._memory()]
        except StoreUnavailable:
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        return [up, *families]

    def _streams(self) -> list[GaugeMetricFamily]:
        """Of all streams, then of each that has series of its own, and of the others together."""
        every = self._standings.all()
        sizes = self._queues.look(every)
        own = [each for each in every if self._series.are_wanted(each.groups)]
        rest = [] if len(own) == len(every) else [each for each in every if not self._series.are_wanted(each.groups)]
        return [*_totals(every, sizes), _states(own, rest), _lags(own, rest), _queues(own, rest, sizes)]

    def _states_of_rollouts(self) -> GaugeMetricFamily:
        family = _gauge("afterimage_rollouts", "Each group's newest trial of a model, by its state.", "state")
        counts = self._rollouts.by_state()
        for state in get_args(RolloutState):
            family.add_metric([state], counts[state])
        return family

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


class QueueSizes:
    """Memory of the streams' queues as Redis estimates it from a few entries. Scrapes at the same time ask twice.

    A queue is asked for where something was published or passed since, and in its turn: what goes for age moves
    nothing.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._known: dict[str, tuple[object, int]] = {}
        self._turn = 0

    def look(self, streams: Sequence[StreamNow]) -> dict[str, int]:
        """Bytes by stream, where there are any; raises StoreUnavailable."""
        self._turn = (self._turn + 1) % TURNS
        known = self._known
        asked = [
            each
            for number, each in enumerate(streams)
            if known.get(each.id, (None,))[0] != each.passage or number % TURNS == self._turn
        ]
        pipeline, layout = self._client.pipeline(transaction=False), layout_of(self._client)
        for each in asked:
            pipeline.memory_usage(layout.keys_of(each.id).frames(each.id))
        replies = replies_of(pipeline) if asked else []
        news = {each.id: (each.passage, size or 0) for each, size in zip(asked, replies, strict=True)}
        self._known = {each.id: found for each in streams if (found := news.get(each.id) or known.get(each.id))}
        return {stream_id: size for stream_id, (_, size) in self._known.items() if size}


def _totals(every: Sequence[StreamNow], sizes: dict[str, int]) -> list[GaugeMetricFamily]:
    streams = _gauge("afterimage_streams", "Registered streams, by the state that they are in.", "state")
    counts = Counter(each.state for each in every)
    for state in StreamState:
        streams.add_metric([state], counts[state])
    lag = _gauge("afterimage_lag_frames", "Published and not yet looked at, of all streams.", "pace")
    waiting = dict.fromkeys(PACES, 0)
    for each in every:
        waiting[each.pace] += each.lag_frames
    for pace, num_frames in waiting.items():
        lag.add_metric([pace], num_frames)
    queues = _gauge("afterimage_queue_bytes", "Memory of all frame queues in Redis.")
    queues.add_metric([], sum(sizes.values()))
    return [streams, lag, queues]


def _states(own: Iterable[StreamNow], rest: Iterable[StreamNow]) -> GaugeMetricFamily:
    family = _gauge(
        "afterimage_stream_state",
        "1: the state that a stream is in, and its model; of an empty stream_id: how many others.",
        "stream_id",
        "state",
        "model",
    )
    for each in own:
        family.add_metric([each.id, each.state, each.model], 1)
    for (state, model), count in Counter((each.state, each.model) for each in rest).items():
        family.add_metric([OTHERS, state, model], count)
    return family


def _lags(own: Iterable[StreamNow], rest: Iterable[StreamNow]) -> GaugeMetricFamily:
    family = _gauge(
        "afterimage_stream_lag_frames",
        "Published and not yet looked at; of an empty stream_id: the most of any other.",
        "stream_id",
        "pace",
    )
    for each in own:
        family.add_metric([each.id, each.pace], each.lag_frames)
    most: dict[str, int] = {}
    for each in rest:
        most[each.pace] = max(each.lag_frames, most.get(each.pace, 0))
    for pace, lag_frames in most.items():
        family.add_metric([OTHERS, pace], lag_frames)
    return family


def _queues(own: Iterable[StreamNow], rest: Iterable[StreamNow], sizes: dict[str, int]) -> GaugeMetricFamily:
    family = _gauge(
        "afterimage_stream_queue_bytes",
        "Memory of a stream's frame queue in Redis, where there is one; of an empty stream_id: of all others.",
        "stream_id",
    )
    for each in own:
        if size := sizes.get(each.id):
            family.add_metric([each.id], size)
    if others := sum(sizes.get(each.id, 0) for each in rest):
        family.add_metric([OTHERS], others)
    return family


def _gauge(name: str, meaning: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, labels=labels)
