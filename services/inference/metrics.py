"""What the inference service counts and times."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

import pynvml
import torch
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.inference.latency import Latencies
from shared.service.lease_metrics import LeaseMetrics
from shared.service.metrics_server import new_registry
from shared.service.stream_series import StreamSeries

UNREADABLE = ("size", "header", "damaged")
STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class InferenceMetrics:
    """The metrics of one worker process, in a registry of its own."""

    def __init__(self, series: StreamSeries | None = None) -> None:
        self.registry = new_registry()
        self._series = series or StreamSeries()
        self._add_frames()
        self.stage_seconds = Histogram(
            "afterimage_stage_seconds",
            "Time of one batch in one stage",
            ["stage"],
            buckets=STAGE_BUCKETS,
            registry=self.registry,
        )
        self.batch_size = Histogram(
            "afterimage_batch_frames", "Frames in a batch", buckets=BATCH_BUCKETS, registry=self.registry
        )
        self.latency = Latencies()
        self.registry.register(self.latency)
        self.events = Counter(
            "afterimage_events_total", "Events opened", ["stream_id", "label"], registry=self.registry
        )
        self.loop_errors = Counter(
            "afterimage_loop_errors_total", "Waits for Redis in a loop", ["stage"], registry=self.registry
        )
        self.leases = LeaseMetrics(self.registry)
        self.scores = NewestScores()
        self.registry.register(self.scores)
        self.model_load = Gauge(
            "afterimage_model_load_seconds", "What the last loading of a model took", ["model"], registry=self.registry
        )
        self._add_memory()
        for stage in ("read", "commit"):
            self.loop_errors.labels(stage)
        self.streams_damaged = Gauge(
            "afterimage_streams_damaged", "Streams of which nothing can be stored: see the log", registry=self.registry
        )
        self.streams = Gauge("afterimage_streams_owned", "Streams that this worker serves", registry=self.registry)
        self._processed: dict[str, Counter] = {}
        """Each stream's child of `frames_processed`, which the library looks for anew each time it is asked."""
        self._labels: dict[str, set[str]] = {}
        """The labels that a stream has series for: the library has no other way to find them but to search them all."""
        self._series.count(self._begin, self._remove)

    def _add_frames(self) -> None:
        """What becomes of the frames."""
        self.frames_processed = Counter(
            "afterimage_frames_processed_total", "Frames committed", ["stream_id"], registry=self.registry
        )
        self.frames_dropped = Counter(
            "afterimage_frames_dropped_total",
            "Published frames that were never scored",
            ["stream_id", "reason"],
            registry=self.registry,
        )
        self.frames_unreadable = Counter(
            "afterimage_frames_unreadable_total",
            "Frames whose picture does not decode: they count as processed and have no scores",
            ["stream_id", "reason"],
            registry=self.registry,
        )

    def _add_memory(self) -> None:
        """What becomes of the memories."""
        self.state_resets = Counter(
            "afterimage_state_resets_total", "Memories reset", ["reason"], registry=self.registry
        )
        self.state_restores = Counter(
            "afterimage_state_restores_total", "Memories loaded and gone on with", registry=self.registry
        )
        self.commits_refused = Counter(
            "afterimage_commits_refused_total", "Stream commits that Redis refused", registry=self.registry
        )
        self.checkpointed_at = Gauge(
            "afterimage_checkpoint_timestamp_seconds",
            "When the stream's memory was last committed, Unix time: its age is time() minus this",
            ["stream_id"],
            registry=self.registry,
        )
        self.commits_fenced = Counter(
            "afterimage_commits_fenced_total",
            "Stream commits under a lease that stood no more, which Redis refused",
            registry=self.registry,
        )
        for reason in ("gap", "source_ended", "source_changed", "model_changed", "state_lost", "forgotten"):
            self.state_resets.labels(reason)

    def add_stream(self, stream_id: str, labels: Iterable[str], groups: Collection[str] = ()) -> None:
        """A stream is admitted, or its groups have changed."""
        self._series.begin(stream_id, groups)
        name = self._series.name(stream_id)
        known = self._labels.setdefault(name, set())
        known.update(labels)
        for label in known:
            self.events.labels(name, label)

    def _begin(self, name: str) -> None:
        self._processed[name] = self.frames_processed.labels(name)
        self.frames_dropped.labels(name, "queue_full")
        for reason in UNREADABLE:
            self.frames_unreadable.labels(name, reason)

    def count_processed(self, stream_id: str, num_frames: int) -> None:
        """Frames of a stream are committed."""
        name = self._series.name(stream_id)
        if (processed := self._processed.get(name)) is None:  # a stream at rest, of which frames were on their way
            processed = self.frames_processed.labels(name)
        processed.inc(num_frames)

    def count_dropped(self, stream_id: str, num_frames: int) -> None:
        """Frames of a stream were lost in its queue."""
        self.frames_dropped.labels(self._series.name(stream_id), "queue_full").inc(num_frames)

    def count_unreadable(self, stream_id: str, reason: str) -> None:
        """A frame's picture does not decode."""
        self.frames_unreadable.labels(self._series.name(stream_id), reason).inc()

    def count_event(self, stream_id: str, label: str) -> None:
        """An event has opened."""
        self.events.labels(self._series.name(stream_id), label).inc()

    def note_checkpoint(self, stream_id: str, at_ms: int) -> None:
        """The stream's memory was stored."""
        if self._series.has(stream_id):
            self.checkpointed_at.labels(stream_id).set(at_ms / 1000)

    def note_scores(self, stream_id: str, labels: Sequence[str], scores: Sequence[float]) -> None:
        """A frame was scored, a score per label."""
        if self._series.has(stream_id):
            self.scores.note(stream_id, labels, scores)

    def rest(self, stream_ids: Iterable[str]) -> None:
        """No frames come of the streams: their series go a minute later, unless they are added again."""
        for stream_id in stream_ids:
            self._series.rest(stream_id)

    def sweep(self) -> list[str]:
        """Forgets the streams that have been at rest for long enough, and says which."""
        over = self._series.over()
        for stream_id in over:
            self.forget_stream(stream_id)
        return over

    def loaded(self, model: str, seconds: float) -> None:
        """A model was loaded and warmed up."""
        self.model_load.labels(model).set(seconds)

    def forget_stream(self, stream_id: str) -> None:
        """A stream is gone, and its series with it."""
        self._series.end(stream_id)

    def _remove(self, stream_id: str) -> None:
        self._processed.pop(stream_id, None)
        self.frames_processed.remove(stream_id)
        self.frames_dropped.remove(stream_id, "queue_full")
        for reason in UNREADABLE:
            self.frames_unreadable.remove(stream_id, reason)
        self.checkpointed_at.remove(stream_id)
        for label in self._labels.pop(stream_id, ()):
            self.events.remove(stream_id, label)
        self.scores.forget(stream_id)


