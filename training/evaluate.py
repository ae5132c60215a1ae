"""Runs a model, on the runner and tracker that serve, over videos whose truth is known, and over others."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from services.inference.models.runner import Runner, choose_device
from services.inference.network.weights import load_model
from shared.errors import DatasetUnusable, ModelUnusable
from shared.manifest import Manifest, read_manifest
from training.datasets.dataset import Dataset
from training.datasets.fingerprint import video_fingerprint
from training.evaluation import Evaluation
from training.floor import floor_scores
from training.footage import read_video
from training.judging import Judge, ScoredVideo
from training.learned import UNKNOWN_PAST, read_learned
from training.metrics import MAX_ONSET_SECONDS
from training.scenes.footage import Footage
from training.scenes.incidents import LABELS
from training.scenes.rendered import SequenceSpec, plan_specs, rendered
from training.scenes.seeds import Split
from training.scoring import served_scores, shuffled
from training.sequences import Sequence8Bit

Item = TypeVar("Item")

SPECS_PER_SEED = 100_000


def evaluate_on_dataset(
    folder: Path,
    dataset: Dataset,
    *,
    device: str = "auto",
    tolerance_seconds: float = MAX_ONSET_SECONDS,
    seed: int = 0,
    show_progress: bool = True,
    data: str = "labelled videos",
) -> Evaluation:
    """Runs a model folder over a data set, one video in memory at a time.

    Judged are the labels that both know; the evaluation's notes name the others. `seed` shuffles frames, `data` says
    in words what the videos are. Where the model's folder says what it learned from, the evaluation counts such videos,
    and has the floor. Raises ModelUnusable where the model does not load, DatasetUnusable without videos or common
    labels, SourceFailed where a video does not read.
    """
    evaluator = _Evaluator(folder, device, tolerance_seconds, seed)
    manifest = evaluator.manifest
    if not dataset.videos:
        raise DatasetUnusable(f"{data}: holds no video to measure on")
    labels = tuple(label for label in manifest.labels if label in dataset.labels)
    if not labels:
        raise DatasetUnusable(
            f"{data}: its labels are {list(dataset.labels)}, the model's {list(manifest.labels)}: none in common"
        )
    spec = manifest.input
    named = (
        (video.name, read_video(video, manifest.labels, manifest.fps, spec.height, spec.width))
        for video in _shown(dataset.videos, len(dataset.videos), show_progress=show_progress)
    )
    learned, notes = read_learned(folder), _label_notes(manifest, dataset)
    if learned is None:
        return evaluator.run(named, labels, data, (*notes, UNKNOWN_PAST))
    fingerprints = [video_fingerprint(video.path) for video in dataset.videos]
    facts = [video.facts for video in dataset.videos]
    floor = floor_scores(learned, list(zip(fingerprints, facts, strict=True)), manifest.labels)
    num_learned, num_tuned = learned.counts(fingerprints)
    if num_tuned and not num_learned:
        notes += (f"{num_tuned} of the videos chose the model's epoch and thresholds: the figures flatter a little",)
    found = evaluator.run(named, labels, data, notes, floor)
    return replace(found, learned_from=num_learned, tuned_on=num_tuned)


def evaluate_on_scenes(
    folder: Path,
    specs: Sequence[SequenceSpec],
    *,
    device: str = "auto",
    tolerance_seconds: float = MAX_ONSET_SECONDS,
    seed: int = 0,
    num_workers: int = 0,
    show_progress: bool = True,
) -> Evaluation:
    """Runs a model folder over rendered clips, in which what it has labels for happens.

    Raises ModelUnusable where it does not load or knows other labels than rendered scenes do.
    """
    evaluator = _Evaluator(folder, device, tolerance_seconds, seed)
    labels = evaluator.manifest.labels
    if not set(labels) <= set(LABELS):
        raise ModelUnusable(
            f"{folder}: labels are {list(labels)}; rendered scenes know {list(LABELS)}: "
            "measure it on labelled videos (--data)"
        )
    specs = [replace(spec, labels=labels) for spec in specs]
    clips = _shown(rendered(specs, num_workers, num_ahead=4), len(specs), show_progress=show_progress)
    named = ((f"clip {index}", clip) for index, clip in enumerate(clips))
    return evaluator.run(named, labels, "rendered clips")


def held_out_specs(
    folder: Path, count: int, *, seed: int = 0, seconds: float = 30.0, backdrops: Footage | None = None
) -> list[SequenceSpec]:
    """Rendered clips that no training and no tuning sees, of the size of a model's input.

    `backdrops` are real videos to show incidents in: all of them, so that who calls chooses what the model knows not.
    """
    spec = read_manifest(folder).input
    specs = plan_specs(
        Split.EVALUATION,
        count,
        seed=0,
        seconds=seconds,
        height=spec.height,
        width=spec.width,
        footage=backdrops,
        first=seed * SPECS_PER_SEED,
    )
    return [replace(each, split=None) for each in specs]


class _Evaluator:
    """A loaded model, and how it is judged."""

    def __init__(self, folder: Path, device: str, tolerance_seconds: float, seed: int) -> None:
        where = choose_device(device)
        model = load_model(folder, where)
        self.manifest = model.manifest
        self._runner = Runner(model, where)
        self._tolerance_seconds = tolerance_seconds
        self._seed = seed

    def run(
        self,
        named: Iterable[tuple[str, Sequence8Bit]],
        labels: tuple[str, ...],
        data: str,
        notes: tuple[str, ...] = (),
        floor: Sequence[NDArray[np.float32]] | None = None,
    ) -> Evaluation:
        """Scores every sequence and judges them together, and beside them a floor's scores [L] of each."""
        videos = [self._scored(index, name, sequence) for index, (name, sequence) in enumerate(named)]
        judge = Judge(self.manifest, labels, self._tolerance_seconds)
        with_memory, without_memory, mixed = judge.passes(videos)
        return Evaluation(
            model=self.manifest.reference,
            data=data,
            labels=labels,
            tolerance_seconds=self._tolerance_seconds,
            prevalence=judge.prevalence(videos),
            with_memory=with_memory,
            without_memory=without_memory,
            shuffled=mixed,
            num_videos=len(videos),
            seconds=sum(video.seconds for video in videos),
            strips=judge.strips(videos),
            notes=notes,
            floor=None if floor is None else judge.floor(videos, floor),
        )

    def _scored(self, index: int, name: str, sequence: Sequence8Bit) -> ScoredVideo:
        mixed = shuffled(sequence, np.random.default_rng((self._seed, index)))
        return ScoredVideo(
            name=name,
            sequence=_without_images(sequence),
            with_memory=served_scores(self._runner, sequence),
            without_memory=served_scores(self._runner, sequence, with_memory=False),
            shuffled_sequence=_without_images(mixed),
            shuffled=served_scores(self._runner, mixed),
            seconds=_seconds(sequence, self.manifest.fps),
        )


