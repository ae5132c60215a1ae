"""Trains the network on labelled videos, on streamed state, and ships it as a model folder."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress

from services.inference.models.runner import choose_device
from services.inference.network.config import LITE
from services.inference.network.network import Network, build_network, load_pretrained
from services.inference.network.weights import load_model, save_model
from shared.errors import DatasetUnusable, SettingsInvalid
from shared.manifest import InputSpec, Thresholds
from shared.service.allocator import keep_freed_memory
from training import checkpoint
from training.bar import training_bar
from training.datasets.dataset import Dataset
from training.datasets.fingerprint import fingerprint
from training.datasets.split import split_held_out
from training.events import tuned_thresholds
from training.frames import decoded, sensed_once
from training.learned import learned_from, write_learned
from training.loop import Learner, LoopConfig
from training.mirror import may_mirror
from training.pieces import epoch_of, num_batches
from training.precision import precisions_of
from training.recipes import ONCE, Regularisation
from training.sequences import SensedClip, Sequence8Bit
from training.unroll import scores_of

FRAMES_OF_A_RUN = 150_000
"""So many frames a run shows the network unless it is told otherwise: small data sets more often than large ones."""
EPOCHS = (8, 300)
NETWORK: Mapping[str, Any] = {
    "appearance": 0,
    "evened": True,
    "thumb_pool": 2,
    "flow": True,
    "fovea": True,
    "normed": True,
    "change_widths": (24, 48, 64),
    "dropout": 0.1,
}
"""Motion is looked at twice as finely as where the labels are a camera's faults, and what moves from close by; no look,
which knows small data sets by their clothes and rooms, and would have to be taken anew in every epoch."""


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How a run learns; the same config, data and number of threads give the same run.

    Raises SettingsInvalid where settings contradict each other.
    """

    epochs: int | None = None
    """None: as many as suit the data's size"""
    patience: int | None = None
    """stops after so many epochs without a better one; None: after a third of all"""
    fps: float = 12.0
    held_out: float = 0.12
    """share of the videos, by whole groups, that choose the best epoch and tune the thresholds"""
    longest_seconds: float = 20.0
    """of a stretch that is learnt from in one go"""
    batch_frames: int = 192
    mirror: Literal["auto", "on", "off"] = "auto"
    """whether half of what is shown is mirrored; auto: from the epoch on that shows that the labels allow it"""
    recipe: Regularisation = ONCE
    """without altered pictures none is mirrored either, and what no weight makes of them is made once"""
    seed: int = 0
    height: int = 96
    width: int = 128
    network: dict[str, Any] = field(default_factory=lambda: dict(NETWORK))
    pretrained: bool = True
    """whether a backbone of timm's, or lite0, has its published weights"""
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(chunk_frames=60, learning_rate=2e-3, weight_decay=0.02, averaging=0.995)
    )

    def __post_init__(self) -> None:
        if self.network.get("backbone") == LITE and not self.pretrained:
            raise SettingsInvalid("backbone 'lite0' is used as published, never with random weights")

    def num_epochs(self, num_frames: int) -> int:
        """How often the run goes over `num_frames` frames at most."""
        return self.epochs or int(np.clip(FRAMES_OF_A_RUN // max(1, num_frames), *EPOCHS))


@dataclass(frozen=True, slots=True)
class FitReport:
    """What a run came to."""

    folder: Path
    epochs: int
    best_epoch: int
    seconds: float
    best_score: float
    """mean average precision on the videos held out"""
    mirrored: bool
    thresholds: dict[str, Thresholds]
    held_out: Dataset


def train_on_dataset(
    out: Path,
    dataset: Dataset,
    *,
    config: FitConfig | None = None,
    device: str = "auto",
    resume: bool = False,
    num_threads: int = 2,
    show_progress: bool = True,
) -> FitReport:
    """Trains and writes the model folder `out`, anew at each improvement; its thresholds are tuned at the end.

    Some videos are held out of training to choose the best epoch and tune the thresholds; give it the training subset
    alone, so that what is measured afterwards was never seen. `resume` goes on from `out/checkpoint.pt`, exactly as
    if the run had not stopped. Raises DatasetUnusable where there is too little to learn from, ModelUnusable for a
    checkpoint that does not fit, SourceFailed for a video that does not read.
    """
    started = time.monotonic()
    torch.set_num_threads(num_threads)
    keep_freed_memory()
    if len(dataset.videos) < 2 or not any(video.intervals for video in dataset.videos):
        raise DatasetUnusable(f"{len(dataset.videos)} videos with labels {list(dataset.labels)}: at least 2 are needed")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-frames-", dir=out.parent) as frames:
        run = _FitRun(out, dataset, config or FitConfig(), choose_device(device))
        run.read(Path(frames), show_progress=show_progress)
        with training_bar(show=show_progress) as bar:
            run.train(bar, resume=resume)
        thresholds = run.tune()
    run.checkpoint.unlink(missing_ok=True)
    seconds, done = time.monotonic() - started, run.progress
    return FitReport(
        out, done.epochs_done, done.best_epoch, seconds, done.best_score, bool(done.mirror), thresholds, run.held_out
    )


class _FitRun:
    """One training run: its learner, its videos and what it has reached."""

    learner: Learner
    train_sequences: Sequence[Sequence8Bit | SensedClip]
    check_sequences: Sequence[Sequence8Bit | SensedClip]

    def __init__(self, out: Path, dataset: Dataset, config: FitConfig, device: torch.device) -> None:
        self.out, self.config, self.device = out, config, device
        self.labels = dataset.labels
        self.spec = InputSpec(height=config.height, width=config.width)
        self.kept, self.held_out = split_held_out(dataset, config.held_out, config.seed)
        self.learned = learned_from(self.kept.videos, self.held_out.videos)
        self.settings = asdict(config) | {"data": fingerprint(dataset)}
        self.progress = checkpoint.RunProgress(mirror={"on": True, "off": False, "auto": None}[config.mirror])
        self.checkpoint = out / checkpoint.CHECKPOINT_FILE

    def read(self, folder: Path, *, show_progress: bool) -> None:
        """Decodes all videos into `folder`."""
        self.folders = [folder / side for side in ("kept", "held-out")]
        for side in self.folders:
            side.mkdir()
        self.train_sequences, self.check_sequences = (
            decoded(dataset, self.config.fps, self.spec, side, show_progress=show_progress)
            for dataset, side in zip((self.kept, self.held_out), self.folders, strict=True)
        )

    def _sense(self, network: Network) -> None:
        """Leaves of the frames what the network's fixed parts make of them, where nothing else is ever needed."""
        if network.features_are_fixed and not self.config.recipe.pictures:
            kept, held_out = self.folders
            mirrored = self.config.mirror != "off"
            self.train_sequences = sensed_once(network, self.train_sequences, kept, mirrored=mirrored)
            self.check_sequences = sensed_once(network, self.check_sequences, held_out, mirrored=mirrored)

    def train(self, bar: Progress, *, resume: bool) -> None:
        """Runs the epochs that are left, until none gets better."""
        config = self.config
        lengths = [len(sequence.seen) for sequence in self.train_sequences]
        num_epochs = config.num_epochs(sum(lengths))
        patience = config.patience or max(10, num_epochs // 3)
        torch.manual_seed(config.seed)
        network = build_network(config.network, len(self.labels), config.height, config.width)
        if config.pretrained and not resume:
            load_pretrained(network)
        num_updates = num_epochs * num_batches(lengths, self._longest, config.batch_frames)
        chosen = {"positive_weight": self._positive_weights(), "competing": float(self._labels_compete)}
        loop = LoopConfig(**{**asdict(config.loop), **chosen, "smoothing": config.recipe.smoothing})
        self.learner = Learner(network.to(self.device), loop, num_updates)
        if resume:
            self.progress = checkpoint.load_checkpoint(self.checkpoint, self.learner, self.settings)
        self._sense(self.learner.network)
        task = bar.add_task("training", total=num_epochs, completed=self.progress.epochs_done)
        for epoch in range(self.progress.epochs_done, num_epochs):
            loss = self._epoch(epoch)
            self._check(epoch)
            done = self.progress
            shown = f"loss {loss:.3f}, held-out mAP {self._last:.3f}, best {done.best_score:.3f}"
            bar.console.print(f"epoch {epoch + 1} of {num_epochs}: {shown}")
            bar.update(task, completed=epoch + 1)
            if epoch + 1 - done.best_epoch >= patience:
                break

    @property
    def _longest(self) -> int:
        return round(self.config.longest_seconds * self.config.fps)

    @property
    def _labels_compete(self) -> bool:
        """Whether no frame has two labels: then telling them from each other is learnt beside finding each."""
        return all(sequence.targets.sum(axis=1).max(initial=0) <= 1 for sequence in self.train_sequences)

    def _positive_weights(self) -> tuple[float, ...]:
        """More for a rare label: the square root of how much rarer its presence is than its absence, 1 to 10."""
        share = _shares(self.kept, self.train_sequences)
        return tuple(float(weight) for weight in np.sqrt((1 - share) / np.maximum(share, 1e-4)).clip(1, 10))

    def _epoch(self, epoch: int) -> float:
        config = self.config
        rng = np.random.default_rng((config.seed, epoch))
        torch.manual_seed(config.seed + epoch)
        batches = epoch_of(
            self.train_sequences,
            longest=self._longest,
            batch_frames=config.batch_frames,
            rng=rng,
            mirror=bool(self.progress.mirror),
            recipe=config.recipe,
        )
        return float(np.mean([loss for batch in batches for loss in self.learner.learn(batch)]))

    def _check(self, epoch: int) -> None:
        """Scores the held-out videos, ships the model where it is the best so far, and writes the checkpoint."""
        precisions = self._precisions(self.check_sequences)
        self._last = score = float(np.mean(list(precisions.values()))) if precisions else 0.0
        done = self.progress
        best, best_epoch, mirror = done.best_score, done.best_epoch, done.mirror
        if mirror is None and may_mirror(precisions, self._mirrored_precisions, self._chances):
            mirror = True
        if score > best:
            best, best_epoch = score, epoch + 1
            self._ship({})
        self.progress = checkpoint.RunProgress(epoch + 1, best, best_epoch, mirror)
        checkpoint.save_checkpoint(self.checkpoint, self.learner, self.settings, self.progress)

    def _precisions(self, sequences: Sequence[Sequence8Bit | SensedClip]) -> dict[str, float]:
        """Average precision of each label that occurs, streamed."""
        scores = scores_of(self.learner.averaged, sequences)
        return {label: ap for label, ap in precisions_of(self.labels, sequences, scores).items() if np.isfinite(ap)}

    def _mirrored_precisions(self) -> dict[str, float]:
        return self._precisions([_mirrored(each) for each in self.check_sequences])

    @property
    def _chances(self) -> dict[str, float]:
        """The average precision of guessing: how often each label holds."""
        share = _shares(self.held_out, self.check_sequences)
        return dict(zip(self.labels, share.tolist(), strict=True))

    def tune(self) -> dict[str, Thresholds]:
        """Gives the best epoch's model the thresholds that suit the held-out videos."""
        network = load_model(self.out, self.device).network
        scores: list[NDArray[np.float32]] = scores_of(network, self.check_sequences)
        thresholds = tuned_thresholds(self.labels, self.check_sequences, scores)
        self.learner.averaged.load_state_dict(network.state_dict())
        self._ship(thresholds)
        return thresholds

    def _ship(self, thresholds: Mapping[str, Thresholds]) -> None:
        write_learned(self.out, self.learned)
        save_model(
            self.out,
            self.learner.averaged,
            labels=self.labels,
            fps=self.config.fps,
            input_spec=self.spec,
            thresholds=thresholds,
            description=f"Trained on {len(self.kept.videos)} labelled videos.",
        )


def _shares(dataset: Dataset, sequences: Sequence[Sequence8Bit | SensedClip]) -> NDArray[np.float32]:
    """[L], on how many of the frames each label holds; of videos judged in part, of those where that is known."""
    pairs = zip(dataset.videos, sequences, strict=True)
    known = np.concatenate([(each.weights > 0) | (video.judged is None) for video, each in pairs])
    held = known * np.concatenate([each.targets for each in sequences])
    return np.asarray(held.sum(axis=0) / known.sum(axis=0).clip(1), np.float32)


def _mirrored(sequence: Sequence8Bit | SensedClip) -> Sequence8Bit | SensedClip:
    if isinstance(sequence, Sequence8Bit):
        return sequence.turned()
    return sequence if sequence.mirrored is None else replace(sequence, features=sequence.mirrored)
