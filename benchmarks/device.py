"""What `make gpu` measures: scores beside those of the CPU, speeds, memory, and where a batch's time goes."""

import resource
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.profiler import ProfilerActivity, profile

from benchmarks.worker import FRAME_MS, Load, bare_fps, sample_pictures, speed_of_worker
from services.inference.models.catalog import Catalog
from services.inference.models.images import decode_image, planes_of
from services.inference.models.runner import Runner, choose_device, look_precision, share_process
from services.inference.models.steps import Elapsed, arrange
from services.inference.network.looks.lite_trunk import PACKAGE
from services.inference.network.network import build_network, load_pretrained
from services.inference.network.weights import load_model, save_model
from services.inference.settings import LIVE_SHARE, InferenceSettings
from shared.entries import NUM_TOLD
from shared.manifest import InputSpec
from shared.store.client import connect
from shared.streams import DEFAULT_MODEL

CPU: Final = torch.device("cpu")
SENSES: Final = {"change": 0, "histograms": True, "shifts": True, "figures": True, "damage": True, "hidden": 64}
ALLOWED: Final = {torch.float32: 0.02, torch.bfloat16: 0.05, torch.float16: 0.02}
"""By the look's precision, how far a score may lie from that of the CPU. Frames whose tiles lie on a histogram's border
to the last bit fall on either side of it, which alone moves some scores by up to 0.02."""
STREAMS: Final = {"cuda": (64, 1024, 4096), "cpu": (4, 16)}
BATCH: Final = {"cuda": 1024, "cpu": 64}
NUM_BATCHES: Final = {"cuda": 16, "cpu": 4}
CALLS: Final = ("LaunchKernel", "GraphLaunch", "Memcpy", "Synchronize", "Malloc", "HostAlloc")
SECONDS: Final = 3.0
Pace = Literal["live", "fast"]
Planes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class OnDevice:
    """What all measurements share; `pictures` [N, 3, H, W] uint8 are those of `jpegs`."""

    models: Path
    device: torch.device
    settings: InferenceSettings
    jpegs: Sequence[bytes]
    pictures: Planes


def measurements(models: Path, device: str, redis_url: str | None, counts: Sequence[int]) -> Iterator[tuple[str, Any]]:
    """Names and results, one after another; of those that are not asked for nothing is done."""
    chosen = choose_device(device)
    settings = InferenceSettings(device=str(chosen), models_dir=models)
    share_process(settings.num_torch_threads())
    jpegs = sample_pictures()
    size = load_model(models / DEFAULT_MODEL, CPU).manifest.input
    planes = planes_of(np.stack([decode_image(jpeg, size.height, size.width) for jpeg in jpegs]))
    bench = OnDevice(models, chosen, settings, jpegs, planes)
    yield "machine", _machine(chosen)
    with tempfile.TemporaryDirectory(prefix="afterimage-gpu-") as folder:
        yield from _scores(bench, Path(folder))
    catalog = Catalog(models, chosen, BATCH[chosen.type])
    runner = catalog.runner(DEFAULT_MODEL)
    paces: tuple[Pace, ...] = ("live", "fast")
    for pace in paces:
        for count in counts or STREAMS[chosen.type]:
            yield f"speed, {count} {pace} streams", _speed(bench, catalog, runner, redis_url, count, pace)
    yield from _profiled(bench, runner)


def _machine(device: torch.device) -> dict[str, Any]:
    on_gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if on_gpu else "the CPU: there is no CUDA device here, or none was wanted"
    return {"device": name, "torch": torch.__version__, "look_precision": str(look_precision(device))}


def _scores(bench: OnDevice, folder: Path) -> Iterator[tuple[str, Any]]:
    """Of each network, how far scores on the device lie from those in float32 on the CPU."""
    yield "scores, no look", _compared(bench, bench.models / DEFAULT_MODEL, has_look=False)
    for backbone in ("builtin", *(["lite0"] if find_spec(PACKAGE) else [])):
        torch.manual_seed(0)
        height, width = bench.pictures.shape[2:]
        network = build_network({**SENSES, "backbone": backbone}, 4, height, width)
        load_pretrained(network)
        spec = InputSpec(height=height, width=width)
        save_model(folder / backbone, network, labels=tuple("abcd"), fps=8, input_spec=spec, thresholds={})
        yield f"scores, {backbone}", _compared(bench, folder / backbone, has_look=True)


def _compared(bench: OnDevice, folder: Path, *, has_look: bool) -> dict[str, Any]:
    """8 streams with a frame each in 24 batches, then 8 frames each in 6: both ways through `steps`."""
    scores = []
    for device in (CPU, bench.device):
        runner = Runner(load_model(folder, device), device)
        rows = [runner.acquire(None) for _ in range(8)]
        shapes = [1] * 24 + [8] * 6
        starts = np.cumsum([0, *shapes])
        scores.append([_run(bench, runner, rows, start, count) for start, count in zip(starts, shapes, strict=False)])
    apart = np.abs(np.concatenate(scores[0]) - np.concatenate(scores[1]))
    allowed = ALLOWED[look_precision(bench.device) if has_look else torch.float32]
    return {
        "network": folder.name,
        "largest": float(apart.max()),
        "mean": float(apart.mean()),
        "over_0.001": float((apart > 0.001).mean()),
        "allowed": allowed,
        "within": bool(apart.max() <= allowed),
    }


