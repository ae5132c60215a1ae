"""Likeness of pictures, in place and shifted."""

import torch
from torch import Tensor
from torch.nn import functional

from services.inference.network.senses.likeness import local_likeness, phase_peaks

SIZE = (24, 32)


def scene(seed: int = 0, size: tuple[int, int] = (40, 48)) -> Tensor:
    """Soft patches with some detail, [1, h, w]."""
    noise = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(seed))
    return functional.avg_pool2d(noise, 3, stride=1, padding=1)[0]


def cut(world: Tensor, top: int, left: int) -> Tensor:
    return world[:, top : top + SIZE[0], left : left + SIZE[1]]


def test_a_picture_is_like_itself_in_any_light() -> None:
    seen = cut(scene(), 8, 8)
    for light in (seen, 0.4 * seen, 0.5 * seen + 0.4):
        assert local_likeness(light[:, None], seen[:, None]).mean() > 0.8
        there, elsewhere = phase_peaks(light, seen)
        assert there > 3 * elsewhere


def test_a_shifted_picture_has_its_peak_elsewhere() -> None:
    there, elsewhere = phase_peaks(cut(scene(), 4, 3), cut(scene(), 8, 8))
    assert elsewhere > 3 * there
    assert local_likeness(cut(scene(), 4, 3)[:, None], cut(scene(), 8, 8)[:, None]).mean().abs() < 0.3


def test_another_picture_has_no_peak_and_no_likeness() -> None:
    one, other = cut(scene(0), 8, 8), cut(scene(1), 8, 8)
    itself = phase_peaks(one, one)[0]
    assert max(float(peak) for peak in phase_peaks(one, other)) < 0.4 * float(itself)
    assert local_likeness(one[:, None], other[:, None]).mean().abs() < 0.2


def test_flat_and_dark_pictures_give_finite_figures() -> None:
    black = torch.zeros(2, *SIZE)
    assert local_likeness(black[:, None], black[:, None]).abs().max() == 0
    assert all(torch.isfinite(peak).all() for peak in phase_peaks(black, black))


def test_rows_do_not_see_each_other() -> None:
    one, other = cut(scene(0), 8, 8), cut(scene(1), 8, 8)
    both = phase_peaks(torch.cat((one, other)), torch.cat((one, one)))
    for alone, together in zip(phase_peaks(other, one), both, strict=True):
        assert torch.allclose(alone[0], together[1], atol=1e-5)
