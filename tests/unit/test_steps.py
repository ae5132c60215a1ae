from hypothesis import given
from hypothesis import strategies as st

from services.inference.models.steps import Block, Elapsed, Reset, arrange, elapsed


def test_elapsed_says_why_a_memory_is_emptied() -> None:
    assert elapsed(None, 5000, 10) == Elapsed(0.0, "first")
    assert elapsed(4875, 5000, 10) == Elapsed(0.125)
    assert elapsed(5000, 15_000, 10) == Elapsed(10.0)
    assert elapsed(5000, 15_001, 10) == Elapsed(0.0, "gap")


def test_a_frame_of_each_stream_is_one_block() -> None:
    [block] = arrange([7, 3, 5], [Elapsed(0.0, "first"), Elapsed(0.2), Elapsed(0.1)])
    assert block == Block([[0], [1], [2]], [[0.0], [0.2], [0.1]], [7, 3, 5], [7])


def test_runs_of_one_length_share_a_block() -> None:
    blocks = arrange([7, 3, 5, 3, 7], [Elapsed(0.1)] * 5)
    assert blocks == [Block([[2]], [[0.1]], [5], []), Block([[0, 4], [1, 3]], [[0.1, 0.1]] * 2, [7, 3], [])]


def test_a_reset_begins_a_run_that_waits_for_the_one_before() -> None:
    blocks = arrange([7, 7, 7], [Elapsed(0.1), Elapsed(0.1), Elapsed(0.0, "gap")])
    assert blocks == [Block([[0, 1]], [[0.1, 0.1]], [7], []), Block([[2]], [[0.0]], [7], [7])]


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([None, None, "gap"])), max_size=50))
def test_every_frame_is_in_one_run_in_order_and_no_stream_twice_in_a_block(
    entries: list[tuple[int, Reset | None]],
) -> None:
    rows = [row for row, _ in entries]
    blocks = arrange(rows, [Elapsed(0.1, reset) for _, reset in entries])
    assert sorted(frame for block in blocks for run in block.frames for frame in run) == list(range(len(rows)))
    for block in blocks:
        assert len(set(block.rows)) == len(block.rows)
        assert len({len(run) for run in block.frames}) == 1
    for row in set(rows):
        runs = [block.frames[block.rows.index(row)] for block in blocks if row in block.rows]
        frames = [frame for run in runs for frame in run]
        assert frames == [index for index, each in enumerate(rows) if each == row]
        assert all(entries[frame][1] is None for run in runs for frame in run[1:])
