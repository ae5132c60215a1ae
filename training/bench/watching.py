"""A model over files as it serves them: read as ingest reads, scored by the runner, tracked by the tracker."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from services.inference.models.runner import Runner, choose_device
from services.inference.network.weights import load_model
from shared.errors import DatasetUnusable, ModelUnusable, SourceFailed
from training.bench.scoring import IncidentReport, scored
from training.bench.staging.takes import KINDS, Truth
from training.bench.strips import Viewing
from training.bench.untouched import Untouched, UntouchedReport, named
from training.choosing import ChosenFootage
from training.events import detections_of
from training.footage import read_video, unlabelled
from training.scoring import served_scores

Item = TypeVar("Item")


class Watcher:
    """A loaded model that watches files; raises ModelUnusable where it does not load or knows no fault."""

    def __init__(self, folder: Path, device: str = "auto") -> None:
        where = choose_device(device)
        model = load_model(folder, where)
        self.manifest = model.manifest
        if not set(KINDS) & set(self.manifest.labels):
            raise ModelUnusable(
                f"{folder}: labels are {list(self.manifest.labels)}; it knows none of a camera's faults, {list(KINDS)}"
            )
        self._runner = Runner(model, where)
        self._thresholds = {label: self.manifest.thresholds_for(label) for label in self.manifest.labels}

    def watch(self, file: Path) -> Viewing:
        """A file's scores and alarms; raises SourceFailed where it does not read."""
        manifest = self.manifest
        spec = manifest.input
        sequence = read_video(unlabelled(file), manifest.labels, manifest.fps, spec.height, spec.width)
        scores, times = served_scores(self._runner, sequence), sequence.times_seconds
        alarms = [
            each
            for each in detections_of(manifest.labels, self._thresholds, times, scores)
            if each.interval.label in KINDS
        ]
        seconds = float(times[-1]) + 1 / manifest.fps
        return Viewing(file, manifest.labels, times, scores, tuple(alarms), seconds)


def watch_incidents(
    watcher: Watcher, clips: Path, truths: Sequence[Truth], choice: ChosenFootage, *, show_progress: bool = True
) -> tuple[IncidentReport, dict[str, Viewing]]:
    """Judges a model on the clips of a folder; with it, by file, how it saw those in which it was wrong."""
    scores, wrong = [], {}
    for truth in shown(truths, "watching incidents", show_progress=show_progress):
        viewing = watcher.watch(clips / truth.file)
        score = scored(truth, viewing.alarms)
        scores.append(score)
        if score.false or not score.is_found:
            wrong[truth.file] = viewing
    return IncidentReport(watcher.manifest.reference, tuple(scores), choice), wrong


def watch_untouched(
    watcher: Watcher, choice: ChosenFootage, *, show_progress: bool = True
) -> tuple[UntouchedReport, dict[str, Viewing]]:
    """Counts a model's alarms in the files chosen; with it, by file, how it saw those in which it raised any.

    Files that do not read are left out, and named; raises DatasetUnusable where none is left.
    """
    found, wrong, unreadable = [], {}, []
    for file in shown(choice.files, "watching untouched footage", show_progress=show_progress):
        try:
            viewing = watcher.watch(file)
        except SourceFailed:
            unreadable.append(file.name)
            continue
        found.append(Untouched(file.name, viewing.seconds, viewing.alarms))
        if viewing.alarms:
            wrong[file.name] = viewing
    if not found:
        raise DatasetUnusable(f"untouched footage: of {len(unreadable)} files none reads: {named(unreadable)}")
    kinds = tuple(kind for kind in KINDS if kind in watcher.manifest.labels)
    reference = watcher.manifest.reference
    return UntouchedReport(reference, tuple(found), kinds, tuple(unreadable), choice), wrong


def shown(items: Sequence[Item], words: str, *, show_progress: bool) -> Iterator[Item]:
    """The items, with a progress bar on standard error."""
    yield from track(items, words, total=len(items), console=Console(stderr=True), disable=not show_progress)
