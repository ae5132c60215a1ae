"""`afterimage train`: a model out of labelled videos, or the camera's own faults out of rendered ones."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from afterimage.commands.datasets import read_subset
from afterimage.commands.options import Device

if TYPE_CHECKING:
    from training.datasets.dataset import Dataset
    from training.fit import FitConfig

Out = Annotated[Path, typer.Option(help="Model folder to write; its last part is the model's name.")]
Data = Annotated[Path | None, typer.Option(help="Annotations of labelled videos. Default: rendered camera faults.")]
Videos = Annotated[Path | None, typer.Option(help="Folder of the videos. Default: the annotations' own.")]
Subset = Annotated[str | None, typer.Option(help="Learn from this subset only, or all. Default: training if any.")]
Labels = Annotated[str | None, typer.Option(help="Learn these labels only, with commas. Default: all.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Times to go over the data. Default: what suits its size.")]
Fps = Annotated[float, typer.Option(min=0.5, max=60, help="With --data: frames sampled per second.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed, data and threads give the same model.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of torch. Default: 2 with --data, else 1.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where a run into this folder stopped.")]
Backbone = Annotated[
    str,
    typer.Option(
        help="With --data, a CNN that sees each frame beside what moves: none, builtin, lite0 (EfficientNet-Lite0 as "
        "published; extra lite0), timm:NAME (extra timm)."
    ),
]
Pretrained = Annotated[bool, typer.Option("--pretrained/--no-pretrained", help="Published weights for timm:NAME.")]
Recipe = Annotated[
    Literal["plain", "strong", "once"],
    typer.Option(
        help="With --data: once (clips as they are, so that what no weight makes of them is made once); plain (clips "
        "altered anew in every epoch); strong (altered further, mixed with each other, targets smoothed)."
    ),
]
Mirror = Annotated[
    Literal["auto", "on", "off"],
    typer.Option(help="With --data: show half of the clips mirrored. Auto: once held-out videos bear it."),
]
Footage = Annotated[
    list[Path] | None,
    typer.Option(help="Without --data: a real video or folder to show faults in, and as it is; may be given again."),
]
Clips = Annotated[int | None, typer.Option(min=1, help="Without --data: clips to render. Default: 2200.")]
Stock = Annotated[Path | None, typer.Option(help="Without --data: folder that keeps clips for further runs.")]
Workers = Annotated[int, typer.Option(min=0, help="Without --data: processes that render clips.")]


def train(
    out: Out,
    data: Data = None,
    videos: Videos = None,
    subset: Subset = None,
    labels: Labels = None,
    epochs: Epochs = None,
    fps: Fps = 12.0,
    seed: Seed = 0,
    device: Device = "auto",
    threads: Threads = None,
    resume: Resume = False,
    backbone: Backbone = "none",
    pretrained: Pretrained = True,
    mirror: Mirror = "auto",
    recipe: Recipe = "once",
    footage: Footage = None,
    clips: Clips = None,
    stock: Stock = None,
    workers: Workers = 1,
) -> None:
    """Train a model on streamed state, exactly as it will run, and write it with its model card.

    Example: `afterimage train --data annotations.json --videos clips/ --out models/my-events`, then
    `afterimage evaluate --model my-events --data annotations.json --videos clips/`.
    A running system takes the model up when a stream is given it; nothing restarts.
    Without `--data` it learns a camera's faults from rendered scenes, as `camera-events` did.
    """
    from rich.console import Console

    from training.shipping import Order, ship_from_dataset, ship_from_scenes
    from training.tables import evaluation_tables

    _check_places(out, stock)
    order = Order(out, _command(), device, threads or (2 if data else 1), resume, stock)
    if data:
        dataset, name = read_subset(data, videos, subset, ("training",))
        if labels is not None:
            dataset = _with_labels(dataset, labels)
        config = _fit_config(epochs, fps, seed, mirror, recipe, backbone, pretrained=pretrained)
        found = ship_from_dataset(order, dataset, name, config)
    else:
        from training.train import DEFAULT_CLIPS, DEFAULT_EPOCHS, TrainingConfig

        amounts = epochs or DEFAULT_EPOCHS, clips or DEFAULT_CLIPS
        scenes = TrainingConfig(*amounts, seed=seed, footage=tuple(footage or ()))
        found = ship_from_scenes(order, scenes, workers)
    Console().print(evaluation_tables(found))
    typer.echo(f"{out}: model, card (README.md) and pictures written")


def _check_places(out: Path, stock: Path | None) -> None:
    from afterimage.preflight import check_writable
    from shared.manifest import check_name

    check_name(out)
    check_writable(out, "--out")
    if stock is not None:
        check_writable(stock, "--stock")


def _with_labels(dataset: "Dataset", labels: str) -> "Dataset":
    """The data set with the labels in a text like `walk,falling` alone."""
    wanted = [word.strip() for word in labels.split(",") if word.strip()]
    if not wanted or (strangers := [label for label in wanted if label not in dataset.labels]):
        named = repr(labels) if not wanted else repr(strangers[0])
        raise typer.BadParameter(f"--labels names {named}; the data set's labels are {list(dataset.labels)}")
    return dataset.with_labels(wanted)


def _fit_config(
    epochs: int | None, fps: float, seed: int, mirror: Mirror, recipe: Recipe, backbone: str, *, pretrained: bool
) -> "FitConfig":
    from services.inference.network.config import NetworkConfig
    from training.fit import NETWORK, FitConfig
    from training.recipes import RECIPES

    network = dict(NETWORK)
    if backbone != "none":
        network |= {"backbone": backbone, "appearance": NetworkConfig().appearance}
    return FitConfig(
        epochs, fps=fps, mirror=mirror, recipe=RECIPES[recipe], seed=seed, network=network, pretrained=pretrained
    )


def _command() -> str:
    return shlex.join(["afterimage", *sys.argv[1:]])
