"""Holds annotations against the videos they speak of: what fits becomes a Dataset, the rest problems."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import DatasetUnusable
from shared.words.validation import shown
from training.datasets.annotations import Entry, Listing, Segment
from training.datasets.dataset import Dataset, FileFacts, LabelledVideo, Problem
from training.datasets.labels import ALLOWED, MAX_LABELS, LabelNames, normalised
from training.datasets.probe import Probed, probe_all
from training.datasets.video_folder import VideoFolder
from training.truth import Interval

END_TOLERANCE_SECONDS: Final = 0.5
"""An interval may end so much after its video without a word: lengths are rounded differently everywhere."""
MAX_PROBLEMS: Final = 10_000
MAX_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class _Located:
    entry: Entry
    path: Path


def checked(
    listing: Listing,
    folder: VideoFolder,
    labels: Sequence[str] | None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """The data set that a listing's usable videos make, with the problems of the rest; the folder is open.

    `labels` are the labels wanted, in this order; None takes those that the listing declares, or else uses.
    """
    order = _wanted(labels) if labels is not None else _declared(listing)
    names = _named(listing, order)
    located = list(_located(listing, folder))
    probes = probe_all([(each.path, _needs_length(each.entry)) for each in located], on_progress)
    videos = tuple(
        video
        for each, probed in zip(located, probes, strict=True)
        if (video := _video(each, probed, names, listing)) is not None
    )
    found = {interval.label for video in videos for interval in video.intervals}
    if labels is not None and (idle := [label for label in order or () if label not in found]):
        listing.problem(None, f"no usable interval has the labels wanted: {', '.join(idle)}")
    result = tuple(sorted(found)) if order is None else order
    if len(result) > MAX_LABELS:
        raise DatasetUnusable(f"{listing.source}: {len(result)} labels; allowed are up to {MAX_LABELS}")
    return Dataset(result, videos, _sorted(listing))


def _wanted(labels: Sequence[str]) -> tuple[str, ...]:
    """Labels that a caller asks for, normalised; raises DatasetUnusable where one cannot be."""
    names = [normalised(label) for label in labels]
    for label, name in zip(labels, names, strict=True):
        if name is None:
            raise DatasetUnusable(f"label {shown(label)} cannot be a label: {ALLOWED}")
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _declared(listing: Listing) -> tuple[str, ...] | None:
    """The labels that the listing declares, in its order; None where it declares none."""
    if listing.labels is None:
        return None
    names = LabelNames(None)
    order = []
    for label, line in listing.labels:
        name, wrong = names.name(label)
        if wrong:
            listing.problem(line, wrong, listing.labels_file)
        order += [] if name is None else [name]
    return tuple(dict.fromkeys(order))


def _named(listing: Listing, known: Sequence[str] | None) -> LabelNames:
    """What every label of the listing is called; problems for those that do not count."""
    names = LabelNames(known)
    for entry in listing.entries.values():
        for segment in (*entry.segments, *(entry.judged or ())):
            _, wrong = names.name(segment.label)
            if wrong:
                listing.problem(segment.line, wrong, segment.file)
    return names


def _needs_length(entry: Entry) -> bool:
    return any(math.isinf(segment.end) for segment in entry.segments)


def _located(listing: Listing, folder: VideoFolder) -> Iterator[_Located]:
    """The entries whose video is there; problems for those that are not, and for videos that no entry names."""
    taken: dict[Path, Entry] = {}
    meant: set[Path] = set()
    for entry in listing.entries.values():
        paths = folder.find(entry.name)
        meant.update(paths)
        where = f"video {shown(entry.name)}"
        if not paths:
            listing.problem(entry.line, f"{where}: no such file under {folder.root}", entry.file)
        elif len(paths) > 1:
            several = ", ".join(path.as_posix() for path in paths[:MAX_NAMED])
            listing.problem(entry.line, f"{where}: several files have this name: {several}", entry.file)
        elif (other := taken.setdefault((folder.root / paths[0]).resolve(), entry)) is not entry:
            where += f": the same file as {shown(other.name)}, which counts"
            listing.problem(entry.line, where, entry.file)
        else:
            yield _Located(entry, folder.root / paths[0])
    if not listing.entries:
        listing.problem(None, "names no video")
    strangers = [file for file in folder.files if file not in meant and (folder.root / file).resolve() not in taken]
    if strangers:
        named = ", ".join(file.as_posix() for file in strangers[:MAX_NAMED])
        more = f" and {len(strangers) - MAX_NAMED} more" if len(strangers) > MAX_NAMED else ""
        listing.problem(None, f"no annotation names these videos: {named}{more}", folder.root)


def _video(located: _Located, probed: Probed, names: LabelNames, listing: Listing) -> LabelledVideo | None:
    """The video, its intervals in seconds and within its length; None, and a problem, where it cannot be used."""
    entry = located.entry
    if probed.failure is not None:
        listing.problem(entry.line, f"video {shown(entry.name)}: {probed.failure}", entry.file)
        return None
    length = probed.seconds if probed.seconds is not None else entry.seconds
    fps = (entry.fps or probed.fps) if entry.in_frames else 1.0
    if fps is None:
        listing.problem(entry.line, f"video {shown(entry.name)}: its frame rate is not known", entry.file)
        return None
    intervals, judged = (
        tuple(
            interval
            for segment in segments
            if (label := names.name(segment.label)[0]) is not None
            and (interval := _interval(segment, label, entry, (fps, length), listing)) is not None
        )
        for segments in (entry.segments, entry.judged or ())
    )
    facts = FileFacts(probed.num_bytes, probed.num_pixels, probed.fps or 0.0, length or 0.0)
    known = None if entry.judged is None else (*intervals, *judged)
    return LabelledVideo(entry.name, located.path, intervals, entry.group, entry.subset, length, facts, known)


def _interval(
    segment: Segment, label: str, entry: Entry, timing: tuple[float, float | None], listing: Listing
) -> Interval | None:
    """The segment in seconds, clipped to the video's length; `timing` is (annotated units per second, length)."""
    fps, length = timing
    start, end = segment.start / fps, segment.end / fps
    if length is None or end <= length:
        return Interval(label, start, end)
    if math.isinf(end):
        return Interval(label, start, length)
    what = f"video {shown(entry.name)}: {label} from {start:g} to {end:g} s"
    if start >= length:
        listing.problem(segment.line, f"{what} begins after the video's end at {length:g} s; left out", segment.file)
        return None
    if end > length + END_TOLERANCE_SECONDS:
        listing.problem(segment.line, f"{what} ends after the video, at {length:g} s; clipped", segment.file)
    return Interval(label, start, length)


def _sorted(listing: Listing) -> tuple[Problem, ...]:
    """The problems in the order of files and lines; the first ones where there are too many to read."""
    problems = sorted(listing.problems, key=lambda problem: (str(problem.file), problem.line or 0))
    more = len(problems) - MAX_PROBLEMS
    if more <= 0:
        return tuple(problems)
    return (*problems[:MAX_PROBLEMS], Problem(listing.source, None, f"and {more} problems more"))
