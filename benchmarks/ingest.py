"""What does a source frame cost? CPU seconds per 1,000 source frames at 25 fps sampled at 8, JPEG included.

reader: our reader process and its parent's share: demux → decode → scale → JPEG → pipe.
auto:   the same with `skip="auto"`, which streams have by default: pictures that nothing needs stay coded.
floor:  libavcodec alone, as PyAV brings it: demux → decode, nothing else.
ffmpeg: the `ffmpeg` command: demux → decode → fps filter → scale → null. Left out where there is no such command.
opencv: VideoCapture read → resize → imencode of the sampled frames.
One decoding thread each. What is counted is CPU time (user and system, of all processes below this one), so that other
work on the machine disturbs little; the sides run in turn, and every ratio is the median of the rounds' own ratios.
"""

import os
import shutil
import statistics
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import av
import cv2

from benchmarks.films import FPS, BenchFilm, render
from services.ingest.readers.reader import ReadJob
from services.ingest.readers.reading import reading
from services.ingest.sources.decoding.transport import encode_jpeg, transport_size
from services.ingest.sources.options import ReadOptions, Skip
from shared.sources import Source

GRID_FPS: Final = 8
FILMS: Final = tuple(
    BenchFilm(f"{size[1]}p{suffix}", *size, rate, b_frames)
    for size, rate in (((1920, 1080), 4_000_000), ((1280, 720), 2_000_000))
    for suffix, b_frames in ((" B-frames", 3), ("", 0))
)
TICKS: Final = os.sysconf("SC_CLK_TCK")
OURS: Final = ("reader", "auto")
DEFAULT: Final = "auto"
GOALS: Final = {"ffmpeg": 1.2, "opencv": 0.5}
"""What a stream's default may cost at most, in units of theirs."""


@dataclass(frozen=True, slots=True)
class ReaderRow:
    """One film: medians, in CPU seconds per 1,000 source frames, and how ours compare."""

    film: str
    mbit_per_second: float
    seconds: dict[str, float]
    """by side"""
    ratios: dict[str, float]
    """`ours/theirs`: what each of ours costs in units of each other side"""
    streams_per_core: float
    """how many such cameras one core's worth of CPU time reads, with a stream's default"""


def run_bench(
    *, num_frames: int = 500, repetitions: int = 5, on_progress: Callable[[int, int], None] = lambda _done, _total: None
) -> list[ReaderRow]:
    """The table's rows; `on_progress` is told how many of how many runs are done. Needs Linux (/proc)."""
    total, num_done = len(FILMS) * (1 + (repetitions + 1) * len(sides())), 0

    def done() -> None:
        nonlocal num_done
        num_done += 1
        on_progress(num_done, total)

    rows = []
    with tempfile.TemporaryDirectory(prefix="afterimage-films-") as folder:
        for film in FILMS:
            path = Path(folder) / f"{film.height}-{film.b_frames}.mp4"
            render(film, path, num_frames)
            done()
            rows.append(_measured(film, path, num_frames, repetitions, done))
    return rows


def _measured(film: BenchFilm, path: Path, num_frames: int, repetitions: int, done: Callable[[], None]) -> ReaderRow:
    rounds: list[dict[str, float]] = []
    for repetition in range(repetitions + 1):
        cost = {}
        for name, run in sides().items():
            began = cpu_seconds()
            run(path)
            cost[name] = max(1 / TICKS, cpu_seconds() - began) * 1000 / num_frames  # less than a tick cannot be told
            done()
        if repetition:  # the first round warms up
            rounds.append(cost)
    seconds = {name: statistics.median(cost[name] for cost in rounds) for name in rounds[0]}
    ratios = {
        f"{ours}/{name}": statistics.median(cost[ours] / cost[name] for cost in rounds)
        for ours in OURS
        for name in seconds
        if name not in OURS
    }
    return ReaderRow(
        film.name,
        round(path.stat().st_size * 8 * FPS / num_frames / 1e6, 2),
        {name: round(value, 3) for name, value in seconds.items()},
        {name: round(value, 3) for name, value in ratios.items()},
        round(1000 / FPS / seconds[DEFAULT], 1),
    )


def missed_goals(rows: Sequence[ReaderRow]) -> list[str]:
    """What is dearer than it may be, in words."""
    compared = [(row, name, row.ratios[f"{DEFAULT}/{name}"]) for row in rows for name in GOALS if name in row.seconds]
    return [
        f"{row.film}: {ratio:.2f} of {name}, the goal is {GOALS[name]:g}"
        for row, name, ratio in compared
        if ratio > GOALS[name]
    ]


def as_json(rows: Sequence[ReaderRow]) -> dict[str, Any]:
    """The rows as the `--json` line has them."""
    return {"rows": [asdict(row) for row in rows], "missed": missed_goals(rows)}


def sides() -> dict[str, Callable[[Path], None]]:
    """What is compared, by name."""
    return {
        "reader": lambda path: _read(path, "none"),
        "auto": lambda path: _read(path, "auto"),
        "floor": _decode,
        **({"ffmpeg": _ffmpeg} if shutil.which("ffmpeg") else {}),
        "opencv": _opencv,
    }


def cpu_seconds() -> float:
    """CPU time of this process and of all that it has started, the dead ones that were waited for included."""
    own = os.times()
    return sum(own[:4]) + sum(map(_ticks, _below(os.getpid()))) / TICKS


def _below(pid: int) -> list[int]:
    """Ids of the live processes below one."""
    found = []
    for children in Path("/proc", str(pid), "task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, children.read_text().split()):
                found += [child, *_below(child)]
    return found


def _ticks(pid: int) -> int:
    """User and system time of a process and of its dead children."""
    with suppress(OSError):
        fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15]))
    return 0


def _read(path: Path, skip: Skip) -> None:
    job = ReadJob(Source(str(path)), GRID_FPS, options=ReadOptions(skip=skip, measures=True))
    with reading(job, threading.Event()) as source:
        for _ in source.pictures():
            pass


def _decode(path: Path) -> None:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_type, stream.codec_context.thread_count = "NONE", 1
        for packet in container.demux(stream):
            packet.decode()


def _ffmpeg(path: Path) -> None:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        width, height = transport_size(stream.width, stream.height)
    one = ["-threads", "1"]
    filters = f"fps={GRID_FPS},scale={width}:{height}:flags=area"
    command = ["ffmpeg", "-nostdin", "-v", "error", "-filter_threads", "1", *one, "-i", str(path), "-an"]
    subprocess.run([*command, "-vf", filters, *one, "-f", "null", "-"], check=True)


def _opencv(path: Path) -> None:
    cv2.setNumThreads(1)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    next_point = index = 0
    while True:
        there, picture = capture.read()
        if not there:
            break
        if index * GRID_FPS >= next_point * FPS:
            height, width = picture.shape[:2]
            encode_jpeg(cv2.resize(picture, transport_size(width, height), interpolation=cv2.INTER_AREA))  # type: ignore[arg-type]
            next_point += 1
        index += 1
    capture.release()
