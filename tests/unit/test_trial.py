"""Batches that fail: networks that raise as no real one can be made to on a machine without a GPU."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from worker_runner import save_random_model

from services.inference.models.runner import Runner
from services.inference.models.steps import Elapsed
from services.inference.models.trial import ToScore, attempt, warm_up
from services.inference.network.weights import load_model
from shared.entries import NUM_TOLD

CPU = torch.device("cpu")
ROWS = [0, 1, 2, 0, 1, 2, 2, 0]
POISON = 255


def raising(runner: Runner, check: Callable[[Tensor], None]) -> Runner:
    encode, steps = runner._network.encode, runner._network.steps

    def checked(images: Tensor, told: Tensor | None = None) -> Tensor:
        check(images)
        return encode(images, told)

    def late(features: Tensor, dt_seconds: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        if (state == POISON).any():
            raise ValueError("a state that steps do not take")
        return steps(features, dt_seconds, state)

    runner._network.encode, runner._network.steps = checked, late  # type: ignore[method-assign]
    return runner


def crowded(pictures: Tensor) -> None:
    if len(pictures) > 3:
        raise torch.OutOfMemoryError("more than 3 pictures")


def poisoned(pictures: Tensor) -> None:
    if (pictures == POISON).flatten(1).all(1).any():
        raise ValueError("a picture that the network does not take")


def opened(tmp_path: Path, check: Callable[[Tensor], None]) -> Runner:
    runner = raising(Runner(load_model(tmp_path / "tiny", CPU), CPU), check)
    for _ in range(3):
        runner.acquire(None)
    return runner


def film() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 250, (len(ROWS), 3, 32, 48), dtype=np.uint8)


def seen(runner: Runner, pictures: NDArray[np.uint8], resets: tuple[int, ...] = ()) -> ToScore:
    rows = sorted({row for row in range(64) if row not in runner._free})
    times = [Elapsed(0.0, "gap") if index in resets else Elapsed(0.125) for index in range(len(ROWS))]
    return ToScore(pictures, [rows[each] for each in ROWS], times, np.zeros((len(ROWS), NUM_TOLD), np.float32))


@pytest.fixture(autouse=True)
def _model(tmp_path: Path) -> None:
    save_random_model(tmp_path)


def test_what_is_too_much_for_the_memory_is_tried_in_halves_and_so_from_then_on(tmp_path: Path) -> None:
    free, tight = (opened(tmp_path, check) for check in (lambda _: None, crowded))
    for resets in ((), (3, 5)):
        wanted, found = (attempt(each, frames := seen(each, film(), resets), frames.rows[:3]) for each in (free, tight))
        assert found.faults == {}
        assert np.allclose(found.computed.scores, wanted.computed.scores, atol=1e-6)
        assert np.allclose(found.computed.states, wanted.computed.states, atol=1e-5)
    assert tight.most_frames == 2
    assert free.most_frames > 1000


def test_a_stream_that_the_network_fails_on_leaves_the_others_as_if_it_had_not_been_there(tmp_path: Path) -> None:
    well, ill = (opened(tmp_path, check) for check in (lambda _: None, poisoned))
    good, bad = film(), film()
    bad[4] = POISON
    wanted = attempt(well, seen(well, good), seen(well, good).rows[:3])
    frames = seen(ill, bad)
    found = attempt(ill, frames, frames.rows[:3])
    faulty = frames.rows[4]
    assert {row: str(err) for row, err in found.faults.items()} == {faulty: "a picture that the network does not take"}
    others = [index for index, row in enumerate(frames.rows) if row != faulty]
    assert np.allclose(found.computed.scores[others], wanted.computed.scores[others], atol=1e-6)
    assert np.allclose(found.computed.states[[0, 2]], wanted.computed.states[[0, 2]], atol=1e-5)
    assert not ill.state(faulty).any()
    assert attempt(ill, seen(ill, good), ()).faults == {}


def test_a_batch_that_fails_after_some_of_its_blocks_has_moved_no_state(tmp_path: Path) -> None:
    runner = opened(tmp_path, lambda _: None)
    spoilt = runner.acquire(np.full(runner.manifest.state_size, POISON, np.float32))
    first = seen(runner, film()).rows[0]
    times, told = [Elapsed(0.125)] * 3, np.zeros((3, NUM_TOLD), np.float32)
    found = attempt(runner, ToScore(film()[:3], [first, spoilt, spoilt], times, told), [first])
    alone = opened(tmp_path, lambda _: None)
    row = seen(alone, film()).rows[0]
    wanted = attempt(alone, ToScore(film()[:1], [row], times[:1], told[:1]), [row])
    assert set(found.faults) == {spoilt}
    assert np.allclose(found.computed.states, wanted.computed.states, atol=1e-5)


def test_where_nothing_fits_the_model_is_of_no_use_here(tmp_path: Path) -> None:
    def nothing(_: Tensor) -> None:
        raise torch.OutOfMemoryError("not even one")

    runner = opened(tmp_path, nothing)
    with pytest.raises(torch.OutOfMemoryError, match="not even one"):
        warm_up(runner, 4)
    assert runner.most_frames == 1
