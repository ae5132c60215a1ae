"""What does the promise cost? Frames/s with the fenced commit beside a worker that writes its scores and no more.

promise: one script a partition checks the lease and the cursor, appends scores, writes events and tracks, now and then
         the memory.
plain:   the scores of each frame are appended and a cursor is set, unchecked; no state, no events, no fence: what is
         left after a crash is what peers keep.
Both run in this process, in turn, on the same frames; the ratio is the median of pairs. Then the bytes that reach Redis
per frame, for memories of several sizes: one is written at a checkpoint, so many frames share it.
"""

import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import redis
import torch

from benchmarks.worker import Load, sample_pictures, speed_of_worker
from services.inference.models.catalog import Catalog
from services.inference.models.runner import choose_device, share_process
from services.inference.network.network import build_network
from services.inference.network.weights import save_model
from services.inference.settings import InferenceSettings
from shared.entries import EntryId, labels_field, scores_text
from shared.manifest import InputSpec
from shared.store.commit import CommitOutcome, Retention, StreamCommit
from shared.store.keys import keys_of
from shared.streams import DEFAULT_MODEL

MEMORIES = ({"hidden": 32}, {"hidden": 96}, {"hidden": 96, "colour": True}, {"hidden": 96, "thumb_pool": 2})
SIZE = (96, 128)


class PlainCommitter:
    """Writes scores and a cursor, and checks nothing."""

    def __init__(self, client: redis.Redis, retention: Retention) -> None:
        self._client = client
        self._retention = retention

    def commit(self, commits: Sequence[StreamCommit]) -> dict[str, CommitOutcome]:
        """Appends what there is."""
        pipeline = self._client.pipeline(transaction=False)
        for commit in commits:
            keys = keys_of(commit.stream_id)
            for entry_id, scores in commit.scores:
                fields: Any = {labels_field(commit.labels): scores_text(scores)}
                pipeline.xadd(keys.scores(commit.stream_id), fields, id=entry_id)
            pipeline.hset(keys.progress, commit.stream_id, str(commit.wanted))
            oldest_ms = EntryId.parse(commit.wanted.cursor).ms - int(self._retention.frames_seconds * 1000)
            pipeline.xtrim(keys.frames(commit.stream_id), minid=str(max(0, oldest_ms)))
        pipeline.execute()
        return {commit.stream_id: CommitOutcome.COMMITTED for commit in commits}


@dataclass(frozen=True, slots=True)
class Cost:
    """What the promise costs at a number of streams: medians, in frames per second and bytes a frame."""

    streams: int
    promise_fps: float
    plain_fps: float
    ratio: float
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
    """What all measurements share."""

    client: redis.Redis
    decoders: ThreadPoolExecutor
    settings: InferenceSettings
    batch_size: int
    jpegs: Sequence[bytes]

    def catalog(self, models_dir: Path) -> Catalog:
        """The folder's models on the chosen device."""
        return Catalog(models_dir, choose_device(self.settings.device), self.batch_size)

    def run(self, catalog: Catalog, num_streams: int, num_frames: int) -> tuple[float, float]:
        """Frames per second, and bytes per frame that Redis was sent beside the frames themselves."""
        load = Load(self.jpegs, num_streams, max(1, num_frames // num_streams), self.batch_size)
        sent: list[int] = []

        def note() -> None:
            stats: Any = self.client.info("stats")
            sent.append(stats["total_net_input_bytes"])

        fps = speed_of_worker(self.client, catalog, self.decoders, self.settings, load, on_filled=note)
        note()
        return fps, (sent[1] - sent[0]) / load.num_frames


def measure_cost(bench: Bench, num_streams: int, num_frames: int, repetitions: int) -> Cost:
    """Pairs of runs; a first pair warms up."""
    catalog = bench.catalog(bench.settings.models_dir)
    pairs = []
    for _ in range(repetitions + 1):
        promise = bench.run(catalog, num_streams, num_frames)
        with patch("services.inference.pipeline.worker.Committer", PlainCommitter):
            plain = bench.run(catalog, num_streams, num_frames)
        pairs.append((*promise, *plain))
    promise_fps, promise_bytes, plain_fps, plain_bytes = (
        round(statistics.median(column), 1) for column in zip(*pairs[1:], strict=True)
    )
    ratio = statistics.median(pair[0] / pair[2] for pair in pairs[1:])
    return Cost(num_streams, promise_fps, plain_fps, round(ratio, 4), promise_bytes, plain_bytes)


def measure_growth(bench: Bench, network: Mapping[str, Any], num_streams: int, num_frames: int) -> Growth:
    """One run with a model that learned nothing, but has a memory of that size."""
    with tempfile.TemporaryDirectory(prefix="afterimage-bench-") as folder:
        torch.manual_seed(0)
        built = build_network(network, 7, *SIZE)
        labels = tuple(f"label_{number}" for number in range(7))
        spec = InputSpec(height=SIZE[0], width=SIZE[1])
        save_model(Path(folder) / DEFAULT_MODEL, built, labels=labels, fps=8.0, input_spec=spec, thresholds={})
        _, per_frame = bench.run(bench.catalog(Path(folder)), num_streams, num_frames)
    return Growth(num_streams, 4 * built.state_size, round(per_frame, 1))


def run_bench(
    client: redis.Redis,
    *,
    num_streams: Sequence[int] = (1, 16, 64),
    num_frames: int = 8192,
    repetitions: int = 5,
    device: str = "auto",
    models_dir: Path,
    on_progress: Callable[[int, int], None],
) -> tuple[list[Cost], list[Growth]]:
    """Both tables' rows; `on_progress` is told how many of how many measurements are done. The Redis is emptied."""
    settings = InferenceSettings(device=device, models_dir=models_dir)
    share_process(settings.num_torch_threads())
    batch_size = settings.batch_for(choose_device(device).type)
    cases = list(product(sorted({min(num_streams), max(num_streams)}), MEMORIES))
    total = len(num_streams) + len(cases)
    costs, growth = [], []
    with ThreadPoolExecutor(settings.num_decode_threads(), "decode") as decoders:
        bench = Bench(client, decoders, settings, batch_size, sample_pictures())
        for count in num_streams:
            costs.append(measure_cost(bench, count, num_frames, repetitions))
            on_progress(len(costs), total)
        for count, network in cases:
            growth.append(measure_growth(bench, network, count, num_frames // 4))
            on_progress(len(costs) + len(growth), total)
    return costs, growth


def as_json(costs: Sequence[Cost], growth: Sequence[Growth]) -> dict[str, Any]:
    """The rows as the `--json` line has them."""
    return {"cost": [asdict(row) for row in costs], "growth": [asdict(row) for row in growth]}
