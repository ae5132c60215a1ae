"""Is it worth installing? The whole system beside what a user writes first, on the same files.

script: a process a core; each goes round its cameras: `cv2.VideoCapture`, resize, the same model on one frame. What
        sampling leaves out is only grabbed. Of torch's thread settings it gets the one that it is quickest with.
system: `afterimage analyze` on the folder: ingest, Redis, inference and api, every frame and event committed.
Both run in turn, the ratio is the median of pairs. The script's clock starts once every process has loaded the model
and scored a frame, the system's with the first registration.
"""

import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch

from benchmarks.films import BenchFilm, render
from benchmarks.runs import Progressed, Runs, unwatched
from services.inference.models.images import planes_of
from services.inference.network.weights import load_model
from shared.streams import DEFAULT_MODEL

FILM: Final = BenchFilm("768x432", 768, 432, 1_000_000, 0)
FPS: Final = 8.0
NUM_CAMERAS: Final = 16


@dataclass(frozen=True, slots=True)
class PerCameraRow:
    """Medians over the repetitions, in sampled frames per second over all cameras."""

    cameras: int
    script_fps: float
    script_threads: int
    """of torch, in each of the script's processes: what it is quickest with"""
    system_fps: float
    ratio: float


def run_bench(
    folder: Path,
    runs: Runs,
    *,
    num_cameras: int = NUM_CAMERAS,
    seconds: float = 60.0,
    on_progress: Progressed = unwatched,
) -> PerCameraRow:
    """Renders `num_cameras` films of so many seconds into the folder and lets both sides loose on them."""
    films = _films(folder, num_cameras, seconds)
    cores = len(os.sched_getaffinity(0))
    settings = sorted({1, cores})
    total, done = len(settings) + 2 * runs.repetitions, 0

    def noted(fps: float) -> float:
        nonlocal done
        done += 1
        on_progress(done, total)
        return fps

    model = runs.models_dir / DEFAULT_MODEL
    tried = {threads: noted(script_fps(films, model, cores, threads)) for threads in settings}
    threads = max(tried, key=lambda each: tried[each])
    pairs = [
        (noted(script_fps(films, model, cores, threads)), noted(system_fps(folder, runs.models_dir)))
        for _ in range(runs.repetitions)
    ]
    script, system = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(ours / theirs for theirs, ours in pairs)
    return PerCameraRow(num_cameras, round(script, 1), threads, round(system, 1), round(ratio, 3))


def as_json(row: PerCameraRow) -> dict[str, Any]:
    """The row as the `--json` line has it."""
    return {"rows": [asdict(row)]}


def _films(folder: Path, count: int, seconds: float) -> list[Path]:
    first = folder / "camera-00.mp4"
    render(FILM, first, round(25 * seconds))
    films = [folder / f"camera-{index:02}.mp4" for index in range(count)]
    for film in films[1:]:
        film.hardlink_to(first)
    return films


def system_fps(folder: Path, models_dir: Path) -> float:
    """Frames per second of `afterimage analyze` on the folder."""
    command = [sys.executable, "-m", "afterimage", "analyze", str(folder), "--json", "--models", str(models_dir)]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    [summary] = [each for each in map(json.loads, lines) if each["type"] == "summary"]
    fps: float = summary["frames_per_second"]
    return fps


def script_fps(films: Sequence[Path], model: Path, num_processes: int, num_threads: int) -> float:
    """Frames per second of so many processes that share the films."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(num_processes + 1)
    shares = [films[first::num_processes] for first in range(num_processes)]
    with context.Pool(num_processes, initializer=_begin, initargs=(ready,)) as pool:
        counts = pool.starmap_async(_watch, [(share, model, num_threads) for share in shares], chunksize=1)
        ready.wait()
        started = time.perf_counter()
        num_frames = sum(counts.get())
        return num_frames / (time.perf_counter() - started)


_ready: Barrier


def _begin(ready: Barrier) -> None:
    global _ready  # noqa: PLW0603  (what a pool's initialiser is for)
    _ready = ready


@torch.inference_mode()
def _watch(films: Sequence[Path], model: Path, num_threads: int) -> int:
    """One process of the script: round its cameras until all have ended; returns how many frames it scored."""
    torch.set_num_threads(num_threads)
    cpu = torch.device("cpu")
    loaded = load_model(model, cpu)
    network, size = loaded.network.eval(), loaded.manifest.input
    states = [torch.zeros(1, network.state_size) for _ in films]
    elapsed = torch.tensor([1 / FPS])

    def score(picture: np.ndarray[Any, Any], state: torch.Tensor) -> torch.Tensor:
        rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        small = cv2.resize(rgb, (size.width, size.height), interpolation=cv2.INTER_AREA)
        features = network.encode(torch.from_numpy(planes_of(np.asarray(small[None], np.uint8))))
        logits, after = network.step(features, elapsed, state)
        logits.sigmoid().tolist()
        return after

    score(np.zeros((FILM.height, FILM.width, 3), np.uint8), states[0])
    _ready.wait()
    playing = [(index, _sampled(film)) for index, film in enumerate(films)]
    num_frames = 0
    while playing:
        for camera in list(playing):
            index, pictures = camera
            if (picture := next(pictures, None)) is None:
                playing.remove(camera)
                continue
            states[index] = score(picture, states[index])
            num_frames += 1
    return num_frames


def _sampled(film: Path) -> Iterator[np.ndarray[Any, Any]]:
    capture = cv2.VideoCapture(str(film))
    rate, due = capture.get(cv2.CAP_PROP_FPS), 0.0
    at = 0.0
    while capture.grab():
        if at >= due - 1e-6:
            _, picture = capture.retrieve()
            yield picture
            due += 1 / FPS
        at += 1 / rate
    capture.release()
