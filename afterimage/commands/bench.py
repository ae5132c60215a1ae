"""`afterimage bench`: what the worker costs beside the bare loop, what the promise and a source cost, and what a user
gains over a script."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afterimage.commands.options import DEFAULT_MODELS, Device, Models

if TYPE_CHECKING:
    import redis

    from benchmarks.runs import Runs

MAX_STREAMS = 4096
Progressed = Callable[[int, int], None]


def bench(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line.")] = False,
    promise: Annotated[
        bool, typer.Option("--promise", help="Measure live streams instead, beside a worker that writes scores alone.")
    ] = False,
    ingest: Annotated[
        bool,
        typer.Option("--ingest", help="Measure the CPU that reading a source takes instead, beside ffmpeg and OpenCV."),
    ] = False,
    script: Annotated[
        bool,
        typer.Option("--script", help="Measure the whole system on 16 files instead, beside a loop for each of them."),
    ] = False,
    latency: Annotated[
        bool,
        typer.Option("--latency", help="Measure how late scores of 16 live cameras are with the cores 80 % busy."),
    ] = False,
    streams: Annotated[str, typer.Option(help="Numbers of streams to measure, with commas.")] = "1,16,64",
    frames: Annotated[int, typer.Option(min=64, max=1_000_000, help="Frames of one run, over all streams.")] = 8192,
    repetitions: Annotated[int, typer.Option(min=1, max=100, help="The median of so many is shown.")] = 5,
    before: Annotated[
        Path | None,
        typer.Option(help="Another checkout of this project: measured, too, in turn.", exists=True, file_okay=False),
    ] = None,
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
    from rich.progress import Progress

    from afterimage.local_redis import running_redis
    from benchmarks.runs import Runs

    if promise + ingest + script + latency + (before is not None) > 1:
        raise typer.BadParameter("--promise, --ingest, --script, --latency and --before: give one of them")
    counts = _counts(streams)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("measuring", total=None)

        def on_progress(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        if ingest:
            measured, shown = _ingest(repetitions, on_progress)
        elif script:
            measured, shown = _script(models, repetitions, on_progress)
        elif latency:
            measured, shown = _latency(models, on_progress)
        else:
            runs = Runs(counts, frames, repetitions, models, device)
            with (
                tempfile.TemporaryDirectory(prefix="afterimage-bench-") as folder,
                running_redis(Path(folder)) as client,
            ):
                if promise:
                    measured, shown = _promise(client, runs, on_progress)
                else:
                    measured, shown = _worker(client, runs, before, on_progress)
    if as_json:
        typer.echo(json.dumps(measured))
    else:
        Console().print(*shown, sep="\n")


def _worker(
    client: "redis.Redis", runs: "Runs", before: Path | None, on_progress: Progressed
) -> tuple[dict[str, Any], list[Any]]:
    """What the worker reaches: as JSON, and for people."""
    from afterimage.show import bench_table
    from benchmarks.worker import as_json, cost_growth, run_bench

    rows = run_bench(client, runs, before=before.resolve() if before else None, on_progress=on_progress)
    growth, most = cost_growth(rows), max(runs.num_streams)
    words = [] if growth is None else [f"a frame at {most} streams costs {growth:.2f} of one at 16"]
    return as_json(rows), [bench_table(as_json(rows)["rows"]), *words]


def _promise(client: "redis.Redis", runs: "Runs", on_progress: Progressed) -> tuple[dict[str, Any], list[Any]]:
    """What the promise costs: as JSON, and for people."""
    from afterimage.show import figures_table
    from benchmarks.promise import as_json, run_bench

    measured = as_json(*run_bench(client, runs, on_progress=on_progress))
    titles = {"cost": "what the promise costs live streams", "growth": "what a memory's size costs"}
    return measured, [figures_table(title, measured[name]) for name, title in titles.items()]


def _ingest(repetitions: int, on_progress: Progressed) -> tuple[dict[str, Any], list[Any]]:
    """What reading a source costs: as JSON, and for people."""
    from afterimage.show import ingest_table
    from benchmarks.ingest import as_json, run_bench

    measured = as_json(run_bench(repetitions=repetitions, on_progress=on_progress))
    left_out = [] if "ffmpeg" in measured["rows"][0]["seconds"] else ["ffmpeg: no such command here, left out"]
    return measured, [ingest_table(measured["rows"]), *left_out, *measured["missed"]]


def _script(models: Path, repetitions: int, on_progress: Progressed) -> tuple[dict[str, Any], list[Any]]:
    """What the whole system reaches beside a script: as JSON, and for people."""
    from afterimage.show import figures_table
    from benchmarks.per_camera import as_json, run_bench

    with tempfile.TemporaryDirectory(prefix="afterimage-bench-") as folder:
        row = run_bench(Path(folder), models_dir=models.resolve(), repetitions=repetitions, on_progress=on_progress)
    measured = as_json(row)
    return measured, [figures_table("frames per second on files", measured["rows"])]


def _latency(models: Path, on_progress: Progressed) -> tuple[dict[str, Any], list[Any]]:
    """How late scores are: as JSON, and for people."""
    from afterimage.show import figures_table
    from benchmarks.latency import as_json, run_bench

    with tempfile.TemporaryDirectory(prefix="afterimage-bench-") as folder:
        row = run_bench(Path(folder), models_dir=models.resolve(), on_progress=on_progress)
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
