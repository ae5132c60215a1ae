"""Measures a model on rendered clips that no training saw, and on real footage."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.table import Table

from services.inference.weights import load_model
from shared.errors import ModelUnusable
from shared.manifest import Manifest
from training.events import events_of, matches_by_label
from training.footage import read_footage
from training.incidents import LABELS
from training.metrics import Matches
from training.precision import precisions_of
from training.rendered import SequenceSpec, rendered
from training.seeds import Split, clip_seed
from training.unroll import scores_of

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class LabelResult:
    """One label's results."""

    label: str
    ap_with_memory: float
    ap_without_memory: float
    """With the state reset before every frame."""
    events: Matches
    false_per_hour: float


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """A model's results on rendered clips."""

    model: str
    hours: float
    labels: tuple[LabelResult, ...]

    def table(self) -> Table:
        """The report for people."""
        headings = ("label", "AP", "AP, no memory", "precision", "recall", "F1", "events", "false/hour")
        table = Table(*headings, title=f"{self.model} on {60 * self.hours:.0f} rendered minutes")
        table.columns[0].min_width = max(map(len, LABELS))
        for row in self.labels:
            events = row.events
            figures = (row.ap_with_memory, row.ap_without_memory, events.precision, events.recall, events.f1)
            total = str(events.found + events.missed)
            table.add_row(row.label, *(f"{figure:.3f}" for figure in figures), total, f"{row.false_per_hour:.1f}")
        return table


@dataclass(frozen=True, slots=True)
class FootageResult:
    """The events that a model reports in one real video, by label."""

    file: str
    seconds: float
    events: dict[str, int]


def evaluate_on_scenes(
    model: Path, *, seed: int = 0, num_clips: int = 100, clip_seconds: float = 30.0, num_workers: int = 0
) -> EvaluationReport:
    """Runs a model folder over held-out rendered clips; raises ModelUnusable where it does not load."""
    loaded = load_model(model, torch.device("cpu"))
    manifest, spec = loaded.manifest, loaded.manifest.input
    _check_labels(model, manifest)
    specs = [
        SequenceSpec(clip_seed(Split.EVALUATION, seed * 100_000 + index), clip_seconds, spec.height, spec.width)
        for index in range(num_clips)
    ]
    sequences = list(rendered(specs, num_workers, num_ahead=4))
    scores = scores_of(loaded.network, sequences, spec)
    remembered = precisions_of(LABELS, sequences, scores)
    forgotten = precisions_of(LABELS, sequences, scores_of(loaded.network, sequences, spec, with_memory=False))
    thresholds = {label: manifest.thresholds_for(label) for label in LABELS}
    matches = matches_by_label(LABELS, thresholds, sequences, scores)
    hours = num_clips * clip_seconds / SECONDS_PER_HOUR
    results = tuple(
        LabelResult(label, remembered[label], forgotten[label], matches[label], matches[label].false / hours)
        for label in LABELS
    )
    return EvaluationReport(manifest.reference, hours, results)


def evaluate_on_footage(model: Path, files: Sequence[Path]) -> list[FootageResult]:
    """Counts the events that a model reports in video files, read as ingest reads them."""
    loaded = load_model(model, torch.device("cpu"))
    manifest = loaded.manifest
    thresholds = {label: manifest.thresholds_for(label) for label in manifest.labels}
    results = []
    for file in files:
        sequence = read_footage(file, manifest.input.height, manifest.input.width)
        [scores] = scores_of(loaded.network, [sequence], manifest.input)
        events = events_of(manifest.labels, thresholds, sequence.times_seconds, scores)
        counts = Counter(event.label for event in events)
        results.append(FootageResult(file.name, float(sequence.times_seconds[-1]), dict(counts)))
    return results


def footage_table(results: Sequence[FootageResult]) -> Table:
    """Events by file and label, for people."""
    table = Table("file", "seconds", *LABELS, title="events in real footage")
    for result in results:
        table.add_row(result.file, f"{result.seconds:.0f}", *(str(result.events.get(label, 0)) for label in LABELS))
    return table


def _check_labels(model: Path, manifest: Manifest) -> None:
    if manifest.labels != LABELS:
        raise ModelUnusable(f"{model}: labels are {list(manifest.labels)}; rendered scenes know {list(LABELS)}")
