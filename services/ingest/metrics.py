"""What ingest measures of itself."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Final, Literal, get_args

from prometheus_client import Counter, Gauge, Histogram

from services.ingest.sources.decoding.tally import Tally
from shared.errors import ReaderLost, SourceCrashed, SourceFailed
from shared.service.lease_metrics import LeaseMetrics
from shared.service.metrics_server import new_registry
from shared.service.stream_series import StreamSeries

Stage = Literal["publish"]
DropReason = Literal["busy", "store_unavailable", "stopped"]

READER_STAGES: Final = ("read", "decode", "convert", "measure", "encode")
SECONDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
COUNTERS: Final = {
    "frames_decoded": ("Pictures that left the decoder: published, skipped or dropped",),
    "frames_published": ("Frames put into the queue",),
    "frames_skipped": ("Pictures off the sampling grid, or published before",),
    "frames_dropped": ("Frames lost, by reason", "reason"),
    "frames_damaged": ("Pictures among those decoded that were damaged or concealed",),
    "packets_refused": ("Packets that the decoder could not make a picture of",),
    "reader_reports": ("Times that a reader said what it has done: signs of life, with or without new pictures",),
    "connections": ("Openings of a source",),
    "reconnects": ("Openings of a source that had failed before",),
    "source_failures": ("Times that a source gave no video",),
    "hwaccel_fallbacks": ("Openings that software decodes though hardware was asked for",),
    "reader_crashes": ("Readers that died, or were ended because they hung",),
    "readers_lost": ("Attempts for which this machine started no reader, or lost it",),
    "defects": ("Attempts that a defect of this system ended",),
}
"""Per stream: what each counts, and its labels beside the stream."""


class IngestMetrics:
    """The process's metrics, in a registry of their own."""

    def __init__(self, series: StreamSeries | None = None) -> None:
        self.registry = new_registry()
        self._series = series or StreamSeries()
        self.leases = LeaseMetrics(self.registry)
        counters = {
            name: Counter(f"afterimage_{name}_total", meaning, ["stream_id", *labels], registry=self.registry)
            for name, (meaning, *labels) in COUNTERS.items()
        }
        self._published, self._decoded = counters["frames_published"], counters["frames_decoded"]
        self._skipped, self._dropped = counters["frames_skipped"], counters["frames_dropped"]
        self._damaged = counters["frames_damaged"]
        self._reports = counters["reader_reports"]
        self._refused, self._crashes = counters["packets_refused"], counters["reader_crashes"]
        self._connections, self._failures = counters["connections"], counters["source_failures"]
        self._lost, self._defects = counters["readers_lost"], counters["defects"]
        self._reconnects, self._fallbacks = counters["reconnects"], counters["hwaccel_fallbacks"]
        self._broken: set[str] = set()
        self._up = Gauge(
            "afterimage_stream_up", "1 while frames come from the source", ["stream_id"], registry=self.registry
        )
        self._ahead = Gauge(
            "afterimage_clock_ahead_seconds",
            "How far a stream's time lies ahead of this host's clock, since that was set or is behind another's",
            ["stream_id"],
            registry=self.registry,
        )
        self._clock_steps = Counter(
            "afterimage_clock_steps_total", "Times that this host's clock was set", ["way"], registry=self.registry
        )
        for way in ("back", "forward"):
            self._clock_steps.labels(way)
        self._counters = tuple(counters.values())
        self._reader_seconds = Counter(
            "afterimage_reader_seconds_total",
            "Time that readers spent, by stage (read: waiting for the source)",
            ["stage"],
            registry=self.registry,
        )
        self._stages = Histogram(
            "afterimage_stage_seconds", "Time per stage", ["stage"], registry=self.registry, buckets=SECONDS
        )
        self._series.count(self._begin, self._remove)

    def add(self, stream_id: str, groups: Collection[str] = ()) -> None:
        """A stream is taken up, or its groups have changed."""
        self._series.begin(stream_id, groups)

    def _begin(self, name: str) -> None:
        for counter in self._counters:
            if counter is not self._dropped:
                counter.labels(name)
        for reason in get_args(DropReason):
            self._dropped.labels(name, reason)

    def published(self, stream_id: str, num_frames: int) -> None:
        """Frames are in the queue."""
        self._published.labels(self._series.name(stream_id)).inc(num_frames)

    def dropped(self, stream_id: str, reason: DropReason, num_frames: int) -> None:
        """Frames are lost before they reached the queue."""
        self._dropped.labels(self._series.name(stream_id), reason).inc(num_frames)

    def connected(self, stream_id: str) -> None:
        """A source is open."""
        name = self._series.name(stream_id)
        self._connections.labels(name).inc()
        if stream_id in self._broken:
            self._broken.discard(stream_id)
            self._reconnects.labels(name).inc()

    def failed(self, stream_id: str, err: Exception) -> None:
        """A source could not be opened or broke, or ended its reader; or the fault is the machine's, or ours."""
        name = self._series.name(stream_id)
        self._failures.labels(name).inc()
        self._broken.add(stream_id)
        if isinstance(err, SourceCrashed):
            self._crashes.labels(name).inc()
        elif isinstance(err, ReaderLost):
            self._lost.labels(name).inc()
        elif not isinstance(err, SourceFailed):
            self._defects.labels(name).inc()

    def tell_ahead(self, stream_id: str, ahead_seconds: Callable[[], float]) -> None:
        """Whom to ask, at each scrape, how far ahead of this host's clock a stream's last frame lies."""
        if self._series.has(stream_id):
            self._ahead.labels(stream_id).set_function(ahead_seconds)

    def clock_stepped(self, step_ms: float) -> None:
        """This host's clock was set."""
        self._clock_steps.labels("back" if step_ms < 0 else "forward").inc()

    def set_up(self, stream_id: str, *, up: bool) -> None:
        """Whether a stream is live."""
        if self._series.has(stream_id):
            self._up.labels(stream_id).set(up)

    def fell_back(self, stream_id: str) -> None:
        """Software decodes what hardware was to."""
        self._fallbacks.labels(self._series.name(stream_id)).inc()

    def counted(self, stream_id: str, tally: Tally, drop_reason: DropReason) -> None:
        """What a reader has done since it last said so, and why it dropped what it dropped."""
        name = self._series.name(stream_id)
        self._reports.labels(name).inc()
        self._decoded.labels(name).inc(tally.decoded)
        self._skipped.labels(name).inc(tally.skipped)
        self._refused.labels(name).inc(tally.refused)
        self._damaged.labels(name).inc(tally.damaged)
        if tally.dropped:
            self.dropped(stream_id, drop_reason, tally.dropped)
        for stage in READER_STAGES:
            self._reader_seconds.labels(stage).inc(getattr(tally, f"{stage}_seconds"))

    def timed(self, stage: Stage) -> AbstractContextManager[object]:
        """Observes how long the block takes."""
        return self._stages.labels(stage).time()

    def rest(self, stream_id: str) -> None:
        """A stream is paused or over: its series go a minute later, unless it is taken up again."""
        self._series.rest(stream_id)

    def sweep(self) -> None:
        """Forgets the streams that have been at rest for long enough."""
        for stream_id in self._series.over():
            self.forget(stream_id)

    def forget(self, stream_id: str) -> None:
        """A stream is gone, and its series with it."""
        self._broken.discard(stream_id)
        self._series.end(stream_id)

    def _remove(self, stream_id: str) -> None:
        """Removes a stream's series, each by its name: the library would search through those of all streams."""
        for metric in (*self._counters, self._up, self._ahead):
            if metric is not self._dropped:
                metric.remove(stream_id)
        for reason in get_args(DropReason):
            self._dropped.remove(stream_id, reason)
