"""The network: rows that never meet, memory that steps, zeros that reset."""

import math

import pytest
import torch

from services.inference.network.network import Network, build_network
from services.inference.network.senses.histograms import NUM_BINS
from services.inference.network.senses.sense import Sight, Time
from shared.entries import MAX_FIGURES, NUM_TOLD
from shared.errors import ModelUnusable

HEIGHT, WIDTH, LABELS = 48, 64, 3
SPANS = torch.tensor([30.0, 2.0])


SENSES = {
    "appearance": 0,
    "change": 0,
    "histograms": True,
    "shifts": True,
    "figures": True,
    "damage": True,
    "hidden": 16,
}


@pytest.fixture(
    scope="module",
    params=[{}, SENSES, SENSES | {"change": 8, "colour": True, "evened": True}],
    ids=["", "plain", "both"],
)
def network(request: pytest.FixtureRequest) -> Network:
    torch.manual_seed(1)
    return build_network(request.param, LABELS, HEIGHT, WIDTH).eval()


def pictures(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(256, (count, 3, HEIGHT, WIDTH), dtype=torch.uint8, generator=generator(seed))


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def encoded(network: Network, count: int, seed: int = 0) -> torch.Tensor:
    """Features of pictures with figures, which a third of them lack, and marks, which half of them have."""
    told = torch.rand(count, NUM_TOLD, generator=generator(seed))
    told[1::3, :-1] = torch.nan
    told[:, -1].round_()
    with torch.no_grad():
        return network.encode(pictures(count, seed), told)


def run(network: Network, features: torch.Tensor, dt_seconds: float = 0.125) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [T, L] of one stream and its last state."""
    state, steps = torch.zeros(1, network.state_size), []
    with torch.no_grad():
        for frame in features:
            logits, state = network.step(frame[None], torch.tensor([dt_seconds]), state)
            steps.append(logits[0])
    return torch.stack(steps), state


def test_shapes_and_sizes(network: Network) -> None:
    features = network.encode(pictures(2))
    logits, state = network.step(features, torch.ones(2), torch.zeros(2, network.state_size))
    assert features.shape == (2, network.feature_size)
    assert logits.shape == (2, LABELS)
    assert state.shape == (2, network.state_size)
    assert state.dtype == torch.float32


def test_evened_pictures_are_the_same_by_night_but_for_a_trace_of_the_light() -> None:
    network = build_network({"appearance": 0, "evened": True}, LABELS, HEIGHT, WIDTH)
    day = 90 + pictures(1)[:, :1].expand(-1, 3, -1, -1) % 76
    night = (0.3 * day + 5).byte()
    with torch.no_grad():
        by_day, by_night = (network.encode(levels) for levels in (day, night))
    difference = by_day - by_night
    thumb = slice(0, network.comparison.glance_sizes[0]) if network.comparison else slice(0)
    darker = (day - night).float().mean().item() / 255
    assert difference[:, thumb].mean().item() == pytest.approx(0.1 * darker, rel=0.05)
    assert difference[:, thumb].std() < 0.02 < by_day[:, thumb].std()


def test_the_shipped_sizes_state_is_small() -> None:
    assert build_network({}, 7, 96, 128).state_size * 4 <= 8192


def test_rows_do_not_influence_each_other(network: Network) -> None:
    mixed, others = pictures(8), pictures(8, seed=5)
    others[3] = mixed[3]
    with torch.no_grad():
        states = torch.rand(8, network.state_size)
        dt = torch.full((8,), 0.125)
        first = network.step(network.encode(mixed), dt, states)
        changed = torch.rand(8, network.state_size)
        changed[3] = states[3]
        second = network.step(network.encode(others), dt, changed)
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one[3], other[3])
        assert not torch.equal(one[0], other[0])


def test_batch_size_changes_nothing_that_counts(network: Network) -> None:
    images = pictures(16)
    with torch.no_grad():
        together = network.encode(images)
        alone = torch.cat([network.encode(image[None]) for image in images])
    assert (together - alone).abs().max() < 1e-5


def test_frame_by_frame_equals_all_encoded_at_once(network: Network) -> None:
    images = pictures(6)
    with torch.no_grad():
        at_once, state_at_once = run(network, network.encode(images))
        one_by_one, state_one_by_one = run(network, torch.cat([network.encode(image[None]) for image in images]))
    assert torch.allclose(at_once, one_by_one, atol=1e-5)
    assert torch.allclose(state_at_once, state_one_by_one, atol=1e-4)


def test_many_frames_at_once_are_what_single_steps_give(network: Network) -> None:
    with torch.no_grad():
        features = encoded(network, 24).view(4, 6, -1)
        dt = torch.rand(4, 6, generator=generator(3))
        state = torch.zeros(4, network.state_size)
        logits_at_once, state_at_once = network.steps(features, dt, state)
        steps = []
        for frame, frame_dt in zip(features.unbind(1), dt.unbind(1), strict=True):
            logits, state = network.step(frame, frame_dt, state)
            steps.append(logits)
    assert torch.allclose(logits_at_once, torch.stack(steps, dim=1), atol=1e-5)
    assert torch.allclose(state_at_once, state, atol=1e-4)


def test_a_zero_state_is_a_fresh_start(network: Network) -> None:
    with torch.no_grad():
        features = network.encode(pictures(3))
        _, worn = run(network, features)
        afresh, _ = network.step(features[:1], torch.tensor([0.125]), torch.zeros_like(worn))
        after_gap, _ = network.step(features[:1], torch.tensor([50.0]), torch.zeros_like(worn))
        remembered, _ = network.step(features[:1], torch.tensor([0.125]), worn)
    assert torch.equal(afresh[0], run(network, features[:1])[0][0])
    assert not torch.allclose(afresh, remembered)
    assert torch.isfinite(after_gap).all()


def test_a_black_first_frame_is_told_from_no_frame(network: Network) -> None:
    with torch.no_grad():
        black = network.encode(torch.zeros(1, 3, HEIGHT, WIDTH, dtype=torch.uint8))
        _, state = run(network, black)
        first, _ = network.step(black, torch.tensor([0.125]), torch.zeros_like(state))
        second, _ = network.step(black, torch.tensor([0.125]), state)
    assert not torch.allclose(first, second)


def test_elapsed_time_matters(network: Network) -> None:
    with torch.no_grad():
        features = network.encode(pictures(4))
        quick, state_quick = run(network, features, 0.125)
        slow, state_slow = run(network, features, 2.0)
    assert not torch.equal(quick, slow)
    assert not torch.allclose(state_quick, state_slow)


def test_memory_stays_finite_and_bounded_on_a_long_stream(network: Network) -> None:
    with torch.no_grad():
        features = network.encode(pictures(1))
        logits, state = run(network, features.expand(80, -1), dt_seconds=10_000.0)
    assert torch.isfinite(logits).all()
    assert state.abs().max() < 100


def test_runs_under_autocast_with_a_float32_state(network: Network) -> None:
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        features = network.encode(pictures(2).to(memory_format=torch.channels_last))
        logits, state = network.step(features, torch.ones(2), torch.zeros(2, network.state_size))
    assert (features.dtype, logits.dtype, state.dtype) == (torch.float32,) * 3


@pytest.mark.parametrize(
    ("hyper_parameters", "height", "words"),
    [
        ({"hidden": 0}, 48, "hidden"),
        ({"depth": 3}, 48, "depth"),
        ({"widths": [1, 2]}, 48, "widths"),
        ({"widths": [0, 8, 8, 8]}, 48, "widths"),
        ({"appearance": 0, "change": 0}, 48, "see nothing"),
        ({}, 50, "multiples of 16"),
        ({}, 16, "at least 32"),
    ],
)
def test_refuses_what_it_cannot_build(hyper_parameters: dict[str, object], height: int, words: str) -> None:
    with pytest.raises(ModelUnusable, match=words):
        build_network(hyper_parameters, LABELS, height, WIDTH)


def test_elapsed_time_is_of_no_effect_on_an_empty_memory() -> None:
    torch.manual_seed(0)
    network = build_network({"flow": True}, 2, 48, 64).eval()
    features, state = torch.rand(3, network.feature_size), torch.zeros(3, network.state_size)
    at_once, after = network.step(features, torch.zeros(3), state)
    late, later = network.step(features, torch.full((3,), 7.0), state)
    assert torch.equal(at_once, late)
    assert torch.equal(after, later)


def test_a_state_taken_half_way_goes_on_as_if_nothing_had_been(network: Network) -> None:
    features, dt, state = (
        encoded(network, 20).unsqueeze(0),
        torch.full((1, 20), 0.125),
        torch.zeros(1, network.state_size),
    )
    with torch.no_grad():
        whole, last = network.steps(features, dt, state)
        first, half = network.steps(features[:, :13], dt[:, :13], state)
        rest, end = network.steps(features[:, 13:], dt[:, 13:], half.clone())
    assert torch.allclose(torch.cat((first, rest), dim=1), whole, atol=1e-5)
    assert torch.allclose(end, last, atol=1e-5)


def test_only_what_is_used_is_kept() -> None:
    plain = build_network(SENSES, LABELS, HEIGHT, WIDTH)
    assert not [name for name in plain.state_dict() if name.startswith(("look.", "comparison."))]
    tiles, tints = 12, 4
    histograms = (2 * tiles + tints + 4) + 2 * tiles + 2 * tiles + 1
    assert plain.state_size == 2 * 16 + histograms + (2 * MAX_FIGURES + 1) + 2 + 2
    assert plain.feature_size == 2 * tiles + tints + MAX_FIGURES + 1 + 1
    unmarked = build_network(SENSES | {"damage": False}, LABELS, HEIGHT, WIDTH)
    assert (unmarked.state_size, unmarked.feature_size) == (plain.state_size - 2, plain.feature_size - 1)


def test_figures_that_are_missing_are_as_the_usual_ones_and_told() -> None:
    network = build_network(SENSES, LABELS, HEIGHT, WIDTH).eval()
    assert network.full_size
    known = torch.rand(1, MAX_FIGURES).expand(9, -1).clone()
    missing = known.clone()
    missing[4] = torch.nan
    ones = torch.ones(1, 9, 1)
    time = Time.of(ones, ones, ones, ones, SPANS)
    memory = torch.zeros(1, sum(network.full_size.memory_sizes))
    none = torch.zeros(9, 1)
    sights = [Sight(none, none, none, none, figures, none) for figures in (known, missing)]
    [whole, after], [holed, after_hole] = [
        network.full_size(network.full_size.glance(sight).unsqueeze(0), memory, time) for sight in sights
    ]
    assert torch.allclose(after, after_hole)
    assert torch.allclose(whole[..., :-2], holed[..., :-2], atol=1e-6)
    assert whole[0, :, -2].tolist() == [1] * 9
    assert holed[0, :, -2].tolist() == [1] * 4 + [0] + [1] * 4


@pytest.mark.parametrize("dt_seconds", [0.125, 1.0])
def test_marks_need_no_figures_and_their_shares_go_by_time(dt_seconds: float) -> None:
    network = build_network(SENSES, LABELS, HEIGHT, WIDTH)
    assert network.marks
    count = round(4 / dt_seconds)
    told = torch.full((count, NUM_TOLD), torch.nan)
    told[:, -1] = 1
    assert network.encode(pictures(1))[:, -1].tolist() == [0]
    marks = network.encode(pictures(count), told)[None, :, -1:]
    ones = torch.ones(1, count, 1)
    inputs, after = network.marks(
        marks, torch.zeros(1, 2), Time.of(dt_seconds * ones, 60 * ones, 60 * ones, ones, SPANS)
    )
    assert inputs[0, 0].tolist() == [1, 0, 0]
    assert inputs[0, :, 0].tolist() == [1] * count
    assert after[0].tolist() == pytest.approx([1 - math.exp(-4 / 2), 1 - math.exp(-4 / 30)], abs=1e-5)


def test_histograms_count_tiles_by_what_changed_in_them() -> None:
    histograms = build_network(SENSES, LABELS, HEIGHT, WIDTH).histograms
    assert histograms
    glance = torch.full((1, 2, sum(histograms.glance_sizes)), 0.5)
    glance[0, 1, :3] += 0.1  # three of twelve tiles are lighter,
    glance[0, 1, 12:18] -= 2  # and these and three others have lost detail
    dt = torch.tensor([[[0.0], [0.125]]])
    time = Time.of(dt, torch.zeros(1, 2, 1), dt, torch.tensor([[[0.0], [1]]]), SPANS)
    inputs, _ = histograms(glance, torch.zeros(1, sum(histograms.memory_sizes)), time)
    for start in (0, NUM_BINS, 2 * NUM_BINS):
        shares = inputs[0, :, start : start + NUM_BINS] / 4
        assert shares.sum(1).tolist() == pytest.approx([1, 1])
        assert shares[0].nonzero().flatten().tolist() == [3]
        assert {place: shares[1, place].item() for place in shares[1].nonzero().flatten().tolist()} == pytest.approx(
            {0: 0.25, 3: 0.5, 18: 0.25}
        )
