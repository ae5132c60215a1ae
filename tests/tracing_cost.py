"""What tracing costs a worker: `PYTHONPATH=tests:. python -m tracing_cost`, with the number of pairs if it is not 10.

A worker goes through the same frames with tracing off, and on with one frame in 1,000 traced, in turn. CPU time is that
of this process, the thread that sends spans included, and of Redis. A receiver in a process of its own takes the spans.
Of a machine with other work to do the ratios differ by far more than they tell; so the CPU time is also noted that
beginning, ending and sending spans took, as a share of all.
"""

import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

from otlp_receiver import otlp_receiver
from prometheus_client import CollectorRegistry
from redis_process import redis_process

from benchmarks.worker import Load, sample_pictures, speed_of_worker
from services.inference.models.catalog import Catalog
from services.inference.models.runner import choose_device, share_process
from services.inference.settings import InferenceSettings
from shared.service.settings import PROJECT_ROOT
from shared.store.client import connect
from shared.tracing.sending import Sending, SentSpan, WatchedExporter
from shared.tracing.switch import tracing

EVERY = 1000
NUM_STREAMS, FRAMES_PER_STREAM = 16, 250


def receive(parent: Connection) -> None:
    """Takes spans until the other process has enough; says how many there were."""
    with otlp_receiver() as receiver:
        parent.send(receiver.url)
        parent.recv()
        parent.send(len(receiver.spans()))


def clocked(work: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    """The same, and notes the CPU time that it takes its thread."""

    def timed(*arguments: Any, **named: Any) -> Any:
        began = time.thread_time()
        try:
            return work(*arguments, **named)
        finally:
            spent.append(time.thread_time() - began)

    return timed


def measure(num_pairs: int, url: str) -> list[float]:
    """CPU time of a frame with tracing over that without, pair by pair; the first, which warms up, left out."""
    spent = list[float]()
    settings = InferenceSettings(device="cpu", models_dir=PROJECT_ROOT / "models")
    share_process(settings.num_torch_threads())
    batch_size = settings.batch_for("cpu")
    catalog, jpegs = Catalog(settings.models_dir, choose_device("cpu"), batch_size), sample_pictures()
    ratios = []
    with (
        patch.object(Sending, "begin", clocked(Sending.begin, spent)),
        patch.object(SentSpan, "end", clocked(SentSpan.end, spent)),
        patch.object(WatchedExporter, "export", clocked(WatchedExporter.export, spent)),
        tempfile.TemporaryDirectory(prefix="afterimage-") as folder,
        redis_process(Path(folder)) as redis_url,
        connect(redis_url) as client,
        ThreadPoolExecutor(settings.num_decode_threads()) as decoders,
    ):

        def cost(*, traced: bool) -> float:
            os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = url if traced else ""
            load = Load(jpegs, NUM_STREAMS, FRAMES_PER_STREAM, batch_size, "live", EVERY)
            with tracing("bench", "bench", CollectorRegistry()) as tracer:
                return speed_of_worker(client, catalog, decoders, settings, load, tracer).cpu_ms_per_frame

        for turn in range(num_pairs + 1):
            spent.clear()
            costs = {traced: cost(traced=traced) for traced in ((True, False) if turn % 2 else (False, True))}
            ratios.append(costs[True] / costs[False])
            share = 1000 * sum(spent) / (costs[True] * NUM_STREAMS * FRAMES_PER_STREAM)
            told = f"off {costs[False]:.4f} ms, on {costs[True]:.4f} ms, ratio {ratios[-1]:.4f}"
            print(f"{told}; spans themselves {share:.2%}", flush=True)
    return ratios[1:]


def main() -> None:
    """Measures, and says what came of it."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    child = multiprocessing.get_context("spawn").Process(target=receive, args=(there,))
    child.start()
    try:
        ratios = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10, here.recv())
        here.send(None)
        print(f"median {statistics.median(ratios):.4f} of {len(ratios)} pairs; spans received: {here.recv()}")
    finally:
        child.terminate()


if __name__ == "__main__":
    main()
