"""`afterimage bench`: what the worker costs beside the bare loop, what the promise and a source cost, how late scores
are, and what a user gains over a script."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afterimage.commands.options import DEFAULT_MODELS, Device, Models

if TYPE_CHECKING:
    import redis

    from benchmarks.runs import Progressed, Runs

MAX_STREAMS = 4096
Measured = tuple[dict[str, Any], list[Any]]
"""As JSON, and for people."""

Promise = Annotated[
    bool, typer.Option("--promise", help="Measure live streams instead, beside a worker that writes scores alone.")
]
Ingest = Annotated[
    bool,
    typer.Option("--ingest", help="Measure the CPU that reading a source takes instead, beside ffmpeg and OpenCV."),
]
Script = Annotated[
    bool,
    typer.Option("--script", help="Measure the whole system on 16 files instead, beside a loop for each of them."),
]
Latency = Annotated[
    bool,
    typer.Option("--latency", help="Measure instead how late scores of 16 live cameras are, the cores 80 % busy."),
]
Before = Annotated[
    Path | None,
    typer.Option(help="Another checkout of this project, measured in turn with this.", exists=True, file_okay=False),
]


def bench(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line.")] = False,
    promise: Promise = False,
    ingest: Ingest = False,
    script: Script = False,
    latency: Latency = False,
    streams: Annotated[str, typer.Option(help="Numbers of streams to measure, with commas.")] = "1,16,64",
    frames: Annotated[int, typer.Option(min=2048, max=1_000_000, help="Frames of one run, over all streams.")] = 8192,
    repetitions: Annotated[int, typer.Option(min=1, max=100, help="The median of so many is shown.")] = 5,
    before: Before = None,
    device: Device = "auto",
    models: Models = DEFAULT_MODELS,
) -> None:
    """Measure frames per second through the whole worker beside the bare loop: same frames, model, batches, threads.

    Example: `afterimage bench --streams 1,16 --repetitions 3`. With `--before CHECKOUT`: beside another commit's. With
    `--promise`: what it costs live streams, whose frames are a commit each, that none is lost or counted twice, and the
    bytes a frame that memories of several sizes send to Redis. With `--ingest`: CPU seconds per 1,000 source frames.
    With `--script`: frames per second of `afterimage analyze` beside the script that a user writes first. With
    `--latency`: from picture to commit, live. The last three on films that are rendered for it.
    """
    from rich.console import Console

    from benchmarks.runs import Runs

    others = {_promise: promise, _ingest: ingest, _script: script, _latency: latency}
    chosen = [measure for measure, is_wanted in others.items() if is_wanted]
    if len(chosen) + (before is not None) > 1:
        raise typer.BadParameter("--promise, --ingest, --script, --latency and --before: give one of them")
    runs = Runs(_counts(streams), frames, repetitions, models.resolve(), device, before.resolve() if before else None)
    with _progress() as on_progress:
        measured, shown = (chosen or [_worker])[0](runs, on_progress)
    if as_json:
        typer.echo(json.dumps(measured))
    else:
        Console().print(*shown, sep="\n")


@contextmanager
def _progress() -> Iterator["Progressed"]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("measuring", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def _redis() -> Iterator["redis.Redis"]:
    from afterimage.local_redis import running_redis

    with tempfile.TemporaryDirectory(prefix="afterimage-bench-") as folder, running_redis(Path(folder)) as client:
        yield client


def _worker(runs: "Runs", on_progress: "Progressed") -> Measured:
    """What the worker reaches."""
    from afterimage.show import bench_table
    from benchmarks.worker import as_json, cost_growth, run_bench

    with _redis() as client:
        rows = run_bench(client, runs, on_progress=on_progress)
    growth, most = cost_growth(rows), max(runs.num_streams)
    words = [] if growth is None else [f"a frame at {most} streams costs {growth:.2f} of one at 16"]
    return as_json(rows), [bench_table(as_json(rows)["rows"]), *words]


def _promise(runs: "Runs", on_progress: "Progressed") -> Measured:
    """What the promise costs."""
    from afterimage.show import figures_table
    from benchmarks.promise import as_json, run_bench

    with _redis() as client:
        measured = as_json(*run_bench(client, runs, on_progress=on_progress))
    titles = {"cost": "what the promise costs live streams", "growth": "what a memory's size costs"}
    return measured, [figures_table(title, measured[name]) for name, title in titles.items()]


def _ingest(runs: "Runs", on_progress: "Progressed") -> Measured:
    """What reading a source costs."""
    from afterimage.show import ingest_table
    from benchmarks.ingest import as_json, run_bench

    measured = as_json(run_bench(repetitions=runs.repetitions, on_progress=on_progress))
    left_out = [] if "ffmpeg" in measured["rows"][0]["seconds"] else ["ffmpeg: no such command here, left out"]
    return measured, [ingest_table(measured["rows"]), *left_out, *measured["missed"]]


def _script(runs: "Runs", on_progress: "Progressed") -> Measured:
    """What the whole system reaches beside a script."""
    from afterimage.show import figures_table
    from benchmarks.per_camera import as_json, run_bench

    with tempfile.TemporaryDirectory(prefix="afterimage-bench-") as folder:
        measured = as_json(run_bench(Path(folder), runs, on_progress=on_progress))
    return measured, [figures_table("frames per second on files", measured["rows"])]


def _latency(runs: "Runs", on_progress: "Progressed") -> Measured:
    """How late scores are."""
    from afterimage.show import figures_table
    from benchmarks.latency import as_json, run_bench

    with tempfile.TemporaryDirectory(prefix="afterimage-bench-") as folder:
        row = run_bench(Path(folder), runs.models_dir, on_progress=on_progress)
    measured = as_json(row)
    figures = [{name: value for name, value in measured["rows"][0].items() if name != "stages_ms"}]
    words = [f"{stage}: {p50:g} ms, p99 {p99:g}" for stage, (p50, p99) in row.stages_ms.items()]
    return measured, [figures_table("from picture to commit", figures), *words]


def _counts(text: str) -> list[int]:
    """The numbers of streams in a text like `1,16,64`."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and 1 <= int(word) <= MAX_STREAMS for word in words):
        raise typer.BadParameter(f"--streams is {text!r}; allowed are numbers from 1 to {MAX_STREAMS}, with commas")
    return [int(word) for word in words]
