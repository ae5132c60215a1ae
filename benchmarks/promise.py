"""What does the promise cost live streams? The worker beside one that writes its scores and no more.

promise: the worker as it is: one script a partition checks the lease and the cursor, appends scores, writes events and
         tracks, now and then the memory, and lets go of what is old.
plain:   the same reading, decoding and network in the same batches; each frame's scores are appended. No tracks, no
         memory, no cursor, no fence, nothing is let go: what is left after a crash is what peers keep.
A batch takes one frame of each stream, as it does with live streams, so each frame is a commit; that many wait is to
find out how fast it goes. Both run in this process, in pairs that begin with one and the other in turn, on the same
frames. Then the bytes that reach Redis per frame, for memories of several sizes: one is written at a checkpoint.
"""

import math
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import count, product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import redis
import torch

from benchmarks.runs import Progressed, Runs
from benchmarks.worker import Load, Speed, sample_pictures, speed_of_worker
from services.inference.metrics import InferenceMetrics
from services.inference.models.catalog import Catalog
from services.inference.models.runner import choose_device, share_process
from services.inference.network.network import build_network
from services.inference.network.weights import save_model
from services.inference.pipeline.messages import Answer, Closing, Results, Settled, StreamResult, ToRecord
from services.inference.settings import LIVE_SHARE, InferenceSettings
from shared.entries import labels_field, scores_text
from shared.manifest import InputSpec
from shared.store.layout.known import layout_of
from shared.streams import DEFAULT_MODEL

MEMORIES = ({"hidden": 32}, {"hidden": 96}, {"hidden": 96, "colour": True}, {"hidden": 96, "thumb_pool": 2})
SIZE = (96, 128)
NO_CHECKPOINTS = {"checkpoint_frames": 1 << 62, "checkpoint_seconds": math.inf}


class PlainRecorder:
    """Stands in for the worker's recorder: appends scores, and keeps nothing."""

    def __init__(self, client: redis.Redis, metrics: InferenceMetrics, answer: Callable[[Answer], None]) -> None:
        self._client = client
        self._metrics = metrics
        self._answer = answer

    def take(self, message: ToRecord) -> None:
        """Does what a message asks for."""
        match message:
            case Results(streams):
                self._append(streams)
            case Closing(stream):
                self._answer(Settled(stream))

    def _append(self, results: Sequence[StreamResult]) -> None:
        pipeline, layout = self._client.pipeline(transaction=False), layout_of(self._client)
        for result in results:
            stream_id, labels = result.stream.id, result.stream.runner.manifest.labels
            for entry in result.entries:
                fields: Any = {labels_field(labels): scores_text(entry.scores or ())}
                pipeline.xadd(layout.keys_of(stream_id).scores(stream_id), fields, id=entry.frame.entry_id)
        pipeline.execute()
        for result in results:
            self._metrics.latency.note(result.stream.spec.pace, [0.0] * len(result.entries))


@dataclass(frozen=True, slots=True)
class Cost:
    """What the promise costs at a number of streams: medians.

    `ratio` is that of frames per second, with the `least` and the `most` of all pairs; CPU time, of this process and
    Redis together, and the bytes that Redis was sent are per frame.
    """

    streams: int
    promise_fps: float
    plain_fps: float
    ratio: float
    least: float
    most: float
    promise_cpu_ms: float
    plain_cpu_ms: float
    promise_bytes: float
    plain_bytes: float


@dataclass(frozen=True, slots=True)
class Growth:
    """Bytes per frame that reach Redis with a memory of that size."""

    streams: int
    state_bytes: int
    bytes_per_frame: float