class NewestScores(Collector):
    """The scores of each stream's newest frame; noting them costs no more than keeping a reference."""

    def __init__(self) -> None:
        self._by_stream: dict[str, tuple[Sequence[str], Sequence[float]]] = {}

    def note(self, stream_id: str, labels: Sequence[str], scores: Sequence[float]) -> None:
        """A frame was scored, a score per label."""
        self._by_stream[stream_id] = labels, scores

    def forget(self, stream_id: str) -> None:
        """The stream is gone."""
        self._by_stream.pop(stream_id, None)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """One gauge, a series per stream and label."""
        family = GaugeMetricFamily(
            "afterimage_stream_score_ratio", "Score of the newest frame, 0 to 1", labels=["stream_id", "label"]
        )
        for stream_id, (labels, scores) in list(self._by_stream.items()):
            for label, score in zip(labels, scores, strict=True):
                family.add_metric([stream_id, label], score)
        return [family]


def watch_gpu(registry: CollectorRegistry, device: torch.device) -> None:
    """Adds the GPU's metrics where the device is one; a CPU has none."""
    if device.type == "cuda":
        registry.register(GpuCollector(device))


class GpuCollector(Collector):
    """Asks the driver at each scrape. Utilisation is left out where it does not know: for a slice of a GPU (MIG)."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Memory and, where it can be had, utilisation."""
        free_bytes, total_bytes = torch.cuda.mem_get_info(self._device)
        yield self._gauge("afterimage_gpu_memory_used_bytes", "Taken, by whichever process", total_bytes - free_bytes)
        yield self._gauge("afterimage_gpu_memory_total_bytes", "Memory of the GPU", total_bytes)
        own_bytes = torch.cuda.memory_reserved(self._device)
        yield self._gauge("afterimage_gpu_memory_reserved_bytes", "Taken by this worker's tensors", own_bytes)
        with suppress(pynvml.NVMLError):
            busy = torch.cuda.utilization(self._device) / 100
            yield self._gauge("afterimage_gpu_utilization_ratio", "Share of the last moments that it computed", busy)

    def _gauge(self, name: str, meaning: str, value: float) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, meaning, labels=["device"])
        family.add_metric([str(self._device)], value)
        return family