def _run(bench: OnDevice, runner: Runner, rows: Sequence[int], start: int, num_frames: int) -> NDArray[np.float32]:
    """Scores of so many frames of each stream, which all play the same pictures, each from its own start."""
    pairs = [(stream, frame) for frame in range(start, start + num_frames) for stream in range(len(rows))]
    images = [bench.pictures[(7 * stream + frame) % len(bench.pictures)] for stream, frame in pairs]
    blocks = arrange([rows[stream] for stream, _ in pairs], [Elapsed(FRAME_MS / 1000)] * len(pairs))
    told = np.zeros((len(pairs), NUM_TOLD), np.float32)
    return runner.run(images, blocks, rows[:: max(1, len(rows) // 4)], told).scores


def _speed(
    bench: OnDevice, catalog: Catalog, runner: Runner, redis_url: str | None, num_streams: int, pace: Pace
) -> dict[str, Any]:
    kind = bench.device.type
    most = BATCH[kind] if pace == "fast" else max(1, BATCH[kind] // LIVE_SHARE)
    num_frames = max(2, NUM_BATCHES[kind] * BATCH[kind] // num_streams)
    if bench.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(bench.device)
    rows = [runner.acquire(None) for _ in range(min(num_streams, most))]
    times = _batch_seconds(bench, runner, rows, max(1, most // len(rows)))
    for each in rows:
        runner.release(each)
    frames_of_batch = len(rows) * max(1, most // len(rows))
    row: dict[str, Any] = {
        "streams": num_streams,
        "pace": pace,
        "batch": frames_of_batch,
        "model_fps": round(frames_of_batch / statistics.median(times)),
        "batch_p50_ms": round(1000 * statistics.median(times), 2),
        "batch_p99_ms": round(1000 * sorted(times)[int(0.99 * (len(times) - 1))], 2),
    }
    num_threads = bench.settings.num_decode_threads()
    with ThreadPoolExecutor(num_threads, "decode") as decoders:
        load = Load(bench.jpegs, num_streams, num_frames, most, pace)
        row["bare_fps"] = round(bare_fps(runner, decoders, num_threads, load))
        worker_fps = None
        if redis_url:
            whole = Load(bench.jpegs, num_streams, num_frames, BATCH[kind], pace)
            with connect(redis_url) as client:
                worker_fps = round(speed_of_worker(client, catalog, decoders, bench.settings, whole).fps)
    ratio = worker_fps and round(worker_fps / row["bare_fps"], 3)
    return row | {"worker_fps": worker_fps, "ratio": ratio, "memory_mib": _memory_mib(bench.device)}


def _batch_seconds(bench: OnDevice, runner: Runner, rows: Sequence[int], frames_each: int) -> list[float]:
    """Of each batch for some seconds, once it is warm."""
    times = list[float]()
    for index in range(3):
        _run(bench, runner, rows, index, frames_each)
    ends_at = time.perf_counter() + SECONDS
    while (began := time.perf_counter()) < ends_at or len(times) < 3:
        _run(bench, runner, rows, len(times), frames_each)
        times.append(time.perf_counter() - began)
    return times


def _memory_mib(device: torch.device) -> int:
    """The most that was taken: on a GPU of its memory by tensors, else by this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) >> 20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def _profiled(bench: OnDevice, runner: Runner) -> Iterator[tuple[str, Any]]:
    """Of a live batch, what the host asks of the driver, and its longest rows."""
    on_gpu = bench.device.type == "cuda"
    rows = [runner.acquire(None) for _ in range(64 if on_gpu else 4)]
    _batch_seconds(bench, runner, rows, 1)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    num_batches = 5
    with profile(activities=activities) as seen:
        for index in range(num_batches):
            _run(bench, runner, rows, index, 1)
    averages = seen.key_averages()
    calls = Counter({call: sum(each.count for each in averages if call in each.key) for call in CALLS})
    calls["operators"] = sum(each.count for each in averages if each.key.startswith("aten::"))
    yield "calls", [{"call": call, "a_batch": count / num_batches} for call, count in calls.items()]
    own = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    longest = sorted(averages, key=lambda each: -getattr(each, own))[:10]
    yield (
        "profile",
        [
            {
                "row": each.key[:60].replace("|", "/"),
                "count_a_batch": each.count / num_batches,
                "us_a_batch": round(getattr(each, own) / num_batches, 1),
            }
            for each in longest
        ],
    )
