"""Scores of videos beside their truth, judged: average precision, clips, events. Pure computation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.manifest import Manifest
from training.evaluation import NAN, Curve, EventResult, Pass, Strip, over_time
from training.events import Detection, detections_of, judged
from training.metrics import precision_recall
from training.precision import counted, precisions_of
from training.sequences import Sequence8Bit
from training.truth import Interval

MAX_CURVE_POINTS = 400
MAX_STRIPS = 8

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ScoredVideo:
    """One video's scores [T, L] by a model of L labels; its sequences hold no pictures any more."""

    name: str
    sequence: Sequence8Bit
    with_memory: Scores
    without_memory: Scores
    shuffled_sequence: Sequence8Bit
    shuffled: Scores
    seconds: float


@dataclass(frozen=True, slots=True)
class Judge:
    """By what the videos are judged."""

    manifest: Manifest
    labels: tuple[str, ...]
    """those of the model's labels that the data can judge"""
    tolerance_seconds: float

    def passes(self, videos: Sequence[ScoredVideo]) -> tuple[Pass, Pass, Pass]:
        """With memory, without, and shuffled."""
        straight = [video.sequence for video in videos]
        with_memory = self._pass(videos, straight, [video.with_memory for video in videos], has_events=True)
        without = self._pass(videos, straight, [video.without_memory for video in videos], has_events=True)
        mixed = [video.shuffled_sequence for video in videos]
        shuffled = self._pass(videos, mixed, [video.shuffled for video in videos], has_events=False)
        return with_memory, without, shuffled

    def floor(self, videos: Sequence[ScoredVideo], rows: Sequence[NDArray[np.float32]]) -> Pass:
        """What scores [L] that stay the same throughout each video come to, without events."""
        scores = [np.broadcast_to(row, video.with_memory.shape) for video, row in zip(videos, rows, strict=True)]
        return self._pass(videos, [video.sequence for video in videos], scores, has_events=False)

    def prevalence(self, videos: Sequence[ScoredVideo]) -> dict[str, float]:
        """For each label the share of the frames that count on which it holds."""
        sequences = [video.sequence for video in videos]
        return {label: self._share(sequences, label) for label in self.labels}

    def strips(self, videos: Sequence[ScoredVideo]) -> tuple[Strip, ...]:
        """Videos to look at: each adds as many labels as it can to those before; then others evenly spaced."""
        return tuple(self._strip(videos[index]) for index in _chosen(videos, self.labels))

    def _pass(
        self,
        videos: Sequence[ScoredVideo],
        sequences: Sequence[Sequence8Bit],
        scores: Sequence[Scores],
        *,
        has_events: bool,
    ) -> Pass:
        precisions = precisions_of(self.manifest.labels, sequences, scores)
        columns = {label: self.manifest.labels.index(label) for label in self.labels}
        return Pass(
            average_precision={label: precisions[label] for label in self.labels},
            clip_accuracy=_clip_accuracy(columns, [video.sequence.truth for video in videos], scores),
            events=self._events(videos, scores) if has_events else {},
            curves={
                label: _curve(*counted(sequences, scores, column))
                for label, column in columns.items()
                if not math.isnan(precisions[label])
            },
        )

    def _events(self, videos: Sequence[ScoredVideo], scores: Sequence[Scores]) -> dict[str, EventResult]:
        by_video = [self._detections(video, rows) for video, rows in zip(videos, scores, strict=True)]
        return {
            label: over_time(
                self._event_result(video, [each for each in found if each.interval.label == label], label)
                for video, found in zip(videos, by_video, strict=True)
            )
            for label in self.labels
        }

    def _event_result(self, video: ScoredVideo, found: Sequence[Detection], label: str) -> EventResult:
        """One label's events in one video; where a label's truth is unknown throughout, nothing is judged."""
        column = self.manifest.labels.index(label)
        result = judged([each.interval for each in found], video.sequence, label, column, self.tolerance_seconds)
        if not result:
            return EventResult()
        delays = tuple(found[event].opened_seconds - true.start_seconds for event, true in result.pairs)
        return EventResult(result.matches, delays, video.seconds)

    def _detections(self, video: ScoredVideo, scores: Scores) -> list[Detection]:
        thresholds = {label: self.manifest.thresholds_for(label) for label in self.manifest.labels}
        return detections_of(self.manifest.labels, thresholds, video.sequence.times_seconds, scores)

    def _share(self, sequences: Sequence[Sequence8Bit], label: str) -> float:
        column = self.manifest.labels.index(label)
        _, targets = counted(sequences, [sequence.targets for sequence in sequences], column)
        return float(targets.mean()) if len(targets) else NAN

    def _strip(self, video: ScoredVideo) -> Strip:
        columns = [self.manifest.labels.index(label) for label in self.labels]
        return Strip(
            name=video.name,
            times_seconds=video.sequence.times_seconds,
            with_memory=video.with_memory[:, columns],
            without_memory=video.without_memory[:, columns],
            truth=video.sequence.truth,
            events=tuple(each.interval for each in self._detections(video, video.with_memory)),
        )


def _clip_accuracy(columns: Mapping[str, int], truths: Sequence[Sequence[Interval]], scores: Sequence[Scores]) -> float:
    """The share of clips whose label has the highest mean score, among clips of exactly one label that is judged."""
    labels, places = list(columns), list(columns.values())
    right = []
    for truth, rows in zip(truths, scores, strict=True):
        names = {true.label for true in truth}
        if len(names) == 1 and names <= columns.keys():
            right.append(labels[int(rows[:, places].mean(axis=0).argmax())] in names)
    return sum(right) / len(right) if right else NAN


def _curve(scores: Scores, targets: NDArray[np.float32]) -> Curve:
    precision, recall = precision_recall(scores, targets)
    if len(recall) > MAX_CURVE_POINTS:
        keep = np.unique(np.searchsorted(recall, np.linspace(recall[0], 1, MAX_CURVE_POINTS)))
        precision, recall = precision[keep], recall[keep]
    return Curve(precision, recall)


def _chosen(videos: Sequence[ScoredVideo], labels: Sequence[str]) -> list[int]:
    wanted = set(labels)
    holds = [{true.label for true in video.sequence.truth} & wanted for video in videos]
    chosen: list[int] = []
    while len(chosen) < MAX_STRIPS and wanted:
        best = max(range(len(videos)), key=lambda index: len(holds[index] & wanted))
        if not holds[best] & wanted:
            break
        chosen.append(best)
        wanted -= holds[best]
    others = [index for index in range(len(videos)) if index not in chosen]
    room = min(MAX_STRIPS - len(chosen), len(others))
    chosen += [others[index * len(others) // room] for index in range(room)]
    return sorted(chosen)
