"""`afterimage train`: a model out of labelled videos, or the camera's own faults out of rendered ones."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from afterimage.commands.datasets import chosen_subset, read_and_tell
from afterimage.commands.options import Device

if TYPE_CHECKING:
    from training.card import CardFacts
    from training.datasets.dataset import Dataset
    from training.evaluation import Evaluation

Out = Annotated[Path, typer.Option(help="Model folder to write; its last part is the model's name.")]
Data = Annotated[Path | None, typer.Option(help="Annotations of labelled videos. Default: rendered camera faults.")]
Videos = Annotated[Path | None, typer.Option(help="Folder of the videos. Default: the annotations' own.")]
Subset = Annotated[str | None, typer.Option(help="Learn from this subset only, such as training. Default: all.")]
Labels = Annotated[str | None, typer.Option(help="Learn these labels only, with commas. Default: all.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Times to go over the data. Default: what suits its size.")]
Fps = Annotated[float, typer.Option(min=0.5, max=60, help="With --data: frames sampled per second.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed, data and threads give the same model.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of torch. Default: 2 with --data, else 1.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where a run into this folder stopped.")]
Backbone = Annotated[str, typer.Option(help="With --data: builtin, or timm:NAME (needs the extra timm).")]
Pretrained = Annotated[bool, typer.Option("--pretrained/--no-pretrained", help="Published weights for timm:NAME.")]
Footage = Annotated[
    list[Path] | None,
    typer.Option(help="Without --data: a real video or folder to show faults in; may be given again."),
]
Clips = Annotated[int, typer.Option(min=1, help="Without --data: clips to render for an epoch.")]
NUM_CLIPS_MEASURED = 100

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
    backbone: Backbone = "builtin",
    pretrained: Pretrained = True,
    footage: Footage = None,
    clips: Clips = 64,
    workers: Workers = 1,
) -> None:
    """Train a model on streamed state, exactly as it will run, and write it with its model card.

    Example: `afterimage train --data annotations.json --videos clips/ --subset training --out models/my-events`, then
    `afterimage evaluate --model my-events --data annotations.json --videos clips/ --subset validation`.
    A running system takes the model up when a stream is given it; nothing restarts.
    Without `--data` it learns a camera's faults from rendered scenes, as `camera-events` did.
    """
    if data:
        chosen = chosen_subset(read_and_tell(data, videos), subset)
        if labels is not None:
            chosen = _with_labels(chosen, labels)
        _train_on_dataset(
            out, chosen, data, epochs, fps, seed, device, threads, backbone, resume=resume, pretrained=pretrained
        )
    else:
        _train_on_scenes(out, epochs, seed, device, threads, footage or [], clips, workers, resume=resume)


def _train_on_dataset(
    out: Path,
    dataset: "Dataset",
    data: Path,
    epochs: int | None,
    fps: float,
    seed: int,
    device: str,
    threads: int | None,
    backbone: str,
    *,
    resume: bool,
    pretrained: bool,
) -> None:
    from training.card import CardFacts, data_facts
    from training.evaluate import evaluate_on_dataset
    from training.fit import NETWORK, FitConfig, train_on_dataset

    config = FitConfig(
        epochs=epochs, fps=fps, seed=seed, network=dict(NETWORK) | {"backbone": backbone}, pretrained=pretrained
    )
    report = train_on_dataset(out, dataset, config=config, device=device, resume=resume, num_threads=threads or 2)
    held = report.held_out
    found = evaluate_on_dataset(out, held, device=device, data=f"{len(held.videos)} videos held out of training")
    facts = CardFacts(
        purpose=f"Scores {', '.join(dataset.labels)} in every frame of a stream, from the frames before it.",
        command=_command(),
        training_seconds=report.seconds,
        device=_device_words(device, threads or 2),
        data=(data_facts(data.name, dataset),),
        seed=seed,
        training=f"{report.epochs} epochs, the best of them the {report.best_epoch}th; "
        f"clips {'were' if report.mirrored else 'were not'} mirrored. {len(held.videos)} of the videos were held out: "
        "they chose the epoch and tuned the thresholds, so the results below are a little better than on others.",
    )
    _finish(out, facts, found)


def _train_on_scenes(
    out: Path,
    epochs: int | None,
    seed: int,
    device: str,
    threads: int | None,
    footage: list[Path],
    clips: int,
    workers: int,
    *,
    resume: bool,
) -> None:
    from training.camera_card import camera_facts
    from training.evaluate import evaluate_on_scenes, held_out_specs
    from training.train import TrainingConfig, train_on_scenes

    config = TrainingConfig(clips_per_epoch=clips, seed=seed, footage=tuple(footage))
    if epochs is not None:
        config = TrainingConfig(epochs=epochs, clips_per_epoch=clips, seed=seed, footage=tuple(footage))
    report = train_on_scenes(
        out, config=config, device=device, resume=resume, num_workers=workers, num_threads=threads or 1
    )
    specs = held_out_specs(out, NUM_CLIPS_MEASURED, backdrops=footage)
    found = evaluate_on_scenes(out, specs, device=device, num_workers=workers)
    facts = camera_facts(config, report, _command(), _device_words(device, threads or 1))
    _finish(out, facts, found)


def _with_labels(dataset: "Dataset", labels: str) -> "Dataset":
    """The data set with the labels in a text like `walk,falling` alone."""
    wanted = [word.strip() for word in labels.split(",") if word.strip()]
    if not wanted or (strangers := [label for label in wanted if label not in dataset.labels]):
        named = repr(labels) if not wanted else repr(strangers[0])
        raise typer.BadParameter(f"--labels names {named}; the data set's labels are {list(dataset.labels)}")
    return dataset.with_labels(wanted)


def _command() -> str:
    return shlex.join(["afterimage", *sys.argv[1:]])


def _device_words(device: str, threads: int) -> str:
    import torch

    from services.inference.runner import choose_device

    chosen = choose_device(device)
    if chosen.type == "cuda":
        return torch.cuda.get_device_name(chosen)
    return f"{threads} CPU thread{'s' if threads > 1 else ''}"


def _finish(out: Path, facts: "CardFacts", found: "Evaluation") -> None:
    from rich.console import Console

    from training.card import write_card
    from training.tables import evaluation_tables

    card = write_card(out, facts, found)
    Console().print(evaluation_tables(found))
    typer.echo(f"{out}: trained in {facts.training_seconds:.0f} s; card: {card}")
