"""Judging: what scores come to beside the truth, in figures, JSON and words."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from judged import JUDGE, evaluation_of, scored
from numpy.typing import NDArray

from training.evaluation import Evaluation, EventResult
from training.memory_use import Need, summary, verdicts
from training.metrics import Matches, matched_pairs
from training.truth import Interval

FALL = Interval("fall", 4.0, 8.0)


def rows(*spans: tuple[str, float, float], high: float = 0.9, seconds: float = 20.0) -> NDArray[np.float32]:
    """Scores that are high where the spans say."""
    times = np.arange(round(seconds * 8)) / 8
    found = np.full((len(times), 2), 0.01, np.float32)
    for label, start, end in spans:
        found[(times >= start) & (times < end), JUDGE.labels.index(label)] = high
    return found


def test_perfect_scores_make_a_perfect_evaluation() -> None:
    found = evaluation_of(scored("a", (FALL,), rows(("fall", 4, 8))), scored("b", (), rows()))
    assert found.with_memory.average_precision["fall"] == 1
    assert found.with_memory.mean_average_precision == 1, "a label that does not occur is left out of the mean"
    assert math.isnan(found.with_memory.average_precision["walk"])
    assert found.prevalence["fall"] == pytest.approx(4 / 40)
    events = found.with_memory.events["fall"]
    assert events.matches == Matches(found=1)
    assert events.onset_delay_median_seconds == pytest.approx(0.5), "an event opens once it has lasted min_seconds"
    assert (found.num_videos, found.seconds) == (2, 40.0)


def test_delay_counts_from_the_true_start_to_the_frame_that_opens_the_event() -> None:
    found = evaluation_of(scored("a", (FALL,), rows(("fall", 4.75, 8))))
    assert found.with_memory.events["fall"].onset_delay_median_seconds == pytest.approx(1.25)


def test_false_events_count_per_hour_watched() -> None:
    found = evaluation_of(scored("a", (), rows(("walk", 2, 4), ("walk", 10, 12))), scored("b", (), rows()))
    assert found.with_memory.events["walk"].false_per_hour == pytest.approx(2 * 3600 / 40)
    assert found.with_memory.all_events.false_per_hour == pytest.approx(2 * 3600 / 40), "labels share the time"
    assert found.with_memory.events["walk"].precision == 0
    assert math.isnan(found.with_memory.events["walk"].recall)


def test_what_nobody_could_say_is_not_judged() -> None:
    weights = np.ones((160, 2), np.float32)
    weights[:, 1] = 0
    weights[80:120, 0] = 0
    video = scored("a", (), rows(("walk", 2, 4), ("fall", 11, 14), ("fall", 17, 19)), weights=weights)
    events = evaluation_of(video).with_memory.events
    assert events["walk"] == EventResult(), "a label unknown throughout a video has no time either"
    assert events["fall"].matches == Matches(false=1), "an event wholly in an unknown stretch is not false"


@pytest.mark.parametrize(("tolerance", "pairs"), [(0.5, []), (1.0, [(0, 0)])])
def test_the_onset_may_be_off_by_the_tolerance(tolerance: float, pairs: list[tuple[int, int]]) -> None:
    assert matched_pairs([Interval("fall", 4.9, 5.4)], [FALL], tolerance) == pairs


def test_clip_accuracy_is_over_clips_of_one_label() -> None:
    walk = Interval("walk", 0, 20)
    right = scored("a", (FALL, Interval("fall", 10, 12)), rows(("fall", 4, 12)))
    wrong = scored("b", (walk,), rows(("fall", 4, 12)))
    both = scored("c", (FALL, walk), rows())
    strange = scored("d", (Interval("fly", 0, 20),), rows())
    assert evaluation_of(right, wrong, both, strange).with_memory.clip_accuracy == 0.5
    assert math.isnan(evaluation_of(both, strange).with_memory.clip_accuracy)


def test_the_json_has_exactly_its_keys_and_null_for_what_nothing_can_be_said_of() -> None:
    line = json.loads(json.dumps(evaluation_of(scored("a", (FALL,), rows(("fall", 4, 8)))).as_json(), allow_nan=False))
    figures = {"precision", "recall", "f1", "onset_delay_median_seconds", "false_per_hour"}
    about_the_data = {"learned_from", "tuned_on", "floor"}
    assert set(line) == {"model", "map", "clip_accuracy", "labels", "events", "videos", "seconds"} | about_the_data
    assert [line[name] for name in sorted(about_the_data)] == [None] * 3
    assert line["labels"]["walk"] == {"ap": None, "ap_without_memory": None, "ap_shuffled": None}
    assert line["labels"]["fall"]["ap"] == 1
    assert set(line["events"]) == figures | {"labels"}
    assert set(line["events"]["labels"]["fall"]) == figures
    assert line["events"]["labels"]["walk"]["f1"] is None
    assert (line["events"]["f1"], line["clip_accuracy"], line["videos"], line["seconds"]) == (1, 1, 1, 20)


def test_strips_cover_the_labels_first_and_are_bounded() -> None:
    empty = [scored(f"empty {index}", (), rows()) for index in range(20)]
    strips = evaluation_of(*empty, scored("fall", (FALL,), rows(("fall", 4, 8)))).strips
    assert len(strips) == 8
    assert strips[-1].name == "fall"
    assert [event.label for event in strips[-1].events] == ["fall"]


def test_long_curves_are_thinned_but_keep_their_ends() -> None:
    rng = np.random.default_rng(0)
    noise = rng.random((8000, 2), np.float32)
    found = evaluation_of(scored("a", (Interval("fall", 100, 600),), noise, seconds=1000))
    curve = found.with_memory.curves["fall"]
    assert len(curve.recall) <= 400
    assert curve.recall[-1] == 1
    assert curve.precision[-1] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("memory", "one_frame", "shuffled", "need", "recurrent", "said"),
    [
        (0.94, 0.16, 0.30, Need.ORDER, True, "needs memory and order: one frame finds 0.16, memory 0.94"),
        (0.94, 0.16, 0.92, Need.MEMORY, True, "in any order"),
        (0.94, 0.16, 0.80, Need.MEMORY, True, "less the order"),
        (0.94, 0.80, 0.50, Need.ORDER, False, "gains from memory and order"),
        (0.94, 0.92, 0.30, Need.ONE_FRAME, False, "one frame is enough: it finds 0.92"),
        (0.50, 0.80, 0.30, Need.REVERSED, False, "worse with memory"),
        (0.12, 0.11, 0.10, Need.UNKNOWN, False, "is not found: 0.12 with memory, where guessing gives 0.10"),
        (math.nan, math.nan, math.nan, Need.UNKNOWN, False, "does not occur"),
    ],
)
def test_what_memory_is_for_is_said_in_words(
    memory: float, one_frame: float, shuffled: float, need: Need, recurrent: bool, said: str
) -> None:
    [found] = verdicts(with_precisions(memory, one_frame, shuffled))
    assert (found.need, found.recurrent) == (need, recurrent)
    assert said in found.words


def test_the_summary_answers_whether_a_recurrent_net_is_needed() -> None:
    assert summary(verdicts(with_precisions(0.9, 0.1, 0.1))) == "A recurrent net is needed for `fall`."
    assert summary(verdicts(with_precisions(0.9, 0.9, 0.9))) == "A single frame is enough for `fall`."


def with_precisions(memory: float, one_frame: float, shuffled: float) -> Evaluation:
    found = replace(evaluation_of(scored("a", (), rows())), labels=("fall",), prevalence={"fall": 0.1})
    return replace(
        found,
        with_memory=replace(found.with_memory, average_precision={"fall": memory}),
        without_memory=replace(found.without_memory, average_precision={"fall": one_frame}),
        shuffled=replace(found.shuffled, average_precision={"fall": shuffled}),
    )
