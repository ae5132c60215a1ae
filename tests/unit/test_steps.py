from hypothesis import given
from hypothesis import strategies as st

from services.inference.steps import Elapsed, arrange, elapsed


def test_elapsed_says_why_a_memory_is_emptied() -> None:
    assert elapsed(None, 5000, 10) == Elapsed(0.0, "first")
    assert elapsed(4875, 5000, 10) == Elapsed(0.125)
    assert elapsed(5000, 15_000, 10) == Elapsed(10.0)
    assert elapsed(5000, 15_001, 10) == Elapsed(0.0, "gap")


def test_frames_of_one_stream_fall_into_consecutive_steps() -> None:
    steps = arrange([7, 3, 7, 7], [Elapsed(0.0, "first"), Elapsed(0.2), Elapsed(0.1), Elapsed(0.0, "gap")])
    assert [step.frames for step in steps] == [[0, 1], [2], [3]]
    assert [step.rows for step in steps] == [[7, 3], [7], [7]]
    assert [step.dt_seconds for step in steps] == [[0.0, 0.2], [0.1], [0.0]]
    assert [step.resets for step in steps] == [[7], [], [7]]


@given(st.lists(st.integers(0, 5), max_size=50))
def test_every_frame_is_in_one_step_and_no_stream_twice_in_any(rows: list[int]) -> None:
    steps = arrange(rows, [Elapsed(0.1)] * len(rows))
    assert sorted(frame for step in steps for frame in step.frames) == list(range(len(rows)))
    for step in steps:
        assert len(set(step.rows)) == len(step.rows)
    order = [frame for step in steps for frame in step.frames]
    for row in set(rows):
        frames = [frame for frame in order if rows[frame] == row]
        assert frames == sorted(frames)
