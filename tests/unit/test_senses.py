"""The senses' arithmetic beside its plain formulas: what is computed quickly is what was meant."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from services.inference.network.network import Network, build_network
from services.inference.network.senses.figures import LEAST_SHARE, SHARES, SIGNED
from services.inference.network.senses.histograms import DETAILS, LIGHTS, QUANTILES
from services.inference.network.senses.sense import Time
from services.inference.network.senses.shifts import Shifts
from shared.entries import MAX_FIGURES

HEIGHT, WIDTH = 96, 128
SLOW_SECONDS, FAST_SECONDS = 30.0, 1.5
TILES = 48
STREAMS, FRAMES = 3, 7


@pytest.fixture(scope="module")
def network() -> Network:
    senses = {"appearance": 0, "change": 0, "histograms": True, "shifts": True, "figures": True, "damage": True}
    return build_network(senses | {"fast_seconds": FAST_SECONDS}, 2, HEIGHT, WIDTH).eval()


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_frames_features_are_the_means_of_its_tiles(network: Network, generator: torch.Generator) -> None:
    images = torch.randint(256, (3, 3, HEIGHT, WIDTH), dtype=torch.uint8, generator=generator)
    images[1] = images[1] // 64 + 100
    images[2] = 7
    colours = images.double() / 255
    luma = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)
    grey = torch.tensordot(luma, colours, dims=([0], [1])).unsqueeze(1)
    laplacian = torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]], dtype=torch.float64).view(1, 1, 3, 3)
    edges = functional.pad(functional.conv2d(grey, laplacian).abs(), (1, 1, 1, 1))
    tints = functional.avg_pool2d(colours[:, ::2] - grey, 32)
    parts = [functional.avg_pool2d(grey, 16), torch.log(functional.avg_pool2d(edges, 16) + 1e-3), tints]
    wanted = torch.cat([part.flatten(1) for part in parts], dim=1)
    for layout in (images, images.to(memory_format=torch.channels_last)):
        features = network.encode(layout)[:, : wanted.shape[1]]
        assert torch.allclose(features.double(), wanted, atol=3e-6)


def times(dt: Tensor, age: Tensor, seen: Tensor) -> Time:
    """Frame by frame, of [S, T, 1], [S, 1] and [S, 1]."""
    ages, seens, dts = [age], [seen], []
    for each in dt.unbind(1):
        dts.append(each * seens[-1])
        ages.append((ages[-1] + dts[-1]).clamp(max=2 * SLOW_SECONDS))
        seens.append(torch.ones_like(seen))
    dt, before, age, seen = (torch.stack(each, dim=1) for each in (dts, ages[:-1], ages[1:], seens[:-1]))
    return Time.of(dt, before, age, seen, torch.tensor([SLOW_SECONDS, FAST_SECONDS]))


def mean_rate(time: Time, frame: int, seconds: float) -> Tensor:
    dt, age = time.dt[:, frame], time.age[:, frame]
    return (dt / (age + 1e-3).maximum(dt)).maximum(1 - torch.exp(-dt / seconds))


@pytest.fixture
def time(network: Network, generator: torch.Generator) -> Time:
    """Of two streams that go on, one of them for long, and one that begins."""
    dt, age = torch.rand(STREAMS, FRAMES, generator=generator), torch.tensor([[3.0], [59.0], [0.0]])
    seen = torch.tensor([[1.0], [1.0], [0.0]])
    found, wanted = network._time(dt, age, seen), times(dt.unsqueeze(2), age, seen)
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one.float(), other.float(), atol=1e-5)
    for index, seconds in enumerate((SLOW_SECONDS, FAST_SECONDS)):
        for frame in range(FRAMES):
            assert torch.allclose(
                found.rates[:, frame, index : index + 1], mean_rate(wanted, frame, seconds), atol=1e-6
            )
    return found


def test_histograms_are_what_their_formulas_give(network: Network, time: Time, generator: torch.Generator) -> None:
    sense = network.histograms
    assert sense
    glance = torch.rand(STREAMS, FRAMES, sum(sense.glance_sizes), generator=generator)
    glance[0, 1:5] = glance[0, :1]  # still, after a change
    glance[1] = glance[1, :1] + 0.01 * torch.randn(glance[1].shape, generator=generator)
    memory = torch.rand(STREAMS, sum(sense.memory_sizes), generator=generator)
    memory[0, -1], memory[2] = 2.0, 0
    inputs, after = sense(glance, memory, time)
    slow, fast, previous, still = torch.split(memory, [2 * TILES + 24 + 4, 2 * TILES, 2 * TILES, 1], dim=1)
    for frame in range(FRAMES):
        seen = time.seen[:, frame] > 0.5
        tiles = glance[:, frame, : 2 * TILES]
        before = torch.where(seen, previous, tiles)
        step = (tiles - before)[:, :TILES].abs()
        ranked = step.sort(dim=1).values[:, [int(share * (TILES - 1)) for share in QUANTILES]]
        now = torch.cat((glance[:, frame], torch.log(torch.cat((mean(step), ranked), dim=1) + 1e-5)), dim=1)
        usual, lately = torch.where(seen, slow, now), torch.where(seen, fast, tiles)
        still = ((still + time.dt[:, frame]) * ((step.amax(1, keepdim=True) < 1e-5) & seen)).clamp(max=60)
        *plain, shifted = figures_of(now, usual, lately, before, time, frame)
        wanted = torch.cat((*plain, torch.log1p(4 * still), shifted), dim=1)
        assert torch.allclose(inputs[:, frame], wanted, atol=2e-5)
        slow = torch.lerp(usual, now, mean_rate(time, frame, SLOW_SECONDS))
        fast, previous = torch.lerp(lately, tiles, mean_rate(time, frame, FAST_SECONDS)), tiles
    assert torch.allclose(after, torch.cat((slow, fast, previous, still), dim=1), atol=1e-5)


def figures_of(now: Tensor, usual: Tensor, lately: Tensor, before: Tensor, time: Time, frame: int) -> list[Tensor]:
    """Histograms, plain figures, and those of shifts."""
    grey, detail, tint, change = torch.split(now, [TILES, TILES, 24, 4], dim=1)
    usual_grey, usual_detail, usual_tint, usual_change = torch.split(usual, [TILES, TILES, 24, 4], dim=1)
    late_grey, step = lately[:, :TILES], (grey - before[:, :TILES]).abs()
    spread, usual_spread = (torch.log(each.std(1, keepdim=True) + 0.01) for each in (grey, usual_grey))
    tints, new_tints = tint.view(-1, 2, 12), (tint - usual_tint).view(-1, 2, 12)
    pairs = [(grey, usual_grey), (detail, usual_detail), (grey, late_grey)]
    unlike = [1 - likeness(first, other, 0, 0) for first, other in pairs]
    moved = [1 - most_alike(first, other) for first, other in pairs]
    tiles = torch.cat((grey, detail), dim=1)
    return [
        *(shares(tiles - each) for each in (usual[:, : 2 * TILES], lately, before)),
        4 * (mean(grey) - 0.5),
        4 * (mean(grey) - mean(usual_grey)),
        4 * (mean(grey) - mean(late_grey)),
        spread + 1,
        2 * (spread - usual_spread),
        4 * step.amax(1, keepdim=True),
        4 * (grey - usual_grey).abs().amax(1, keepdim=True),
        mean((step < 1e-5).float()),
        0.3 * mean(detail) + 1,
        2 * (mean(detail) - mean(usual_detail)),
        0.3 * detail.amax(1, keepdim=True) + 1,
        4 * unlike[0],
        2 * unlike[1],
        4 * unlike[2],
        *(10 * each.mean(2) for each in (tints, new_tints, new_tints.abs())),
        0.2 * change + 1,
        0.2 * (change - usual_change),
        torch.log1p(time.dt[:, frame]),
        0.5 * torch.log1p(time.before[:, frame]),
        time.seen[:, frame],
        torch.cat([4 * each for pair in zip(moved, unlike, strict=True) for each in (pair[0], pair[1] - pair[0])], 1),
    ]


def shares(change: Tensor) -> Tensor:
    light, detail = (part.contiguous() for part in torch.split(change, TILES, dim=1))
    bins = torch.bucketize(light.abs(), torch.tensor(LIGHTS)) * (len(DETAILS) + 1)
    bins += torch.bucketize(detail, torch.tensor(DETAILS))
    return functional.one_hot(bins, 30).sum(1) * (4 / TILES)


def mean(values: Tensor) -> Tensor:
    return values.mean(1, keepdim=True)


def most_alike(first: Tensor, other: Tensor) -> Tensor:
    reached = [likeness(first, other, down, right) for down in range(-1, 2) for right in range(-2, 3)]
    return torch.stack(reached).amax(0)


def likeness(first: Tensor, other: Tensor, down: int, right: int) -> Tensor:
    """Of pictures of 6x8 tiles, where they overlap when one is shifted, [S, 1]."""
    first, other = ((each - mean(each)).view(-1, 6, 8) for each in (first, other))
    first = first[:, max(0, down) : 6 + min(0, down), max(0, right) : 8 + min(0, right)]
    other = other[:, max(0, -down) : 6 - max(0, down), max(0, -right) : 8 - max(0, right)]
    norms = [each.square().sum((1, 2)).sqrt() + 0.02 for each in (first, other)]
    return ((first * other).sum((1, 2)) / math.prod(norms)).unsqueeze(1)


def test_figures_are_what_their_formulas_give(network: Network, time: Time, generator: torch.Generator) -> None:
    sense = network.full_size
    assert sense
    glance = torch.randn(STREAMS, FRAMES, MAX_FIGURES + 1, generator=generator) + 1
    glance[..., -1] = torch.tensor([[1, 1, 0, 0, 1, 0, 1], [0] * FRAMES, [0, 0, 1, 1, 0, 1, 1]])
    memory = torch.rand(STREAMS, 2 * MAX_FIGURES + 1, generator=generator)
    memory[:, -1], memory[2] = torch.tensor([1, 1, 0]), 0
    inputs, after = sense(glance, memory, time)
    slow, previous, told = torch.split(memory, [MAX_FIGURES, MAX_FIGURES, 1], dim=1)
    signed = torch.tensor([index in SIGNED for index in range(MAX_FIGURES)])
    for frame in range(FRAMES):
        measured, known = torch.split(glance[:, frame], [MAX_FIGURES, 1], dim=1)
        is_known = (known > 0.5) & ((measured >= 0) | signed)
        now = torch.where(is_known, measured, slow)
        slow, previous = (torch.where(told > 0.5, each, now) for each in (slow, previous))
        logarithm, past = (torch.log(each.clamp(min=0) + LEAST_SHARE) for each in (now, slow))
        borders = 0.3 * (logarithm[:, 1:3] - logarithm[:, 14:16])
        parts = (0.3 * logarithm[:, SHARES], 0.5 * (logarithm - past)[:, SHARES], borders)
        wanted = torch.cat((now, now - slow, now - previous, *parts, known, told), dim=1)
        assert torch.allclose(inputs[:, frame], wanted, atol=1e-5)
        slow = torch.lerp(slow, now, mean_rate(time, frame, SLOW_SECONDS))
        previous, told = torch.where(is_known, now, previous), told.maximum(known)
    assert torch.allclose(after, torch.cat((slow, previous, told), dim=1), atol=1e-5)


def test_what_a_picture_shows_elsewhere_is_found_there() -> None:
    past = torch.rand(2, 3, 12, 16, generator=torch.Generator().manual_seed(4))
    now = past.clone()
    now[0, :, 2:, :13] = past[0, :, :10, 3:]  # knocked: all is two tiles further down and three further left
    now[1, :, :, 4:] = 0.5  # covered but for a strip
    pairs = torch.stack([each.flatten(2) - each.mean((2, 3)).unsqueeze(2) for each in (now, past)], dim=1)
    _, _, best = (each.squeeze(1) for each in Shifts(12, 16)(pairs.unsqueeze(1)))
    assert best[0].min() > 0.9
    assert alike(now[0] - now[0].mean(), past[0] - past[0].mean()) < 0.5
    assert best[1].max() < 0.7
    for row, column in ((0, 0), (0, 2), (1, 1)):
        first, other = now[row, column] - now[row, column].mean(), past[row, column] - past[row, column].mean()
        expected = max(
            alike(
                first[max(0, down) : 12 + min(0, down), max(0, right) : 16 + min(0, right)],
                other[max(0, -down) : 12 - max(0, down), max(0, -right) : 16 - max(0, right)],
            )
            for down in range(-3, 4)
            for right in range(-4, 5)
        )
        assert best[row, column].item() == pytest.approx(expected, abs=1e-4)


def alike(first: Tensor, other: Tensor) -> float:
    return float((first * other).sum() / ((first.norm() + 0.02) * (other.norm() + 0.02)))
