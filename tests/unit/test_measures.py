"""The plain figures on how a frame compares with its stream's memory."""

import torch

from services.inference.network.network import Network, build_network
from services.inference.network.senses.measures import (
    NUM_MEASURES,
    Glance,
    Memory,
    halved,
    log_change,
    measure,
    still_seconds,
)

SIZE = (12, 16)
STILL, UNLIKE, SHIFTED = 3, 12, 13


def memory_of(thumb: torch.Tensor, still: float = 0.0) -> Memory:
    rows = len(thumb)
    figure = torch.ones(rows, 1)
    return Memory(
        previous=thumb,
        slow=thumb,
        fast=halved(thumb, SIZE),
        detail=torch.zeros(rows, 12),
        previous_tint=torch.zeros(rows, 0),
        slow_tint=torch.zeros(rows, 0),
        unrest=log_change(torch.zeros_like(thumb)),
        still_seconds=still * figure,
        age_seconds=10 * figure,
        seen=figure,
    )


def measured(thumb: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    rows = len(thumb)
    glance = Glance(thumb, torch.zeros(rows, 12), torch.zeros(rows, 0))
    return measure(glance, memory_of(before), torch.full((rows, 1), 0.125), SIZE)


def scene(seed: int = 0) -> torch.Tensor:
    return torch.rand(1, *SIZE, generator=torch.Generator().manual_seed(seed))


def test_the_same_picture_is_still_and_like_itself() -> None:
    figures = measured(scene().flatten(1), scene().flatten(1))
    assert figures.shape == (1, NUM_MEASURES)
    assert figures[0, STILL] == 1
    assert figures[0, UNLIKE] < 0.04


def test_a_shifted_picture_is_like_the_old_one_elsewhere() -> None:
    moved = measured(scene().roll((2, 3), dims=(1, 2)).flatten(1), scene().flatten(1))
    assert moved[0, UNLIKE] > 2.4
    assert moved[0, SHIFTED] < 0.04


def test_another_picture_is_like_the_old_one_nowhere() -> None:
    covered = measured(scene(1).flatten(1), scene().flatten(1))
    assert covered[0, SHIFTED] > 2.0


def test_figures_stay_finite_where_nothing_is_to_be_seen() -> None:
    assert torch.isfinite(measured(torch.zeros(1, 192), torch.zeros(1, 192))).all()
    assert torch.isfinite(measured(torch.ones(1, 192), torch.zeros(1, 192))).all()


def test_still_seconds_add_up_end_with_any_change_and_do_not_start_with_the_first_frame() -> None:
    memory, dt = memory_of(scene().flatten(1), still=3.0), torch.tensor([[0.5]])
    same, barely = torch.zeros(1, 192), torch.zeros(1, 192)
    barely[0, 7] = 1 / 255 / 16
    assert still_seconds(same, memory, dt).item() == 3.5
    assert still_seconds(barely, memory, dt).item() == 0
    assert still_seconds(same, memory._replace(seen=torch.zeros(1, 1)), dt).item() == 0


def test_a_repeated_frame_is_exactly_still_through_the_network() -> None:
    network: Network = build_network({}, 2, 48, 64)
    picture = torch.randint(256, (1, 3, 48, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    state = torch.zeros(1, network.state_size)
    with torch.no_grad():
        for _ in range(5):
            _, state = network.step(network.encode(picture), torch.tensor([0.25]), state)
    still, age, seen = state[0, -3:].tolist()
    assert (still, age, seen) == (1.0, 1.0, 1.0)
