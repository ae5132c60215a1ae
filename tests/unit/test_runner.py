from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from worker_runner import save_random_model

from services.inference.models.graphs import StepGraphs, size_for
from services.inference.models.runner import FIRST_CAPACITY, Computed, Runner, choose_device
from services.inference.models.steps import Block, Elapsed, arrange
from services.inference.network.network import build_network
from services.inference.network.weights import load_model, save_model
from shared.entries import NUM_TOLD
from shared.errors import SettingsInvalid
from shared.manifest import InputSpec

CPU = torch.device("cpu")


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    save_random_model(tmp_path)
    return Runner(load_model(tmp_path / "tiny", CPU), CPU)


def images(count: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 3, 32, 48), dtype=np.uint8)


def frame_by_frame(runner: Runner, film: NDArray[np.uint8], row: int) -> list[Computed]:
    return [runner.run(picture[None], [Block([[0]], [[0.125]], [row], [])], [row]) for picture in film]


def test_a_run_of_frames_gives_what_the_frames_one_by_one_give(runner: Runner) -> None:
    film = images(40)
    single = frame_by_frame(runner, film, runner.acquire(None))
    row = runner.acquire(None)
    whole = runner.run(film, arrange([row] * 40, [Elapsed(0.125)] * 40), [row])
    assert np.allclose(whole.scores, np.concatenate([computed.scores for computed in single]), atol=1e-5)
    assert np.allclose(whole.states, single[-1].states, atol=1e-5)


def test_a_reset_row_is_as_a_fresh_one(runner: Runner) -> None:
    film = images(3)
    used, fresh = runner.acquire(None), runner.acquire(None)
    frame_by_frame(runner, images(5, seed=1), used)
    reset = runner.run(film, arrange([used] * 3, [Elapsed(0.0, "gap"), Elapsed(0.1), Elapsed(0.1)]), [used])
    first = runner.run(film, arrange([fresh] * 3, [Elapsed(0.0), Elapsed(0.1), Elapsed(0.1)]), [fresh])
    assert np.array_equal(reset.scores, first.scores)


def test_a_state_goes_out_and_comes_back_bit_for_bit(runner: Runner) -> None:
    row = runner.acquire(None)
    [before] = frame_by_frame(runner, images(1), row)
    restored = runner.acquire(before.states[0].copy())
    after = runner.run(images(1, seed=2), [Block([[0]], [[0.125]], [restored], [])], [restored])
    went_on = runner.run(images(1, seed=2), [Block([[0]], [[0.125]], [row], [])], [row])
    assert np.array_equal(after.scores, went_on.scores)
    assert np.array_equal(after.states, went_on.states)


def test_the_slab_grows_and_keeps_what_it_holds(runner: Runner) -> None:
    vector = np.arange(runner.manifest.state_size, dtype=np.float32)
    rows = [runner.acquire(vector + number) for number in range(FIRST_CAPACITY + 1)]
    assert len(set(rows)) == FIRST_CAPACITY + 1
    states = runner.run(images(1), [], rows).states
    assert np.array_equal(states[:, 0], np.arange(FIRST_CAPACITY + 1, dtype=np.float32))
    runner.release(rows[3])
    assert runner.acquire(None) == rows[3]
    assert not runner.run(images(1), [], [rows[3]]).states.any()


def test_a_device_that_is_not_here_is_named_with_those_that_are() -> None:
    assert choose_device("cpu") == CPU
    with pytest.raises(SettingsInvalid, match=r"'cuda:7'.*cpu"):
        choose_device("cuda:7")


def test_what_is_told_reaches_the_network_with_its_frames(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_network({"appearance": 0, "change": 0, "figures": True, "hidden": 8}, 2, 32, 48)
    spec = InputSpec(height=32, width=48)
    save_model(tmp_path / "told", network, labels=("one", "two"), fps=8, input_spec=spec, thresholds={})
    told = Runner(load_model(tmp_path / "told", CPU), CPU)
    film, facts = images(40), np.random.default_rng(0).random((40, NUM_TOLD), np.float32)
    blocks = arrange([told.acquire(None)] * 20 + [told.acquire(None)] * 20, [Elapsed(0.125)] * 40)
    without = told.run(film, blocks, [0]).scores
    again = arrange([told.acquire(None)] * 20 + [told.acquire(None)] * 20, [Elapsed(0.125)] * 40)
    facts[30, :-1] = np.nan
    scores = told.run(film, again, [0], facts).scores
    assert np.allclose(without[0], without[20])
    assert not np.isclose(scores, without).any()
    assert np.isfinite(scores).all()


def test_steps_in_buckets_are_those_of_the_network_whatever_was_there_before() -> None:
    torch.manual_seed(0)
    network = build_network({"appearance": 8, "change": 8, "histograms": True, "hidden": 8}, 2, 32, 48).eval()
    graphs = StepGraphs(network, CPU)
    with torch.inference_mode():
        for num_streams, num_frames in ((3, 1), (1, 1), (4, 1), (5, 1), (2, 1), (2, 3)):
            features = network.encode(torch.from_numpy(images(num_streams * num_frames, num_streams)))
            features = features.view(num_streams, num_frames, -1)
            dt_seconds, state = torch.rand(num_streams, num_frames), torch.zeros(num_streams, network.state_size)
            for _ in range(2):
                found = graphs.steps(features, dt_seconds, state)
                wanted = network.steps(features, dt_seconds, state)
                assert all(torch.allclose(*pair, atol=1e-5) for pair in zip(found, wanted, strict=True))
                state = found[1]
    assert [size_for(count) for count in (1, 2, 3, 4, 5, 1024)] == [1, 2, 4, 4, 8, 1024]
