"""`afterimage evaluate`: how good a model is, and what its memory is for."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afterimage.commands.datasets import chosen_subset, read_and_tell
from afterimage.commands.options import DEFAULT_MODELS, Device, Models

if TYPE_CHECKING:
    from training.datasets.dataset import Dataset
    from training.evaluation import Evaluation
    from training.false_events import FootageReport


Model = Annotated[
    str | None, typer.Option(help="Name of a model in the models folder, or its own folder. Default: camera-events.")
]
Data = Annotated[Path | None, typer.Option(help="Annotations of labelled videos. Default: rendered clips.")]
Videos = Annotated[Path | None, typer.Option(help="Folder of the videos. Default: the annotations' own.")]
Subset = Annotated[str | None, typer.Option(help="Only videos of this subset, such as validation. Default: all.")]
Tolerance = Annotated[float, typer.Option(min=0, max=60, help="Seconds by which an event may start early or late.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON line on standard output, nothing else.")]
Report = Annotated[Path | None, typer.Option(help="Folder to write report.md, metrics.json and pictures into.")]
Clips = Annotated[int, typer.Option(min=1, help="Without --data: rendered clips to measure on.")]
Seed = Annotated[int, typer.Option(min=0, help="Another seed renders other clips and shuffles otherwise.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes that render clips.")]
Backdrops = Annotated[
    list[Path] | None,
    typer.Option(help="Without --data: a real video or folder to show incidents in; may be given again."),
]
Footage = Annotated[
    list[Path] | None, typer.Option(help="A video without labels to count events in, too; may be given again.")
]


def evaluate(
    model: Model = None,
    data: Data = None,
    videos: Videos = None,
    subset: Subset = None,
    tolerance: Tolerance = 1.0,
    as_json: AsJson = False,
    report: Report = None,
    device: Device = "auto",
    models: Models = DEFAULT_MODELS,
    clips: Clips = 100,
    seed: Seed = 0,
    workers: Workers = 1,
    backdrops: Backdrops = None,
    footage: Footage = None,
) -> None:
    """Measure a model on the runner and tracker that serve: frames and events, with memory and without.

    Example: `afterimage evaluate --model my-events --data annotations.json --videos clips/ --subset validation`.
    Without `--data` it is measured on rendered clips that no training saw.
    """
    from shared.streams import DEFAULT_MODEL
    from training.evaluate import evaluate_on_dataset, evaluate_on_footage, evaluate_on_scenes, held_out_specs

    folder = _model_folder(model or DEFAULT_MODEL, models)
    if data:
        dataset, name = _dataset(data, videos, subset)
        found = evaluate_on_dataset(folder, dataset, device=device, tolerance_seconds=tolerance, seed=seed, data=name)
    else:
        specs = held_out_specs(folder, clips, seed=seed, backdrops=backdrops or ())
        found = evaluate_on_scenes(
            folder, specs, device=device, tolerance_seconds=tolerance, seed=seed, num_workers=workers
        )
    _tell(found, evaluate_on_footage(folder, footage, device=device) if footage else None, as_json=as_json)
    if report:
        from training.report import write_report

        sys.stderr.write(f"report: {write_report(found, report)}\n")


def _model_folder(model: str, models: Path) -> Path:
    """The folder that a name in the models folder, or a path, stands for."""
    from shared.manifest import MANIFEST_FILE

    named, path = models / model, Path(model)
    if not (named / MANIFEST_FILE).is_file() and (path / MANIFEST_FILE).is_file():
        return path.resolve()
    from afterimage.preflight import check_model

    check_model(named)
    return named


def _dataset(annotations: Path, videos: Path | None, subset: str | None) -> tuple["Dataset", str]:
    """The videos to measure on and what they are in words."""
    dataset = chosen_subset(read_and_tell(annotations, videos), subset)
    return dataset, annotations.name if subset is None else f"{annotations.name}, subset {subset}"


def _tell(found: "Evaluation", counted: "FootageReport | None", *, as_json: bool) -> None:
    if as_json:
        line: dict[str, Any] = found.as_json()
        if counted:
            line["footage"] = counted.as_json()
        typer.echo(json.dumps(line))
        return
    from rich.console import Console

    from training.tables import evaluation_tables, footage_table

    console = Console()
    console.print(evaluation_tables(found))
    if counted:
        console.print(footage_table(counted))
