"""`afterimage dataset`: look at labelled videos before anything is trained on them, or write some."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from afterimage.commands.from_feedback import from_feedback
from afterimage.commands.progress import progress

app = typer.Typer(no_args_is_help=True, help="Look at labelled videos before training on them, or write some.")
app.command()(from_feedback)

MAX_GROUPS_SHOWN = 40


@app.command()
def check(
    path: Annotated[
        Path,
        typer.Argument(
            help="Annotations: ActivityNet JSON, CVAT XML, CSV, THUMOS text, or a folder of videos as LABEL/VIDEO."
        ),
    ],
    videos: Annotated[
        Path | None, typer.Option(help="Folder of the videos. Default: where the annotations are.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object: problems and summary.")] = False,
) -> None:
    """List everything that is wrong with a data set, with file and line, and sum up what it holds.

    Exit code 0: nothing is wrong. 1: something is. 2: the annotations cannot be read at all.

    Example: `afterimage dataset check annotations.json --videos clips`.
    """
    from training.datasets.reading import read_dataset
    from training.datasets.summary import summary

    with progress("opening videos") as show:
        found = read_dataset(path, videos, on_progress=show)
    problems = [{"file": str(each.file), "line": each.line, "message": each.message} for each in found.problems]
    if as_json:
        typer.echo(json.dumps({"problems": problems, **summary(found)}))
    else:
        for problem in found.problems:
            typer.echo(str(problem))
        _print_summary(summary(found), len(problems))
    raise typer.Exit(1 if problems else 0)


@app.command()
def order(
    folder: Annotated[Path, typer.Argument(help="Folder to write the clips and annotations.json into.")],
    pairs: Annotated[int, typer.Option(min=2, max=5000, help="Pairs of clips to train on.")] = 96,
    seed: Annotated[int, typer.Option(min=0, help="The same seed writes the same pictures.")] = 0,
) -> None:
    """Write a data set that only memory can solve: clips beside their own reversal, labelled with the direction.

    Example: `afterimage dataset order data/order`, then
    `afterimage train --data data/order/annotations.json --out data/models/order --epochs 12` and
    `afterimage evaluate --model data/models/order --data data/order/annotations.json`.
    """
    from afterimage.preflight import check_writable
    from training.order import ANNOTATIONS_FILE, write_order_task

    check_writable(folder, "folder")
    num_validation = max(1, 2 * pairs // 3)
    with progress("writing clips") as show:
        for done in write_order_task(folder, num_training=pairs, num_validation=num_validation, seed=seed):
            show(done, pairs + num_validation)
    typer.echo(f"{folder / ANNOTATIONS_FILE}: {2 * (pairs + num_validation)} clips")


def _print_summary(found: Mapping[str, Any], num_problems: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    labels = Table("label", "intervals", "seconds", "mean seconds")
    for label, counted in found["labels"].items():
        numbers = (str(counted["count"]), f"{counted['seconds']:.1f}", f"{counted['mean_seconds']:.2f}")
        labels.add_row(label, *numbers)
    console.print(labels)
    for what in ("subsets", "groups"):
        counts = list(found[what].items())
        if not counts or (len(counts) == 1 and counts[0][0] == "-"):
            continue
        table = Table(what.removesuffix("s"), "videos")
        for name, count in counts[:MAX_GROUPS_SHOWN]:
            table.add_row(Text(name), str(count))
        if len(counts) > MAX_GROUPS_SHOWN:
            table.add_row(f"and {len(counts) - MAX_GROUPS_SHOWN} more", "")
        console.print(table)
    console.print(f"{found['videos']} videos, {found['seconds']:.0f} s; problems: {num_problems}")
