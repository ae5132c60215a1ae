"""A whole bench: footage chosen by its split, incidents staged, a model that watches, and what it made of it."""

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.errors import DatasetUnusable
from training.bench.report import write_bench_report
from training.bench.scoring import IncidentReport
from training.bench.staging.making import make
from training.bench.staging.plan import planned
from training.bench.staging.takes import Truth
from training.bench.untouched import UntouchedReport
from training.bench.watching import Watcher, shown, watch_incidents, watch_untouched
from training.scenes.footage import Footage
from training.scenes.seeds import Split


@dataclass(frozen=True, slots=True)
class BenchOrder:
    """What is to be measured, and on what."""

    model: Path
    backdrops: tuple[Path, ...] = ()
    """real videos to stage incidents on; none are staged without"""
    untouched: tuple[Path, ...] = ()
    """real videos in which nobody touched the camera"""
    whole: bool = False
    """whether footage that training may see is used, too"""
    count: int | None = None
    """of incidents; every manner twice where None"""
    seed: int = 0
    keep: Path | None = None
    """where the clips stay, and are found again"""
    device: str = "auto"
    show_progress: bool = True


@dataclass(frozen=True, slots=True)
class BenchResult:
    """What was measured; None is what was not ordered."""

    incidents: IncidentReport | None
    untouched: UntouchedReport | None
    report: Path | None
    """where it is written"""


def stage_incidents(order: BenchOrder, kinds: Collection[str], folder: Path) -> list[Truth]:
    """Makes the clips of a bench in a folder, with their truth.json: incidents of the `kinds` that a model knows.

    Raises SettingsInvalid without ffmpeg, SourceRefused for a path that is not there, DatasetUnusable where no backdrop
    can be used, SourceFailed where ffmpeg fails.
    """
    takes = planned(_groups(order.backdrops, whole=order.whole), kinds, order.count, order.seed)
    return make(takes, folder, shown(takes, "staging incidents", show_progress=order.show_progress))


def run_bench(order: BenchOrder, report: Path | None = None) -> BenchResult:
    """Runs what is ordered, and writes it into the folder `report`.

    Raises as `stage_incidents` does, and ModelUnusable for a model that does not load or knows no fault.
    """
    watcher = Watcher(order.model, order.device)
    with tempfile.TemporaryDirectory() as scratch:
        incidents = untouched = None
        if order.untouched:
            files = [file for files in _groups(order.untouched, whole=order.whole).values() for file in files]
            untouched = watch_untouched(watcher, files, show_progress=order.show_progress)
        if order.backdrops:
            clips = order.keep or Path(scratch)
            truths = stage_incidents(order, watcher.manifest.labels, clips)
            incidents = watch_incidents(watcher, clips, truths, show_progress=order.show_progress)
        written = write_bench_report(report, incidents, untouched) if report else None
    return BenchResult(incidents and incidents[0], untouched and untouched[0], written)


def _groups(paths: Sequence[Path], *, whole: bool) -> dict[str, tuple[Path, ...]]:
    """Files by group; raises DatasetUnusable where training may see them all."""
    footage = Footage(tuple(paths))
    splits = tuple(Split) if whole else (Split.EVALUATION,)
    groups = {group: files for split in splits for group, files in footage.files(split).items()}
    if not groups:
        raise DatasetUnusable(
            f"{', '.join(map(str, paths))}: of {len(footage.names)} files none is kept out of training; "
            "--split all takes them all"
        )
    return groups