@dataclass(frozen=True, slots=True)
class Bench:
    """What all measurements share; `on_run` is called after each."""

    client: redis.Redis
    decoders: ThreadPoolExecutor
    settings: InferenceSettings
    batch_size: int
    jpegs: Sequence[bytes]
    on_run: Callable[[], None]

    def catalog(self, models_dir: Path) -> Catalog:
        """The folder's models on the chosen device."""
        return Catalog(models_dir, choose_device(self.settings.device), self.batch_size)

    def promise(self, catalog: Catalog, num_streams: int, num_frames: int) -> Speed:
        """The worker as it is."""
        return self._run(catalog, num_streams, num_frames, self.settings)

    def plain(self, catalog: Catalog, num_streams: int, num_frames: int) -> Speed:
        """The one that keeps nothing."""

        def recorder(_committer: Any, metrics: Any, _until_stored: Any, _lose: Any, answer: Any) -> PlainRecorder:  # noqa: ANN401
            return PlainRecorder(self.client, metrics, answer)

        with patch("services.inference.pipeline.worker.Recorder", recorder):
            return self._run(catalog, num_streams, num_frames, self.settings.model_copy(update=NO_CHECKPOINTS))

    def _run(self, catalog: Catalog, num_streams: int, num_frames: int, settings: InferenceSettings) -> Speed:
        """Live streams, and batches no larger than their number: so each takes one frame of a stream."""
        batch_size = LIVE_SHARE * max(1, min(num_streams, self.batch_size // LIVE_SHARE))
        load = Load(self.jpegs, num_streams, max(2, num_frames // num_streams), batch_size, "live")
        speed = speed_of_worker(self.client, catalog, self.decoders, settings, load)
        self.on_run()
        return speed


def measure_cost(bench: Bench, num_streams: int, num_frames: int, repetitions: int) -> Cost:
    """Pairs of runs; a first pair warms up."""
    catalog = bench.catalog(bench.settings.models_dir)
    pairs = []
    for repetition in range(repetitions + 1):
        sides = [bench.promise, bench.plain]
        first, second = (side(catalog, num_streams, num_frames) for side in sides[:: -1 if repetition % 2 else 1])
        pairs.append((second, first) if repetition % 2 else (first, second))
    ratios = [promise.fps / plain.fps for promise, plain in pairs[1:]]

    def medians(name: str) -> list[float]:
        return [statistics.median(getattr(speed, name) for speed in side) for side in zip(*pairs[1:], strict=True)]

    fps, cpu_ms, sent = (medians(name) for name in ("fps", "cpu_ms_per_frame", "bytes_per_frame"))
    figures = [*fps, statistics.median(ratios), min(ratios), max(ratios), *cpu_ms, *sent]
    return Cost(num_streams, *(round(figure, 2 if figure < 100 else None) for figure in figures))


def measure_growth(bench: Bench, network: Mapping[str, Any], num_streams: int, num_frames: int) -> Growth:
    """One run with a model that learned nothing, but has a memory of that size."""
    with tempfile.TemporaryDirectory(prefix="afterimage-bench-") as folder:
        torch.manual_seed(0)
        built = build_network(network, 7, *SIZE)
        labels = tuple(f"label_{number}" for number in range(7))
        spec = InputSpec(height=SIZE[0], width=SIZE[1])
        save_model(Path(folder) / DEFAULT_MODEL, built, labels=labels, fps=8.0, input_spec=spec, thresholds={})
        speed = bench.promise(bench.catalog(Path(folder)), num_streams, num_frames)
    return Growth(num_streams, 4 * built.state_size, round(speed.bytes_per_frame))


def run_bench(client: redis.Redis, runs: Runs, *, on_progress: Progressed) -> tuple[list[Cost], list[Growth]]:
    """Both tables' rows; `on_progress` is told how many of how many runs are done. The Redis is emptied."""
    settings = InferenceSettings(device=runs.device, models_dir=runs.models_dir)
    share_process(settings.num_torch_threads())
    batch_size = settings.batch_for(choose_device(runs.device).type)
    cases = list(product(sorted({min(runs.num_streams), max(runs.num_streams)}), MEMORIES))
    total, done = 2 * (runs.repetitions + 1) * len(runs.num_streams) + len(cases), count(1)
    with ThreadPoolExecutor(settings.num_decode_threads(), "decode") as decoders:
        bench = Bench(client, decoders, settings, batch_size, sample_pictures(), lambda: on_progress(next(done), total))
        costs = [measure_cost(bench, number, runs.num_frames, runs.repetitions) for number in runs.num_streams]
        growth = [measure_growth(bench, network, number, runs.num_frames // 4) for number, network in cases]
    return costs, growth


def as_json(costs: Sequence[Cost], growth: Sequence[Growth]) -> dict[str, Any]:
    """The rows as the `--json` line has them."""
    return {"cost": [asdict(row) for row in costs], "growth": [asdict(row) for row in growth]}
