"""Scores to events with the tracker that serves, and the search for thresholds that suit it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from services.inference.models.steps import elapsed
from shared.life.tracker import Tracker, TrackerState, Transition
from shared.manifest import Thresholds
from shared.streams import StreamSpec
from training.metrics import MAX_ONSET_SECONDS, Matches, matched_pairs
from training.sequences import Labelled
from training.truth import Interval

ENTERS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
EXIT_SHARES = (0.2, 0.4, 0.7)
MIN_SECONDS = (0.25, 0.5, 1.0)
MERGE_SECONDS = (1.0, 2.0)
DEFAULT_RESET_SECONDS: float = StreamSpec.model_fields["reset_after_seconds"].default
"""What a stream has that nobody set otherwise."""

LEAST_SECONDS = {"frozen": 1.0}
"""Of labels that mean nothing for less: a picture that stands for half a second is a network's doing."""
NEAR_BEST = 0.02
"""Differences of F1 below this are chance: it is half an event in fifty."""
MANY = 20
"""True events; with fewer, one more that is found or missed is chance, too."""


@dataclass(frozen=True, slots=True)
class Detection:
    """An event as the worker records it, and when it would have told of it."""

    interval: Interval
    opened_seconds: float
    """Time of the frame by which the event opened: at least the label's `min_seconds` after the interval's start,
    which is dated back to the first frame above `enter`."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Events of one label in one sequence, beside the truth."""

    matches: Matches
    pairs: tuple[tuple[int, Interval], ...]
    """the index of each event that matches, and what it matches"""


def detections_of(
    labels: Sequence[str],
    thresholds: Mapping[str, Thresholds],
    times_seconds: NDArray[np.float32],
    scores: NDArray[np.float32],
    reset_after_seconds: float = DEFAULT_RESET_SECONDS,
) -> list[Detection]:
    """The events of one sequence's scores [T, L], as the worker would record them; a long gap ends them."""
    frame_ms = 1000 * float(np.median(np.diff(times_seconds))) if len(times_seconds) > 1 else 0.0
    tracker = Tracker(labels, thresholds, TrackerState(), frame_ms)
    opened: dict[tuple[str, int], float] = {}
    closed: list[Transition] = []
    previous_ms: int | None = None
    for at_seconds, row in zip(times_seconds.tolist(), scores.tolist(), strict=True):
        at_ms = round(at_seconds * 1000)
        transitions = tracker.close_all("gap") if elapsed(previous_ms, at_ms, reset_after_seconds).reset else []
        transitions += tracker.update(at_ms, at_seconds, 0, row)
        previous_ms = at_ms
        opened |= {(each.label, each.track.started_at_ms): at_seconds for each in transitions if each.kind == "opened"}
        closed += [each for each in transitions if each.kind == "closed"]
    closed += tracker.close_all("source_ended")
    return [_detection(each, opened[each.label, each.track.started_at_ms]) for each in closed]


def _detection(closed: Transition, opened_seconds: float) -> Detection:
    track = closed.track
    return Detection(
        Interval(closed.label, track.started_at_ms / 1000, track.last_above_ms / 1000),
        opened_seconds,
    )


def events_of(
    labels: Sequence[str],
    thresholds: Mapping[str, Thresholds],
    times_seconds: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> list[Interval]:
    """When the events of one sequence's scores [T, L] lasted."""
    return [found.interval for found in detections_of(labels, thresholds, times_seconds, scores)]


def matches_by_label(
    labels: Sequence[str],
    thresholds: Mapping[str, Thresholds],
    sequences: Sequence[Labelled],
    scores: Sequence[NDArray[np.float32]],
) -> dict[str, Matches]:
    """For each label how its events over all sequences match the truth."""
    totals = dict.fromkeys(labels, Matches())
    for sequence, rows in zip(sequences, scores, strict=True):
        events = events_of(labels, thresholds, sequence.times_seconds, rows)
        for column, label in enumerate(labels):
            found = [event for event in events if event.label == label]
            if result := judged(found, sequence, label, column):
                totals[label] += result.matches
    return totals


def judged(
    events: Sequence[Interval],
    sequence: Labelled,
    label: str,
    column: int,
    tolerance_seconds: float = MAX_ONSET_SECONDS,
) -> Judged | None:
    """How the events of one label match a sequence's truth; None where that is unknown throughout.

    An event that lies wholly where the truth is unknown is not false.
    """
    counts = sequence.weights[:, column] > 0
    if not counts.any():
        return None
    truth = [true for true in sequence.truth if true.label == label]
    pairs = matched_pairs(events, truth, tolerance_seconds)
    others = set(range(len(events))) - {event for event, _ in pairs}
    num_false = sum(_counts_anywhere(events[index], sequence.times_seconds, counts) for index in others)
    matches = Matches(len(pairs), num_false, len(truth) - len(pairs))
    return Judged(matches, tuple((event, truth[true]) for event, true in pairs))


def _counts_anywhere(event: Interval, times_seconds: NDArray[np.float32], counts: NDArray[np.bool_]) -> bool:
    inside = (times_seconds >= event.start_seconds) & (times_seconds <= event.end_seconds)
    return bool(counts[inside].any())


def tuned_thresholds(
    labels: Sequence[str], sequences: Sequence[Labelled], scores: Sequence[NDArray[np.float32]]
) -> dict[str, Thresholds]:
    """For each label the thresholds with the best event F1; among equals, of those that tell soonest, with the fewest
    false events, a middle one.

    Where true events are few, all that come within about one event of the best are equals, and a middle one of them is
    taken: the strictest, that find just these few, find none elsewhere.
    """
    grid = [
        Thresholds(enter=enter, exit=round(enter * share, 3), min_seconds=shortest, merge_seconds=merge)
        for merge, shortest, share, enter in product(MERGE_SECONDS, MIN_SECONDS, EXIT_SHARES, ENTERS)
    ]
    results = [matches_by_label(labels, dict.fromkeys(labels, choice), sequences, scores) for choice in grid]
    tuned = {}
    for label in labels:
        tried = [
            (choice, result[label])
            for choice, result in zip(grid, results, strict=True)
            if choice.min_seconds >= LEAST_SECONDS.get(label, 0)
        ]
        best = max(result.f1 for _, result in tried)
        num_true = tried[0][1].found + tried[0][1].missed
        are_few = 0 < num_true < MANY
        slack = 1 / (num_true + 1) if are_few else NEAR_BEST
        near = [(choice, result.false) for choice, result in tried if result.f1 >= best - slack]
        finest = min((choice.min_seconds, false) for choice, false in near)
        winners = [choice for choice, false in near if are_few or (choice.min_seconds, false) == finest]
        tuned[label] = sorted(winners, key=lambda choice: (choice.enter, choice.min_seconds))[len(winners) // 2]
    return tuned
