"""Trains the network on rendered scenes and untouched footage, and ships it as a model folder.

Of every clip what the network's senses keep is made once and kept on disk, for no weight acts on it; so an epoch costs
seconds, and clips go on being rendered beside it.
"""

import math
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
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
from training.datasets.dataset import LabelledVideo
from training.events import matches_by_label
from training.footage import unlabelled
from training.learned import learned_from, write_learned
from training.loop import Learner, LoopConfig
from training.precision import precisions_of
from training.scenes.footage import FPS, Footage
from training.scenes.incidents import LABELS
from training.scenes.rendered import plan_specs
from training.scenes.seeds import Split
from training.sequences import SensedClip
from training.stock import ClipOrder, load_clip, made
from training.stretches import STREAMS, batches
from training.tune import tune_on_clips
from training.unroll import scores_of

DEFAULT_EPOCHS = 30
DEFAULT_CLIPS = 2200
UNTOUCHED_TIMES = 3
"""So often an epoch goes over a file in which nothing happens, for each time over a rendered clip."""
NETWORK: Mapping[str, Any] = {
    "appearance": 0,
    "change": 0,
    "histograms": True,
    "shifts": True,
    "figures": True,
    "damage": True,
    "dense": 64,
    "hidden": 64,
    "dropout": 0.15,
    "fast_seconds": 1.5,
}
"""Hyper-parameters that differ from the network's defaults; no look, whose features would change with its weights."""
DESCRIPTION = (
    "Camera faults (covered, defocused, moved, frozen, lights out, glitch, glare, noise, tint, shake) and activity in "
    "a fixed camera's view. "
)
TRAINED_ON_SCENES = "Trained on rendered scenes only."
TRAINED_ON_FOOTAGE = "Trained on rendered scenes and on permissively licensed footage given by --footage."
CLIPS_FOLDER = "clips"
GROWING = 0.4
"""Share of the epochs after which all clips are there: until then they are rendered beside the learning."""
FIRST_SHARE = 0.1
"""Of the clips, for the first epoch."""
NUM_STANDARD = 128
"""Clips that the inputs' mean and standard deviation are taken from."""
LEAST_STD = 0.05


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """What a run trains on, and how; the same config and seed give the same run."""

    epochs: int = DEFAULT_EPOCHS
    clips: int = DEFAULT_CLIPS
    """To render; the untouched files of the footage come on top."""
    clip_seconds: float = 30.0
    validation_clips: int = 128
    """Clips that choose the best epoch."""
    tuning_clips: int = 384
    """Further clips that tune the thresholds at the end: events are few, so it takes many."""
    footage: tuple[Path, ...] = ()
    """Real videos, or folders of them, to show incidents on, and to learn from as they are; none: rendered scenes."""
    network: dict[str, Any] = field(default_factory=lambda: dict(NETWORK))
    seed: int = 0
    height: int = 192
    width: int = 256
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(chunk_frames=60, learning_rate=4e-3, weight_decay=1e-2, averaging=0.99)
    )

    @property
    def clip_frames(self) -> int:
        """Frames of a rendered clip, and of what is shown of a longer one at a time."""
        return round(self.clip_seconds * FPS)

    def num_shown(self, epoch: int, num_clips: int) -> int:
        """How many of so many clips an epoch goes over."""
        grown = (epoch + 1) / (GROWING * self.epochs)
        return math.ceil(num_clips * min(1.0, FIRST_SHARE + (1 - FIRST_SHARE) * grown))

    def num_updates(self, num_clips: int) -> int:
        """Updates of the weights."""
        num_batches = sum(-(-self.num_shown(epoch, num_clips) // STREAMS) for epoch in range(self.epochs))
        return num_batches * -(-self.clip_frames // self.loop.chunk_frames)

    def orders(
        self, split: Split, count: int, footage: Footage | None, folder: Path, *, first: int = 0, untouched: bool = True
    ) -> list[ClipOrder]:
        """`count` of the split's clips to render from the `first`-th on, among them its untouched files."""
        specs = plan_specs(
            split,
            count,
            seed=self.seed,
            seconds=self.clip_seconds,
            height=self.height,
            width=self.width,
            footage=footage,
            first=first,
        )
        groups = footage.files(split).values() if footage and untouched else ()
        times = UNTOUCHED_TIMES if split is Split.TRAINING else 1
        sources = [*specs, *(file for group in groups for file in group for _ in range(times))]
        order = np.random.default_rng((self.seed, split)).permutation(len(sources))
        return [ClipOrder(sources[index], folder, self.network, self.height, self.width) for index in order]


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


def train_on_scenes(  # noqa: PLR0913  (all but one by name)
    out: Path,
    *,
    config: TrainingConfig | None = None,
    device: str = "cpu",
    resume: bool = False,
    num_workers: int = 1,
    num_threads: int = 1,
    stock: Path | None = None,
    show_progress: bool = True,
) -> TrainingReport:
    """Trains and writes the model folder `out`, anew at each improvement; its thresholds are tuned at the end.

    Args: resume goes on from `out/checkpoint.pt`, exactly as if the run had not stopped. num_workers make clips in
    processes beside this one (0: in this one). num_threads are torch's; other numbers round differently. stock is a
    folder where clips are kept for other runs; None: in `out`, until the run ends.
    Raises: ModelUnusable where the checkpoint to resume from is missing, broken or of another config; SourceRefused
    where footage is not there.
    """
    started = time.monotonic()
    torch.set_num_threads(num_threads)
    keep_freed_memory()
    run = _SceneRun(out, config or TrainingConfig(), torch.device(device), stock or out / CLIPS_FOLDER)
    if resume:
        run.progress = checkpoint.load_checkpoint(run.checkpoint, run.learner, run.settings)
    with training_bar(show=show_progress) as bar:
        losses = run.train(num_workers, bar)
    run.checkpoint.unlink(missing_ok=True)
    if stock is None:
        shutil.rmtree(out / CLIPS_FOLDER, ignore_errors=True)
    return TrainingReport(
        out, run.config.epochs, time.monotonic() - started, tuple(losses), run.progress.best_score, run.thresholds
    )


class _SceneRun:
    """One training run: its learner, its clips and what it has reached."""

    def __init__(self, out: Path, config: TrainingConfig, device: torch.device, stock: Path) -> None:
        torch.manual_seed(config.seed)
        self.out, self.config, self.device = out, config, device
        footage = self.footage = Footage(config.footage) if config.footage else None
        self.settings = asdict(config) | {"footage": footage.names if footage else []}
        self.learned = learned_from(*(_unlabelled(footage, split) for split in (Split.TRAINING, Split.VALIDATION)))
        self.checks = config.orders(Split.VALIDATION, config.validation_clips, footage, stock)
        self.clips = config.orders(Split.TRAINING, config.clips, footage, stock)
        self.tuning = config.orders(
            Split.VALIDATION, config.tuning_clips, footage, stock, first=config.validation_clips, untouched=False
        )
        network = build_network(config.network, len(LABELS), config.height, config.width).to(device)
        self.learner = Learner(network, config.loop, config.num_updates(len(self.clips)))
        self.progress = checkpoint.RunProgress()
        self.thresholds: dict[str, Thresholds] = {label: Thresholds() for label in LABELS}
        self.checkpoint = out / checkpoint.CHECKPOINT_FILE

    def train(self, num_workers: int, bar: Progress) -> list[float]:
        """Runs the epochs that are left; returns their mean losses."""
        config = self.config
        num_updates = config.num_updates(len(self.clips))
        task = bar.add_task("making clips", total=num_updates, completed=self.learner.num_updates)
        files = made([*self.checks, *self.clips, *self.tuning], num_workers)
        validation = _loaded(islice(files, len(self.checks)))
        shown: list[Path] = []
        losses = []
        for epoch in range(self.progress.epochs_done, config.epochs):
            shown += islice(files, config.num_shown(epoch, len(self.clips)) - len(shown))
            if epoch == 0:
                self._standardise(_loaded(shown[:NUM_STANDARD]))
            losses.append(self._epoch(epoch, shown, bar, task))
            self._check(epoch, validation, losses[-1], bar)
        bar.update(task, description="tuning thresholds")
        tuning = [*validation, *_loaded(islice(files, len(self.clips) - len(shown), None))]
        self.thresholds = tune_on_clips(self.out, tuning, self.device)
        return losses

    @torch.no_grad()
    def _standardise(self, clips: Sequence[SensedClip]) -> None:
        """Tells the networks what their plain inputs usually are."""
        digest, averaged = self.learner.network.digest, self.learner.averaged.digest
        if digest is None or averaged is None:
            return
        inputs = list[torch.Tensor]()
        with digest.register_forward_pre_hook(lambda _, given: inputs.append(given[0].flatten(0, 1))):
            scores_of(self.learner.network, clips)
        every = torch.cat(inputs)
        for each in (digest, averaged):
            each.mean.copy_(every.mean(0))
            each.std.copy_(every.std(0) + LEAST_STD)

    def _epoch(self, epoch: int, files: Sequence[Path], bar: Progress, task: TaskID) -> float:
        rng = np.random.default_rng((self.config.seed, epoch))
        losses = []
        for batch in batches(files, self.learner.network, self.config.clip_frames, rng):
            for loss in self.learner.learn(batch):
                losses.append(loss)
                bar.update(task, advance=1, description=f"epoch {epoch + 1}, loss {np.mean(losses[-50:]):.3f}")
        return float(np.mean(losses))

    def _check(self, epoch: int, validation: Sequence[SensedClip], loss: float, bar: Progress) -> None:
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
        write_learned(self.out, self.learned)
        save_model(
            self.out,
            self.learner.averaged,
            labels=LABELS,
            fps=FPS,
            input_spec=InputSpec(height=self.config.height, width=self.config.width),
            thresholds=self.thresholds,
            description=DESCRIPTION + (TRAINED_ON_FOOTAGE if self.footage else TRAINED_ON_SCENES),
        )


def _unlabelled(footage: Footage | None, split: Split) -> list[LabelledVideo]:
    """A part of the footage."""
    groups = footage.files(split).values() if footage else ()
    return [unlabelled(file) for group in groups for file in group]


def _loaded(files: Iterator[Path] | Sequence[Path]) -> list[SensedClip]:
    """Those of the clips that have frames."""
    return [clip for clip in map(load_clip, files) if len(clip.features)]
