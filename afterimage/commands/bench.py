"""`afterimage bench`: what the worker costs beside the bare loop, what the promise costs, and what a source costs."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afterimage.commands.options import DEFAULT_MODELS, Device, Models

if TYPE_CHECKING:
    import redis

MAX_STREAMS = 4096


def bench(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line.")] = False,
    promise: Annotated[
        bool, typer.Option("--promise", help="Measure live streams instead, beside a worker that writes scores alone.")
    ] = False,
    ingest: Annotated[
        bool,
        typer.Option("--ingest", help="Measure the CPU that reading a source takes instead, beside ffmpeg and OpenCV."),
    ] = False,
    streams: Annotated[str, typer.Option(help="Numbers of streams to measure, with commas.")] = "1,16,64",
    frames: Annotated[int, typer.Option(min=64, max=1_000_000, help="Frames of one run, over all streams.")] = 8192,
    repetitions: Annotated[int, typer.Option(min=1, max=100, help="The median of so many is shown.")] = 5,
    device: Device = "auto",
    models: Models = DEFAULT_MODELS,
) -> None:
    """Measure frames per second through the whole worker beside the bare loop: same frames, model, batches, threads.

    Example: `afterimage bench --streams 1,16 --repetitions 3`. With `--promise`: what it costs live streams, whose
    frames are a commit each, that none is lost or counted twice, and the bytes a frame that memories of several sizes
    send to Redis. With `--ingest`: CPU seconds per
    1,000 source frames, on films that it renders.
    """
    from rich.console import Console
    from rich.progress import Progress

    from afterimage.local_redis import running_redis

    if promise and ingest:
        raise typer.BadParameter("--promise and --ingest: give one of them")
    counts = _counts(streams)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("measuring", total=None)

        def on_progress(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        run: dict[str, Any] = {"repetitions": repetitions, "on_progress": on_progress}
        if ingest:
            measured, shown = _ingest(run)
        else:
            run |= {"num_streams": counts, "num_frames": frames, "device": device, "models_dir": models}
            with (
                tempfile.TemporaryDirectory(prefix="afterimage-bench-") as folder,
                running_redis(Path(folder)) as client,
            ):
                measured, shown = _promise(client, run) if promise else _worker(client, run)
    if as_json:
        typer.echo(json.dumps(measured))
    else:
        Console().print(*shown, sep="\n")


def _worker(client: "redis.Redis", run: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """What the worker reaches: as JSON, and for people."""
    from afterimage.show import bench_table
    from benchmarks.worker import as_json, cost_growth, run_bench

    rows = run_bench(client, **run)
    growth, most = cost_growth(rows), max(run["num_streams"])
    words = [] if growth is None else [f"a frame at {most} streams costs {growth:.2f} of one at 16"]
    return as_json(rows), [bench_table(as_json(rows)["rows"]), *words]


def _promise(client: "redis.Redis", run: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """What the promise costs: as JSON, and for people."""
    from afterimage.show import figures_table
    from benchmarks.promise import as_json, run_bench

    measured = as_json(*run_bench(client, **run))
    titles = {"cost": "what the promise costs live streams", "growth": "what a memory's size costs"}
    return measured, [figures_table(title, measured[name]) for name, title in titles.items()]


def _ingest(run: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """What reading a source costs: as JSON, and for people."""
    from afterimage.show import ingest_table
    from benchmarks.ingest import as_json, run_bench

    measured = as_json(run_bench(**run))
    left_out = [] if "ffmpeg" in measured["rows"][0]["seconds"] else ["ffmpeg: no such command here, left out"]
    return measured, [ingest_table(measured["rows"]), *left_out, *measured["missed"]]


def _counts(text: str) -> list[int]:
    """The numbers of streams in a text like `1,16,64`."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and 1 <= int(word) <= MAX_STREAMS for word in words):
        raise typer.BadParameter(f"--streams is {text!r}; allowed are numbers from 1 to {MAX_STREAMS}, with commas")
    return [int(word) for word in words]
