"""`afterimage bench`: what the worker costs beside the bare loop."""

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from afterimage.commands.options import DEFAULT_MODELS, Device, Models

MAX_STREAMS = 4096


def bench(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line.")] = False,
    streams: Annotated[str, typer.Option(help="Numbers of streams to measure, with commas.")] = "1,16,64",
    frames: Annotated[int, typer.Option(min=64, max=1_000_000, help="Frames of one run, over all streams.")] = 8192,
    repetitions: Annotated[int, typer.Option(min=1, max=100, help="The median of so many is shown.")] = 5,
    device: Device = "auto",
    models: Models = DEFAULT_MODELS,
) -> None:
    """Measure frames per second through the whole worker beside the bare loop: same frames, model, batches, threads.

    Example: `afterimage bench --streams 1,16 --repetitions 3`.
    """
    from rich.console import Console
    from rich.progress import Progress

    from afterimage.local_redis import running_redis
    from afterimage.show import bench_table
    from benchmarks.worker import as_json as measured
    from benchmarks.worker import cost_growth, run_bench

    counts = _counts(streams)
    console = Console()
    with (
        tempfile.TemporaryDirectory(prefix="afterimage-bench-") as folder,
        running_redis(Path(folder)) as client,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        task = progress.add_task("measuring", total=None)
        rows = run_bench(
            client,
            num_streams=counts,
            num_frames=frames,
            repetitions=repetitions,
            device=device,
            models_dir=models,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if as_json:
        typer.echo(json.dumps(measured(rows)))
        return
    console.print(bench_table(measured(rows)["rows"]))
    growth = cost_growth(rows)
    if growth is not None:
        console.print(f"a frame at {max(counts)} streams costs {growth:.2f} of one at 16")


def _counts(text: str) -> list[int]:
    """The numbers of streams in a text like `1,16,64`."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and 1 <= int(word) <= MAX_STREAMS for word in words):
        raise typer.BadParameter(f"--streams is {text!r}; allowed are numbers from 1 to {MAX_STREAMS}, with commas")
    return [int(word) for word in words]
