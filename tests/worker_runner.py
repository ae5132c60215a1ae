"""An inference worker in this process, with a small model of random weights, for tests."""

import threading
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import cv2
import numpy as np
import redis
import torch
from leasing import seize, tenancy
from patience import eventually

from services.inference.metrics import InferenceMetrics
from services.inference.models.catalog import Catalog
from services.inference.network.network import build_network
from services.inference.network.weights import save_model
from services.inference.pipeline.worker import Worker
from services.inference.settings import InferenceSettings
from shared.entries import Ending, Figures, Frame, parse_scores
from shared.events import Event
from shared.manifest import InputSpec, Thresholds
from shared.records import StreamRecord
from shared.store.frame_queue import FrameWriter, Outcome
from shared.store.layout.known import layout_of
from shared.store.registry import Registry
from shared.streams import StreamSpec
from shared.tracing.spans import Tracer

BASE_MS = 1_700_000_000_000
FRAME_MS = 125
LABELS = ("moved", "frozen")
NETWORK = {"widths": (4, 4, 8, 8), "appearance": 8, "change": 8, "hidden": 8}


def save_random_model(
    models_dir: Path,
    name: str = "tiny",
    *,
    seed: int = 0,
    enter: float = 0.5,
    labels: tuple[str, ...] = LABELS,
    size: tuple[int, int] = (32, 48),
    fps: float = 8,
    **network: Any,
) -> str:
    """A model folder with a network that has learned nothing, and its reference; its scores lie around 0.5."""
    torch.manual_seed(seed)
    manifest = save_model(
        models_dir / name,
        build_network(NETWORK | network, len(labels), *size),
        labels=labels,
        fps=fps,
        input_spec=InputSpec(height=size[0], width=size[1]),
        thresholds={label: Thresholds(enter=enter, exit=enter / 2) for label in labels},
    )
    return manifest.reference


def pictures(count: int, seed: int = 0) -> list[bytes]:
    """JPEGs of noise, no two alike."""
    random = np.random.default_rng(seed)
    images = [random.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(count)]
    return [cv2.imencode(".jpg", image)[1].tobytes() for image in images]


def spec_of(stream_id: str, **changes: Any) -> StreamSpec:
    """A spec for a fast-paced stream on the small model."""
    fields = {"id": stream_id, "name": stream_id, "source": "a.mp4", "model": "tiny", "pace": "fast"}
    return StreamSpec(**{**fields, "base_ms": BASE_MS, "generation": 1, "created_at_ms": BASE_MS, **changes})


class WorkerRunner:
    """Starts and stops workers on one Redis; a context manager that leaves none behind."""

    def __init__(self, client: redis.Redis, models_dir: Path) -> None:
        self.client = client
        self.registry = Registry(client)
        self.models_dir = models_dir
        self.metrics = InferenceMetrics()
        self.failure: BaseException | None = None
        self.tracer: Tracer | None = None
        self._leases = seize(client, "ingest")
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, batch_size: int = 8) -> None:
        """One worker, with metrics of its own."""
        self.metrics, self._stop, self.failure = InferenceMetrics(), threading.Event(), None
        self._thread = threading.Thread(target=self._run, args=(batch_size,))
        self._thread.start()

    def _run(self, batch_size: int) -> None:
        settings = InferenceSettings(models_dir=self.models_dir, batch_deadline_seconds=0.002)
        catalog = Catalog(self.models_dir, torch.device("cpu"), 2, self.metrics.loaded)
        leases = tenancy(self.client, "inference", self.metrics.leases)
        with ThreadPoolExecutor(2) as decoders:
            parts = self.client, leases, catalog, decoders, settings, batch_size, self.metrics, self._stop
            worker = Worker(*parts, self.tracer)
            try:
                worker.run()
            except Exception as err:  # noqa: BLE001  shown to the test
                self.failure = err

    def join(self) -> None:
        """Waits for the worker to end by itself."""
        if self._thread:
            self._thread.join(timeout=60)
            assert not self._thread.is_alive()

    def stop(self) -> None:
        """Stops the worker in order."""
        self._stop.set()
        self.join()
        self._thread = None

    def publish(
        self,
        spec: StreamSpec,
        jpegs: Sequence[bytes],
        first: int = 0,
        end: bool = False,
        changes: bool = False,
        figures: Sequence[Figures | None] = (),
        damaged: Collection[int] = (),
        traceparents: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        """Appends frames on the grid, `first` being the number of the first, whatever waits already."""
        lease = self._leases[layout_of(self.client).keys_of(spec.id).partition]
        frames = [
            Frame(BASE_MS + number * FRAME_MS, BASE_MS, 1, number * FRAME_MS / 1000, jpeg, number in damaged, measured)
            for number, (jpeg, measured) in enumerate(zip_longest(jpegs, figures), start=first)
        ]
        frames = [frame._replace(traceparent=traceparents.get(at)) for at, frame in enumerate(frames)]
        if end or changes:
            ending: Ending = "source_changed" if changes else "source_ended"
            frames.append(Frame.end(BASE_MS + (first + len(jpegs) - 1) * FRAME_MS, ending))
        writer = FrameWriter(self.client, spec.id, spec.generation, "live", lease)
        assert writer.publish(frames) == (Outcome.OK, len(frames))

    def record(self, stream_id: str) -> StreamRecord:
        """What is known of a stream."""
        return self.registry.get(stream_id)

    def wait_processed(self, stream_id: str, frames: int) -> StreamRecord:
        """Waits until that many frames of the stream are committed."""
        eventually(
            lambda: self.record(stream_id).progress.frames_processed >= frames, f"{frames} frames of {stream_id}"
        )
        return self.record(stream_id)

    def value(self, name: str, **labels: str) -> float | None:
        """A metric's value."""
        return self.metrics.registry.get_sample_value(name, labels)

    def ask(self, stream_id: str, model: str) -> None:
        """Names a model for the stream, as a change through the api does."""
        seen = self.record(stream_id).spec
        assert self.registry.replace(seen, seen.model_copy(update={"model": model, "model_asks": seen.model_asks + 1}))

    def wait_model(self, stream_id: str, reference: str) -> None:
        """Waits until the stream runs on that very model."""
        eventually(lambda: self.record(stream_id).inference.model == reference, f"{stream_id} on {reference}")

    def wait_reason(self, stream_id: str) -> str:
        """Waits until it is said why a stream does not run on the model asked for."""
        return eventually(lambda: self.record(stream_id).inference.reason, f"a reason for {stream_id}") or ""

    def scores(self, stream_id: str, labels: Sequence[str] = LABELS) -> dict[str, list[float]]:
        """Committed scores of the frames that have those labels, by frame id, in the labels' order."""
        entries: Any = self.client.xrange(layout_of(self.client).keys_of(stream_id).scores(stream_id))
        found = {entry.decode(): parse_scores(fields) for entry, fields in entries}
        return {entry: [row[label] for label in labels] for entry, row in found.items() if set(labels) <= row.keys()}

    def events(self, stream_id: str) -> list[Event]:
        """What is kept of the stream's events, in order."""
        stored: Any = self.client.hvals(layout_of(self.client).keys_of(stream_id).event_data(stream_id))
        events = [Event.model_validate_json(text) for text in stored]
        return sorted(events, key=lambda event: (event.started_at_ms, event.label))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
