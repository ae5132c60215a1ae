"""Scores to events with the tracker that serves, and the search for thresholds that suit it."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from services.inference.tracker import Tracker, TrackerState
from shared.manifest import Thresholds
from training.metrics import Matches, match
from training.sequences import Sequence8Bit
from training.truth import Interval

ENTERS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
EXIT_SHARES = (0.4, 0.7)
MIN_SECONDS = (0.25, 0.5, 1.0)
MERGE_SECONDS = (1.0, 2.0)
NEAR_BEST = 0.01
"""Differences of F1 below this are chance."""


def events_of(
    labels: Sequence[str],
    thresholds: Mapping[str, Thresholds],
    times_seconds: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> list[Interval]:
    """The events of one sequence's scores [T, L], as the worker would record them."""
    tracker = Tracker(labels, thresholds, TrackerState())
    transitions = []
    for at_seconds, row in zip(times_seconds.tolist(), scores.tolist(), strict=True):
        transitions += tracker.update(round(at_seconds * 1000), at_seconds, 0, row)
    transitions += tracker.close_all("source_ended")
    return [
        Interval(closed.label, closed.track.started_at_ms / 1000, closed.track.last_above_ms / 1000)
        for closed in transitions
        if closed.kind == "closed"
    ]


def matches_by_label(
    labels: Sequence[str],
    thresholds: Mapping[str, Thresholds],
    sequences: Sequence[Sequence8Bit],
    scores: Sequence[NDArray[np.float32]],
) -> dict[str, Matches]:
    """For each label how its events over all sequences match the truth."""
    totals = dict.fromkeys(labels, Matches())
    for sequence, rows in zip(sequences, scores, strict=True):
        events = events_of(labels, thresholds, sequence.times_seconds, rows)
        for label in labels:
            found = [event for event in events if event.label == label]
            totals[label] += match(found, [true for true in sequence.truth if true.label == label])
    return totals


def tuned_thresholds(
    labels: Sequence[str], sequences: Sequence[Sequence8Bit], scores: Sequence[NDArray[np.float32]]
) -> dict[str, Thresholds]:
    """For each label the thresholds with the best event F1; among equals, a middle one."""
    grid = [
        Thresholds(enter=enter, exit=round(enter * share, 3), min_seconds=shortest, merge_seconds=merge)
        for merge, shortest, share, enter in product(MERGE_SECONDS, MIN_SECONDS, EXIT_SHARES, ENTERS)
    ]
    results = [matches_by_label(labels, dict.fromkeys(labels, choice), sequences, scores) for choice in grid]
    tuned = {}
    for label in labels:
        best = max(result[label].f1 for result in results)
        winners = [choice for choice, result in zip(grid, results, strict=True) if result[label].f1 >= best - NEAR_BEST]
        tuned[label] = sorted(winners, key=lambda choice: choice.enter)[len(winners) // 2]
    return tuned
