"""What does the worker cost? Frames/s through the whole worker beside the bare loop over the same JPEGs.

worker: Redis read → decode → model → events → commit, on frames that wait in the queue.
bare:   the same JPEGs in memory → decode → model; same model, same batches, same threads, decoding ahead of the model
        as the worker does.
before: both of another checkout, by its own benchmark in a process of its own, where one is given.
All run in turn, so that a machine whose speed drifts disturbs all alike; ratios are medians of the rounds' own.
Both clocks start once the first batch is through: taking leases and admitting streams is no part of a frame's cost.
"""

import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal, Self

import cv2
import numpy as np
import redis

from benchmarks.runs import Progressed, Runs, speeds_before, unwatched
from services.inference.metrics import InferenceMetrics
from services.inference.models.catalog import Catalog
from services.inference.models.images import Pending, begin_decoding
from services.inference.models.runner import Runner, choose_device, share_process
from services.inference.models.steps import Elapsed, arrange
from services.inference.pipeline.worker import Worker
from services.inference.settings import InferenceSettings
from services.ingest.sources.decoding.transport import encode_jpeg
from shared.clock import now_ms
from shared.entries import Frame
from shared.service.tenancy import Tenancy
from shared.store.layout.known import layout_of
from shared.store.leases import LEASE_SECONDS, LeaseBook, worker_id
from shared.store.registry import Registry
from shared.streams import DEFAULT_MODEL, StreamSpec
from shared.tracing.spans import Tracer

FRAME_MS = 125
NUM_PICTURES = 64
PICTURE_SIZE = (192, 342)
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One line of the table: medians over the repetitions, in frames per second."""

    streams: int
    worker_fps: float
    bare_fps: float
    ratio: float
    before_worker_fps: float | None = None
    before_bare_fps: float | None = None
    """of the other checkout, if there is one"""
    worker_gain: float | None = None
    bare_gain: float | None = None
    """how many times as fast as there"""


@dataclass(frozen=True, slots=True)
class Load:
    """What both sides work on: `frames_per_stream` frames in each of `num_streams` streams.

    One frame in `trace_every` is traced, where that is not 0.
    """

    jpegs: Sequence[bytes]
    num_streams: int
    frames_per_stream: int
    batch_size: int
    pace: Literal["live", "fast"] = "fast"
    trace_every: int = 0

    @property
    def num_frames(self) -> int:
        """Frames in all."""
        return self.num_streams * self.frames_per_stream

    def jpeg(self, stream: int, frame: int) -> bytes:
        """A stream's frame: the streams play the same pictures, each from its own start."""
        return self.jpegs[(7 * stream + frame) % len(self.jpegs)]


