from hypothesis import given
from hypothesis import strategies as st

from shared.life.tracker import Track, Tracker, TrackerState, Transition
from shared.manifest import Thresholds

FRAME_MS = 125
THRESHOLDS = Thresholds(enter=0.6, exit=0.4, min_seconds=0.5, merge_seconds=1.0)


def tracker(*labels: str, state: TrackerState | None = None, frame_ms: float = FRAME_MS) -> Tracker:
    names = labels or ("frozen",)
    return Tracker(names, dict.fromkeys(names, THRESHOLDS), state or TrackerState(), frame_ms)


def play(one: Tracker, scores: list[float], first_frame: int = 0) -> list[tuple[int, Transition]]:
    """What a single label's scores bring about, with the number of the frame that did."""
    return [
        (frame, transition)
        for frame, score in enumerate(scores, start=first_frame)
        for transition in one.update(frame * FRAME_MS, frame * FRAME_MS / 1000, 1, [score])
    ]


def kinds(transitions: list[tuple[int, Transition]]) -> list[tuple[int, str]]:
    return [(frame, transition.kind) for frame, transition in transitions]


def test_opens_after_the_minimum_and_closes_after_the_merge_gap() -> None:
    found = play(tracker(), [0.1, 0.7, 0.9, 0.5, 0.8, 0.7] + [0.1] * 10)
    assert kinds(found) == [(5, "opened"), (13, "closed")]
    closed = found[-1][1]
    assert closed.track.started_at_ms == 1 * FRAME_MS
    assert closed.track.last_above_ms == 5 * FRAME_MS
    assert closed.track.peak_score == 0.9
    assert abs(closed.track.mean_score - (0.7 + 0.9 + 0.5 + 0.8 + 0.7) / 5) < 1e-9
    assert closed.close_reason == "score"


def test_a_short_burst_is_no_event() -> None:
    assert play(tracker(), [0.9, 0.9, 0.9, 0.1] * 10) == []


def test_scores_between_the_thresholds_never_begin_an_event_but_keep_one() -> None:
    assert play(tracker(), [0.55] * 40) == []
    assert kinds(play(tracker(), [0.7] + [0.45] * 40)) == [(4, "opened")]


def test_a_dip_shorter_than_the_merge_gap_does_not_end_an_event() -> None:
    found = play(tracker(), [0.9] * 6 + [0.1] * 6 + [0.9] * 3 + [0.1] * 20)
    assert kinds(found) == [(4, "opened"), (22, "closed")]
    assert found[-1][1].track.num_frames == 9


def test_two_faults_with_lost_frames_between_them_are_two() -> None:
    one = tracker()
    assert kinds(play(one, [0.9] * 8)) == [(4, "opened")]
    found = play(one, [0.9] * 8, first_frame=80)
    assert kinds(found) == [(80, "closed"), (84, "opened")]
    assert (found[0][1].close_reason, found[0][1].track.last_above_ms) == ("gap", 7 * FRAME_MS)
    assert found[1][1].track.started_at_ms == 80 * FRAME_MS


def test_a_fault_that_comes_again_after_a_dip_with_lost_frames_is_another() -> None:
    one = tracker()
    assert kinds(play(one, [0.9] * 8 + [0.1])) == [(4, "opened")]
    found = play(one, [0.9] * 8, first_frame=8 + 9)
    assert kinds(found) == [(17, "closed"), (21, "opened")]
    assert found[0][1].close_reason == "score"


def test_frames_that_are_far_apart_are_no_hole() -> None:
    one = tracker(frame_ms=4000)
    found = [kind.kind for at_ms in range(0, 40_000, 4000) for kind in one.update(at_ms, at_ms / 1000, 1, [0.9])]
    assert found == ["opened"]


def test_a_few_lost_frames_end_nothing() -> None:
    one = tracker()
    play(one, [0.9] * 8)
    assert play(one, [0.9] * 8, first_frame=14) == []


def test_after_a_dip_only_the_entry_threshold_continues_an_event() -> None:
    found = play(tracker(), [0.9] * 6 + [0.1] + [0.5] * 20)
    assert kinds(found) == [(4, "opened"), (13, "closed")]
    assert found[-1][1].track.last_above_ms == 5 * FRAME_MS


def test_closing_all_ends_events_and_forgets_what_was_none_yet() -> None:
    both = tracker("frozen", "moved")
    for frame in range(8):
        both.update(frame * FRAME_MS, 0.0, 1, [0.9, 0.9 if frame > 6 else 0.0])
    ended = both.close_all("source_ended")
    assert [(t.kind, t.label, t.close_reason) for t in ended] == [("closed", "frozen", "source_ended")]
    assert both.state.tracks == {}


def test_missed_frames_and_resets_are_recorded_on_the_next_event_alone() -> None:
    one = tracker()
    one.note_missed(3)
    one.note_missed(4)
    one.note_reset("gap")
    found = play(one, [0.9] * 6 + [0.0] * 10 + [0.9] * 6)
    opened = [transition.track for _, transition in found if transition.kind == "opened"]
    closed = [transition.track for _, transition in found if transition.kind == "closed"]
    assert [(track.frames_missed, track.memory_reset) for track in opened] == [(7, "gap"), (0, None)]
    assert (closed[0].frames_missed, closed[0].memory_reset) == (7, "gap")


@given(st.lists(st.floats(0, 1), max_size=80), st.integers(0, 80))
def test_a_tracker_restored_half_way_finds_the_same(scores: list[float], cut: int) -> None:
    cut = min(cut, len(scores))
    whole = play(tracker(), scores)
    first = tracker()
    found = play(first, scores[:cut])
    tracks = {label: Track(*track) for label, track in first.state.tracks.items()}
    restored = tracker(state=TrackerState(tracks, first.state.frames_missed, first.state.memory_reset))
    assert found + play(restored, scores[cut:], first_frame=cut) == whole


@given(st.lists(st.floats(0, 1), max_size=200))
def test_openings_and_closings_alternate_and_last_long_enough(scores: list[float]) -> None:
    found = play(tracker(), scores)
    assert [t.kind for _, t in found] == (["opened", "closed"] * len(found))[: len(found)]
    for _, transition in found:
        track = transition.track
        assert track.last_above_ms - track.started_at_ms >= THRESHOLDS.min_seconds * 1000
        assert 0.4 <= track.mean_score <= track.peak_score <= 1
