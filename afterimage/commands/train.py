"""`afterimage train`: models made of rendered scenes."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    out: Annotated[Path, typer.Argument(help="Model folder to write; its last part is the model's name.")],
    epochs: Annotated[int, typer.Option(min=1, help="How many times to render new clips and learn from them.")] = 14,
    clips: Annotated[int, typer.Option(min=1, help="Clips of an epoch.")] = 64,
    validation_clips: Annotated[int, typer.Option(min=1, help="Clips that choose the best epoch.")] = 32,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same run.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    workers: Annotated[int, typer.Option(min=0, help="Processes that render clips.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch; other numbers round differently.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a run into this folder stopped.")] = False,
) -> None:
    """Train a model on rendered scenes, on streamed state, exactly as it will run.

    Example: `afterimage train data/models/my-events --epochs 2 --clips 16`, then
    `afterimage analyze door.mp4 --models data/models --model my-events`.
    """
    from training.train import TrainingConfig, train_on_scenes

    config = TrainingConfig(epochs=epochs, clips_per_epoch=clips, validation_clips=validation_clips, seed=seed)
    report = train_on_scenes(out, config=config, device=device, resume=resume, num_workers=workers, num_threads=threads)
    typer.echo(
        f"{report.folder}: {report.epochs} epochs in {report.seconds:.0f} s, "
        f"mean average precision on validation clips {report.best_score:.3f}"
    )
