"""A whole bench: footage that is new to a model, incidents staged on it, and what the model made of them."""

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.bench.report import write_bench_report
from training.bench.scoring import IncidentReport
from training.bench.staging.encoding import require_ffmpeg
from training.bench.staging.making import make
from training.bench.staging.plan import planned
from training.bench.staging.takes import Take
from training.bench.untouched import UntouchedReport
from training.bench.watching import Watcher, shown, watch_incidents, watch_untouched
from training.choosing import ChosenFootage, choose_some


@dataclass(frozen=True, slots=True)
class BenchOrder:
    """What is to be measured, and on what."""

    model: Path
    backdrops: tuple[Path, ...] = ()
    """real videos to stage incidents on; none are staged without"""
    untouched: tuple[Path, ...] = ()
    """real videos in which nobody touched the camera"""
    whole: bool = False
    """whether footage that the model learned from or was tuned by is used, too"""
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


def run_bench(order: BenchOrder, report: Path | None = None) -> BenchResult:
    """Runs what is ordered, and writes it into the folder `report`.

    Raises SettingsInvalid without ffmpeg, SourceRefused for a path that is not there or holds no video, DatasetUnusable
    where nothing is new to the model or of use, ModelUnusable for a model that does not load or knows no fault,
    SourceFailed where ffmpeg fails; all but the last, and untouched footage that does not read, before anything long.
    """
    watcher = Watcher(order.model, order.device)
    untouched_choice = _chosen(order, order.untouched)
    backdrops = _chosen(order, order.backdrops)
    takes = _planned(order, backdrops, watcher.manifest.labels) if backdrops else []
    with tempfile.TemporaryDirectory() as scratch:
        incidents = untouched = None
        if untouched_choice:
            untouched = watch_untouched(watcher, untouched_choice, show_progress=order.show_progress)
        if backdrops:
            clips = order.keep or Path(scratch)
            truths = make(takes, clips, shown(takes, "staging incidents", show_progress=order.show_progress))
            incidents = watch_incidents(watcher, clips, truths, backdrops, show_progress=order.show_progress)
        written = write_bench_report(report, incidents, untouched) if report else None
    return BenchResult(incidents and incidents[0], untouched and untouched[0], written)


def _chosen(order: BenchOrder, paths: Sequence[Path]) -> ChosenFootage | None:
    if not paths:
        return None
    return choose_some(order.model, paths, whole=order.whole, advice="; --split all takes them all")


def _planned(order: BenchOrder, backdrops: ChosenFootage, kinds: Collection[str]) -> list[Take]:
    """The incidents of the kinds that a model knows."""
    require_ffmpeg()
    return planned(backdrops.groups, kinds, order.count, order.seed)
