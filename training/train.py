"""Trains the network on rendered scenes and ships it as a model folder."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import Progress, TaskID
from rich.table import Table

from services.inference.network.network import build_network
from services.inference.network.weights import save_model
from shared.manifest import InputSpec, Thresholds
from shared.service.allocator import keep_freed_memory
from training import checkpoint
from training.bar import training_bar
from training.events import matches_by_label
from training.loop import Learner, LoopConfig, batches
from training.precision import precisions_of
from training.scenes.footage import FPS, Footage
from training.scenes.incidents import LABELS
from training.scenes.rendered import SequenceSpec, plan_specs, rendered
from training.scenes.seeds import Split
from training.sequences import Sequence8Bit
from training.tune import tune_on_scenes
from training.unroll import scores_of

DEFAULT_EPOCHS = 100
NETWORK: Mapping[str, Any] = {
    "change_widths": (24, 48, 64),
    "flow": True,
    "likeness": True,
    "colour": True,
    "change": 128,
    "hidden": 160,
}
"""Hyper-parameters that differ from the network's defaults."""
DESCRIPTION = (
    "Camera faults (covered, defocused, moved, frozen, lights out, glitch) and activity in a fixed camera's view. "
)
TRAINED_ON_SCENES = "Trained on rendered scenes only."
TRAINED_ON_FOOTAGE = "Trained on rendered scenes and on permissively licensed footage given by --footage."


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """What a run trains on, and how; the same config and seed give the same run."""

    epochs: int = DEFAULT_EPOCHS
    clips_per_epoch: int = 64
    """Every epoch renders clips that no epoch before it saw."""
    passes: int = 2
    """How often an epoch goes over its clips, each time augmented anew."""
    clip_seconds: float = 30.0
    validation_clips: int = 64
    """Clips that choose the best epoch."""
    tuning_clips: int = 256
    """Further clips that tune the thresholds at the end: events are few, so it takes many."""
    footage: tuple[Path, ...] = ()
    """Real videos, or folders of them, to show incidents on; none: rendered scenes alone."""
    network: dict[str, Any] = field(default_factory=lambda: dict(NETWORK))
    seed: int = 0
    height: int = 96
    width: int = 128
    loop: LoopConfig = field(default_factory=LoopConfig)

    @property
    def num_updates(self) -> int:
        """Updates of the weights at most: batches may be shortened by augmentation."""
        per_clip = -(-round(self.clip_seconds * FPS) // self.loop.chunk_frames)
        return self.epochs * self.passes * per_clip * -(-self.clips_per_epoch // self.loop.streams)

    def specs(self, split: Split, count: int, footage: Footage | None, first: int = 0) -> list[SequenceSpec]:
        """`count` of the split's sequences from the `first`-th on."""
        return plan_specs(
            split,
            count,
            seed=self.seed,
            seconds=self.clip_seconds,
            height=self.height,
            width=self.width,
            footage=footage,
            first=first,
        )


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What a run came to."""

    folder: Path
    epochs: int
    seconds: float
    losses: tuple[float, ...]
    """Mean training loss of each epoch that this call ran."""
    best_score: float
    """Mean over the labels of the average precision on the validation clips."""
    thresholds: dict[str, Thresholds]

    def table(self) -> Table:
        """The report for people."""
        losses = f"loss {self.losses[0]:.3f} to {self.losses[-1]:.3f}, " if self.losses else ""
        title = f"{self.folder}: {self.epochs} epochs, {losses}mean AP {self.best_score:.3f}, {self.seconds:.0f} s"
        table = Table("label", "enter", "exit", "min seconds", title=title)
        for label, choice in self.thresholds.items():
            table.add_row(label, f"{choice.enter:g}", f"{choice.exit:g}", f"{choice.min_seconds:g}")
        return table


def train_on_scenes(
    out: Path,
    *,
    config: TrainingConfig | None = None,
    device: str = "cpu",
    resume: bool = False,
    num_workers: int = 1,
    num_threads: int = 1,
    show_progress: bool = True,
) -> TrainingReport:
    """Trains and writes the model folder `out`, anew at each improvement; its thresholds are tuned at the end.

    Args: resume goes on from `out/checkpoint.pt`, exactly as if the run had not stopped. num_workers render clips in
    processes beside this one (0: in this one). num_threads are torch's; other numbers round differently.
    Raises: ModelUnusable where the checkpoint to resume from is missing, broken or of another config; SourceRefused
    where footage is not there.
    """
    started = time.monotonic()
    torch.set_num_threads(num_threads)
    keep_freed_memory()
    run = _SceneRun(out, config or TrainingConfig(), torch.device(device))
    if resume:
        run.progress = checkpoint.load_checkpoint(run.checkpoint, run.learner, run.settings)
    with training_bar(show=show_progress) as bar:
        losses = run.train(num_workers, bar)
    run.checkpoint.unlink(missing_ok=True)
    return TrainingReport(
        out, run.config.epochs, time.monotonic() - started, tuple(losses), run.progress.best_score, run.thresholds
    )


class _SceneRun:
    """One training run: its learner, its clips and what it has reached."""

    def __init__(self, out: Path, config: TrainingConfig, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.out, self.config = out, config
        self.footage = Footage(config.footage) if config.footage else None
        self.settings = asdict(config) | {"footage": self.footage.names if self.footage else []}
        self.spec = InputSpec(height=config.height, width=config.width)
        network = build_network(config.network, len(LABELS), config.height, config.width).to(device)
        self.learner = Learner(network, config.loop, config.num_updates)
        self.progress = checkpoint.RunProgress()
        self.thresholds: dict[str, Thresholds] = {label: Thresholds() for label in LABELS}
        self.checkpoint = out / checkpoint.CHECKPOINT_FILE

    def train(self, num_workers: int, bar: Progress) -> list[float]:
        """Runs the epochs that are left; returns their mean losses."""
        config = self.config
        done, footage = self.progress.epochs_done * config.clips_per_epoch, self.footage
        specs = config.specs(Split.TRAINING, config.epochs * config.clips_per_epoch - done, footage, first=done)
        checks = config.specs(Split.VALIDATION, config.validation_clips, footage)
        task = bar.add_task("rendering", total=config.num_updates)
        clips = rendered([*checks, *specs], num_workers, num_ahead=config.clips_per_epoch)
        validation = list(islice(clips, len(checks)))
        losses = []
        for epoch in range(self.progress.epochs_done, config.epochs):
            bar.update(task, completed=epoch * config.num_updates // config.epochs)
            losses.append(self._epoch(epoch, list(islice(clips, config.clips_per_epoch)), bar, task))
            self._check(epoch, validation, losses[-1], bar)
        tuning_specs = config.specs(Split.VALIDATION, config.tuning_clips, footage, first=config.validation_clips)
        device = next(self.learner.network.parameters()).device
        bar.update(task, description="tuning thresholds")
        self.thresholds = tune_on_scenes(self.out, tuning_specs, num_workers, device)
        return losses

    def _epoch(self, epoch: int, sequences: list[Sequence8Bit], bar: Progress, task: TaskID) -> float:
        rng = np.random.default_rng((self.config.seed, epoch))
        losses = []
        for _ in range(self.config.passes):
            for batch in batches(sequences, self.config.loop, rng):
                for loss in self.learner.learn(batch):
                    losses.append(loss)
                    bar.update(task, advance=1, description=f"epoch {epoch + 1}, loss {np.mean(losses[-50:]):.3f}")
        return float(np.mean(losses))

    def _check(self, epoch: int, validation: list[Sequence8Bit], loss: float, bar: Progress) -> None:
        """Scores the validation clips, ships the model where it is the best so far, and writes the checkpoint."""
        scores = scores_of(self.learner.averaged, validation)
        precisions = precisions_of(LABELS, validation, scores)
        score = float(np.nanmean(list(precisions.values())))
        best = max(score, self.progress.best_score)
        if score == best:
            self._ship()
        f1 = {label: found.f1 for label, found in matches_by_label(LABELS, self.thresholds, validation, scores).items()}
        shown = " ".join(f"{label} {precisions[label]:.3f}/{f1[label]:.2f}" for label in LABELS)
        bar.console.print(
            f"epoch {epoch + 1}: loss {loss:.4f}, mean AP {score:.4f}; AP/event F1: {shown}", soft_wrap=True
        )
        self.progress = checkpoint.RunProgress(epoch + 1, best)
        checkpoint.save_checkpoint(self.checkpoint, self.learner, self.settings, self.progress)

    def _ship(self) -> None:
        save_model(
            self.out,
            self.learner.averaged,
            labels=LABELS,
            fps=FPS,
            input_spec=self.spec,
            thresholds=self.thresholds,
            description=DESCRIPTION + (TRAINED_ON_FOOTAGE if self.footage else TRAINED_ON_SCENES),
        )
