"""Chaos must be able to tell: whatever is lost, doubled or changed is a difference."""

from dataclasses import replace
from typing import Any

import pytest

from chaos.observed import Observed, differences
from shared.events import Event

EVENT = Event(
    id="a.moved.2000",
    stream_id="a",
    label="moved",
    state="closed",
    started_at_ms=2000,
    ended_at_ms=3000,
    media_started_seconds=1.0,
    peak_score=0.9,
    mean_score=0.8,
    model="tiny@00000000",
    epoch=1,
    close_reason="score",
)
FEED = (("opened", EVENT.id), ("closed", EVENT.id))
SEEN = Observed(2, 0, {"1000-0": {"moved": 0.1}, "2000-0": {"moved": 0.9}}, {EVENT.id: EVENT}, FEED)


def with_event(**changes: Any) -> Observed:
    return replace(SEEN, events={EVENT.id: EVENT.model_copy(update=changes)})


@pytest.mark.parametrize(
    "found",
    [
        replace(SEEN, scores={"1000-0": {"moved": 0.1005}, "2000-0": {"moved": 0.8995}}),
        with_event(epoch=2),
        with_event(peak_score=0.9005),
    ],
    ids=["scores within tolerance", "another epoch", "peak within tolerance"],
)
def test_what_may_differ(found: Observed) -> None:
    assert differences({"a": SEEN}, {"a": found}) == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (replace(SEEN, scores={"1000-0": {"moved": 0.1}}, frames_processed=1), "frame 2000-0 is missing"),
        (
            replace(SEEN, scores={**SEEN.scores, "3000-0": {"moved": 0.1}}, frames_processed=3),
            "frame 3000-0 is too much",
        ),
        (replace(SEEN, scores={**SEEN.scores, "2000-0": {"moved": 0.902}}), "frame 2000-0 scores"),
        (replace(SEEN, scores={**SEEN.scores, "2000-0": {"frozen": 0.9}}), "frame 2000-0 scores"),
        (replace(SEEN, frames_processed=3), "counts 3 frames and has scores of 2"),
        (replace(SEEN, frames_dropped=1), "dropped 1 frames"),
        (replace(SEEN, events={}), "event a.moved.2000 is missing"),
        (with_event(ended_at_ms=3125), "event a.moved.2000 is"),
        (with_event(close_reason="gap"), "event a.moved.2000 is"),
        (with_event(memory_reset="gap"), "event a.moved.2000 is"),
        (with_event(mean_score=0.802), "another mean_score"),
        (replace(SEEN, feed=(*FEED, FEED[1])), "feed"),
    ],
)
def test_what_must_not_differ(found: Observed, words: str) -> None:
    lines = differences({"a": SEEN}, {"a": found})
    assert len(lines) == 1
    assert words in lines[0]


def test_a_stream_that_is_not_there() -> None:
    assert differences({"a": SEEN}, {}) == ["a: only in one of the runs"]