def run_bench(
    client: redis.Redis,
    runs: Runs,
    *,
    on_progress: Progressed = unwatched,
) -> list[WorkerRow]:
    """The table's rows; `on_progress` is told how many of how many runs are done. The Redis is emptied.

    Raises SubprocessError where the other checkout's benchmark fails.
    """
    settings = InferenceSettings(device=runs.device, models_dir=runs.models_dir)
    chosen = choose_device(runs.device)
    share_process(settings.num_torch_threads())
    batch_size = settings.batch_for(chosen.type)
    catalog = Catalog(runs.models_dir, chosen, batch_size)
    runner = catalog.runner(DEFAULT_MODEL)
    jpegs = sample_pictures()
    loads = [Load(jpegs, count, max(1, runs.num_frames // count), batch_size) for count in runs.num_streams]
    rounds: dict[int, list[dict[str, float]]] = {count: [] for count in runs.num_streams}
    total = (runs.repetitions + 1) * len(loads)
    with ThreadPoolExecutor(settings.num_decode_threads(), "decode") as decoders:
        for repetition in range(runs.repetitions + 1):
            there = speeds_before(runs) if repetition else {}
            for index, load in enumerate(loads):
                measured_fps = speed_of_worker(client, catalog, decoders, settings, load).fps
                loop_fps = bare_fps(runner, decoders, settings.num_decode_threads(), load)
                if repetition:  # the first round warms up
                    here = {"worker_fps": measured_fps, "bare_fps": loop_fps}
                    rounds[load.num_streams].append(here | there.get(load.num_streams, {}))
                on_progress(repetition * len(loads) + index + 1, total)
    return [_row(count, measured) for count, measured in rounds.items()]


def cost_growth(rows: Sequence[WorkerRow]) -> float | None:
    """A frame's cost at the largest number of streams over that at 16, or None where one was not measured."""
    by_count = {row.streams: row.worker_fps for row in rows}
    most = max(by_count)
    return by_count[16] / by_count[most] if 16 in by_count and most > 16 else None


def as_json(rows: Sequence[WorkerRow]) -> dict[str, Any]:
    """The rows as the `--json` line has them."""
    return {"rows": [asdict(row) for row in rows]}


def _row(count: int, rounds: Sequence[Mapping[str, float]]) -> WorkerRow:
    def ratio(of: str, to: str) -> float:
        return round(statistics.median(each[of] / each[to] for each in rounds), 4)

    speeds = {name: round(statistics.median(each[name] for each in rounds), 1) for name in rounds[0]}
    gains = {
        f"{side}_gain": ratio(f"{side}_fps", f"before_{side}_fps")
        for side in ("worker", "bare")
        if f"before_{side}_fps" in speeds
    }
    return WorkerRow(count, **speeds, ratio=ratio("worker_fps", "bare_fps"), **gains)


@dataclass(frozen=True, slots=True)
class Speed:
    """What a worker reached, from its first commit on: CPU of this process and of Redis, bytes that Redis was sent."""

    fps: float
    cpu_ms_per_frame: float
    bytes_per_frame: float


@dataclass(frozen=True, slots=True)
class Counters:
    """Clocks and counters at a moment, since whenever each began."""

    seconds: float
    cpu_seconds: float
    sent_bytes: int
    num_frames: int

    @classmethod
    def read(cls, client: redis.Redis, metrics: InferenceMetrics) -> Self:
        """As they are now."""
        stats: Any = client.info("stats")
        cpu: Any = client.info("cpu")
        cpu_seconds = time.process_time() + cpu["used_cpu_user"] + cpu["used_cpu_sys"]
        return cls(time.perf_counter(), cpu_seconds, stats["total_net_input_bytes"], _processed(metrics))

    def until(self, later: Self) -> Speed:
        """What lies between two of them."""
        num_frames = later.num_frames - self.num_frames
        return Speed(
            num_frames / (later.seconds - self.seconds),
            1000 * (later.cpu_seconds - self.cpu_seconds) / num_frames,
            (later.sent_bytes - self.sent_bytes) / num_frames,
        )


def speed_of_worker(
    client: redis.Redis,
    catalog: Catalog,
    decoders: ThreadPoolExecutor,
    settings: InferenceSettings,
    load: Load,
    tracer: Tracer | None = None,
) -> Speed:
    """How fast a worker is; the Redis is emptied, then filled with the load."""
    client.flushall()
    _fill(client, load)
    stop = threading.Event()
    metrics = InferenceMetrics()
    tenancy = Tenancy(LeaseBook(client, "inference", worker_id()), metrics.leases, LEASE_SECONDS)
    worker = Worker(client, tenancy, catalog, decoders, settings, load.batch_size, metrics, stop, tracer)
    thread = threading.Thread(target=worker.run)
    thread.start()
    _wait_for(metrics, thread, 1)
    first = Counters.read(client, metrics)
    _wait_for(metrics, thread, load.num_frames)
    last = Counters.read(client, metrics)
    stop.set()
    thread.join()
    return first.until(last)


def _wait_for(metrics: InferenceMetrics, worker: threading.Thread, num_frames: int) -> None:
    while worker.is_alive() and _processed(metrics) < num_frames:
        time.sleep(POLL_SECONDS)


def _processed(metrics: InferenceMetrics) -> int:
    """By the histogram, one for all streams: to add up a counter for each takes the worker's time."""
    (counted,) = metrics.latency.collect()
    return sum(int(sample.value) for sample in counted.samples if sample.name.endswith("_count"))


def _stream_id(stream: int) -> str:
    return f"bench-{stream}"


def _fill(client: redis.Redis, load: Load) -> None:
    """Registers the streams with all of their frames in the queue."""
    registry, base_ms = Registry(client), 1_700_000_000_000
    for stream in range(load.num_streams):
        stream_id = _stream_id(stream)
        keys = layout_of(client).keys_of(stream_id)
        pipeline = client.pipeline(transaction=False)
        for index in range(load.frames_per_stream):
            media_ms = index * FRAME_MS
            frame = Frame(base_ms + media_ms, now_ms(), 1, media_ms / 1000, load.jpeg(stream, index))
            number = stream * load.frames_per_stream + index
            if load.trace_every and number % load.trace_every == load.trace_every // 2:
                frame = frame._replace(traceparent=f"00-{number + 1:032x}-{number + 1:016x}-01")
            fields = dict(zip(*[iter(["n", index + 1, *frame.fields()])] * 2, strict=True))
            pipeline.xadd(keys.frames(stream_id), fields, id=frame.entry_id)
        pipeline.execute()
        client.hset(keys.published, stream_id, load.frames_per_stream)
        registry.add(
            StreamSpec(
                id=stream_id,
                name=stream_id,
                source="bench.mp4",
                pace=load.pace,
                base_ms=base_ms,
                generation=1,
                created_at_ms=base_ms,
            )
        )


def bare_fps(runner: Runner, decoders: Executor, num_threads: int, load: Load) -> float:
    """How fast the same is without Redis, in batches of the load's size."""
    size = runner.manifest.input
    rows = [runner.acquire(None) for _ in range(load.num_streams)]
    order = [(stream, frame) for frame in range(load.frames_per_stream) for stream in range(load.num_streams)]

    def batches() -> Iterator[tuple[list[int], list[Pending]]]:
        entries = iter(order)
        while batch := list(islice(entries, load.batch_size)):
            jpegs = [load.jpeg(stream, frame) for stream, frame in batch]
            pictures = begin_decoding(decoders, num_threads, jpegs, size.height, size.width)
            yield [rows[stream] for stream, _ in batch], pictures

    started, num_before, num_done = time.perf_counter(), 0, 0
    ahead = batches()
    current = next(ahead, None)
    while current:
        following = next(ahead, None)
        batch_rows, pictures = current
        images = [picture.result() for picture in pictures]
        blocks = arrange(batch_rows, [Elapsed(FRAME_MS / 1000)] * len(batch_rows))
        runner.run(images, blocks, sorted(set(batch_rows)))
        num_done += len(batch_rows)
        if not num_before:
            started, num_before = time.perf_counter(), num_done
        current = following
    seconds = time.perf_counter() - started
    for row in rows:
        runner.release(row)
    return (num_done - num_before) / seconds


def sample_pictures() -> list[bytes]:
    """JPEGs of a size and content like a camera's: texture, noise, something that moves."""
    random = np.random.default_rng(0)
    height, width = PICTURE_SIZE
    coarse = random.integers(40, 200, (12, 20, 3), dtype=np.uint8)
    scene = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    pictures = []
    for index in range(NUM_PICTURES):
        picture = np.add(scene, random.normal(0, 4, scene.shape))
        left = 4 * index % (width - 40)
        picture[80:140, left : left + 30] = (60, 90, 160)
        pictures.append(encode_jpeg(np.clip(picture, 0, 255).astype(np.uint8)))
    return pictures