def _without_images(sequence: Sequence8Bit) -> Sequence8Bit:
    """What is kept of a video that was scored."""
    return replace(sequence, images=np.empty((0, 0, 0, 3), np.uint8))


def _seconds(sequence: Sequence8Bit, fps: float) -> float:
    return float(sequence.times_seconds[-1]) + 1 / fps


def _label_notes(manifest: Manifest, dataset: Dataset) -> tuple[str, ...]:
    """What the evaluation leaves out."""
    counts = Counter(interval.label for video in dataset.videos for interval in video.intervals)
    strange = [label for label in dataset.labels if label not in manifest.labels]
    unjudged = [label for label in manifest.labels if label not in dataset.labels]
    in_part = sum(video.judged is not None for video in dataset.videos)
    return (
        *(f"`{label}` of the data ({counts[label]} intervals) is no label of the model: left out" for label in strange),
        *(f"`{label}` of the model is no label of the data: left out" for label in unjudged),
        *([f"of {in_part} videos only parts are judged: the rest counts for nothing"] if in_part else []),
    )


def _shown(items: Iterable[Item], total: int, *, show_progress: bool) -> Iterator[Item]:
    """The items, with a progress bar on standard error."""
    console = Console(stderr=True)
    yield from track(items, "evaluating", total=total, console=console, disable=not show_progress)
