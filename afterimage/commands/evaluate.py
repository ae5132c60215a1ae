"""`afterimage evaluate`: how good a model is, and what its memory is for."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afterimage.commands.datasets import read_subset
from afterimage.commands.options import DEFAULT_MODELS, Device, Models
from shared.errors import SettingsInvalid

if TYPE_CHECKING:
    from training.bench.running import BenchResult
    from training.evaluation import Evaluation


class Part(StrEnum):
    """Which of the footage that is given may be used."""

    EVALUATION = "evaluation"
    ALL = "all"


Model = Annotated[
    str | None, typer.Option(help="Name of a model in the models folder, or its own folder. Default: camera-events.")
]
Data = Annotated[
    Path | None,
    typer.Option(
        help="Annotations of labelled videos; in red it says where the model has learned from them, or where the "
        "files' size, resolution, rate and duration alone score within 0.1 of it, and 0.1 more than guessing. "
        "Default: rendered clips."
    ),
]
Videos = Annotated[Path | None, typer.Option(help="Folder of the videos. Default: the annotations' own.")]
Subset = Annotated[
    str | None,
    typer.Option(help="Only videos of this subset, or all. Default: validation, else testing, where there is one."),
]
Tolerance = Annotated[float, typer.Option(min=0, max=60, help="Seconds by which an event may start early or late.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON line on standard output, nothing else.")]
Report = Annotated[Path | None, typer.Option(help="Folder to write report.md, metrics.json and pictures into.")]
Clips = Annotated[
    int | None,
    typer.Option(min=1, help="Clips to measure on. Default: 100 rendered ones; with --incidents every manner twice."),
]
Seed = Annotated[int, typer.Option(min=0, help="Another seed makes other clips and shuffles otherwise.")]
Workers = Annotated[int, typer.Option(min=0, help="Processes that render clips.")]
Backdrops = Annotated[
    list[Path] | None,
    typer.Option(
        help="Without --data: a real video or folder to show incidents in; may be given again. Taken is what is new to "
        "the model (--split).",
    ),
]
Incidents = Annotated[
    bool, typer.Option("--incidents", help="Measure on incidents that ffmpeg stages on the --backdrops.")
]
UntouchedFootage = Annotated[
    list[Path] | None,
    typer.Option(
        "--untouched", help="A real video or folder in which nothing happens to a camera; may be given again."
    ),
]
Held = Annotated[
    Part,
    typer.Option(
        "--split",
        help="With --incidents or --untouched: only footage that the model has neither learned from nor was tuned by, "
        "or all of it, and in red how much it knows.",
    ),
]
Keep = Annotated[Path | None, typer.Option(help="With --incidents: folder in which the clips stay.")]
RENDERED = "rendered clips"
GOES_WITH = {
    "videos": ("--data",),
    "subset": ("--data",),
    "tolerance": ("--data", RENDERED),
    "clips": ("--incidents", RENDERED),
    "seed": ("--data", "--incidents", RENDERED),
    "workers": (RENDERED,),
    "backdrops": ("--incidents", RENDERED),
    "split": ("--incidents", "--untouched"),
    "keep": ("--incidents",),
}
"""What an option changes, of those that do not serve every measurement."""
DEFAULT_RENDERED_CLIPS = 100


def evaluate(
    context: typer.Context,
    model: Model = None,
    data: Data = None,
    videos: Videos = None,
    subset: Subset = None,
    tolerance: Tolerance = 1.0,
    as_json: AsJson = False,
    report: Report = None,
    device: Device = "auto",
    models: Models = DEFAULT_MODELS,
    clips: Clips = None,
    seed: Seed = 0,
    workers: Workers = 1,
    backdrops: Backdrops = None,
    incidents: Incidents = False,
    untouched: UntouchedFootage = None,
    split: Held = Part.EVALUATION,
    keep: Keep = None,
) -> None:
    """Measure a model on the runner and tracker that serve: frames and events, with memory and without.

    Example: `afterimage evaluate --model my-events --data annotations.json --videos clips/`.
    Without `--data` it is measured on rendered clips that no training saw. `--incidents` and `--untouched` measure a
    camera's faults as a stranger would: `afterimage evaluate --incidents --backdrops rooms/ --untouched sky/`.
    """
    from shared.streams import DEFAULT_MODEL

    _check_options(context, data, incidents=incidents, untouched=bool(untouched), staged_on=bool(backdrops))
    folder, staged_on = _model_folder(model or DEFAULT_MODEL, models), tuple(backdrops or ())
    _check_folders({"--report": report, "--keep": keep})
    if incidents or untouched:
        from training.bench.running import BenchOrder, run_bench

        order = BenchOrder(folder, staged_on, tuple(untouched or ()), split is Part.ALL, clips, seed, keep, device)
        _tell_bench(run_bench(order, report), as_json=as_json)
        return
    if data:
        from training.evaluate import evaluate_on_dataset

        dataset, name = read_subset(data, videos, subset, ("validation", "testing"))
        found = evaluate_on_dataset(folder, dataset, device=device, tolerance_seconds=tolerance, seed=seed, data=name)
    else:
        found = _on_rendered_clips(folder, staged_on, clips, seed, workers, tolerance, device)
    _tell(found, report, as_json=as_json)


def _on_rendered_clips(
    model: Path,
    backdrops: Sequence[Path],
    clips: int | None,
    seed: int,
    workers: int,
    tolerance_seconds: float,
    device: str,
) -> "Evaluation":
    """Measured on clips that no training saw, with what is new to the model of real videos."""
    from training.choosing import choose_some
    from training.evaluate import evaluate_on_scenes, held_out_specs

    chosen = choose_some(model, backdrops) if backdrops else None
    footage, notes = (chosen.footage, chosen.notes()) if chosen else (None, ())
    specs = held_out_specs(model, clips or DEFAULT_RENDERED_CLIPS, seed=seed, backdrops=footage)
    found = evaluate_on_scenes(
        model, specs, device=device, tolerance_seconds=tolerance_seconds, seed=seed, num_workers=workers
    )
    return replace(found, notes=(*notes, *found.notes))


def _check_options(
    context: typer.Context, data: Path | None, *, incidents: bool, untouched: bool, staged_on: bool
) -> None:
    """Raises SettingsInvalid for options that do not go together, before anything takes time."""
    if data and (incidents or untouched):
        raise SettingsInvalid("--data: labelled videos are measured on without --incidents and --untouched")
    if incidents and not staged_on:
        raise SettingsInvalid("--incidents: needs real videos to stage them on (--backdrops)")
    given = {"--data": bool(data), "--incidents": incidents, "--untouched": untouched}
    asked = [name for name, is_given in given.items() if is_given] or [RENDERED]
    for name, needed in GOES_WITH.items():
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE" and not set(needed) & set(asked):
            raise SettingsInvalid(f"--{name}: goes with {' or '.join(needed)}, not with {' and '.join(asked)}")


def _check_folders(folders: Mapping[str, Path | None]) -> None:
    from afterimage.preflight import check_writable

    for option, folder in folders.items():
        if folder is not None:
            check_writable(folder, option)


def _model_folder(model: str, models: Path) -> Path:
    """The folder that a name in the models folder, or a path, stands for."""
    from shared.manifest import MANIFEST_FILE

    named, path = models / model, Path(model)
    if not (named / MANIFEST_FILE).is_file() and (path / MANIFEST_FILE).is_file():
        return path.resolve()
    from afterimage.preflight import check_model

    check_model(named)
    return named


def _tell(found: "Evaluation", report: Path | None, *, as_json: bool) -> None:
    from rich.console import Console

    from training.tables import caution_lines, evaluation_tables

    if as_json:
        typer.echo(json.dumps(found.as_json()))
        Console(stderr=True).print(*caution_lines(found), sep="\n", end="")
    else:
        Console().print(evaluation_tables(found))
    if report:
        from training.report import write_report

        sys.stderr.write(f"report: {write_report(found, report)}\n")


def _tell_bench(found: "BenchResult", *, as_json: bool) -> None:
    from rich.console import Console

    from training.bench.report import (
        incident_tables,
        incident_words,
        incidents_json,
        untouched_json,
        untouched_tables,
    )
    from training.tables import red

    if as_json:
        line: dict[str, Any] = {}
        said: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        if found.incidents:
            line["incidents"] = incidents_json(found.incidents)
            said.append(incident_words(found.incidents))
        if found.untouched:
            line["untouched"] = untouched_json(found.untouched)
            said.append((found.untouched.cautions, found.untouched.notes))
        typer.echo(json.dumps(line))
        for cautions, notes in said:
            Console(stderr=True).print(*red(cautions), sep="\n", end="\n" if cautions else "")
            sys.stderr.writelines(f"note: {note}\n" for note in notes)
    else:
        console = Console()
        if found.incidents:
            console.print(incident_tables(found.incidents))
        if found.untouched:
            console.print(untouched_tables(found.untouched))
    if found.report:
        sys.stderr.write(f"report: {found.report}\n")
