"""What the comparison remembers of a stream, and plain figures on how a frame compares with it."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

SMALLEST_CHANGE = 1e-5
"""A change of grey (0..1 scale) below any that an 8-bit picture can show; keeps logarithms finite."""
LONGEST_STILL_SECONDS = 60.0
NUM_MEASURES = 19


class Glance(NamedTuple):
    """What is taken of one frame."""

    thumb: Tensor
    """Grey levels 0..1 at a quarter of the input's size, flat."""
    detail: Tensor
    """Natural logarithm of the mean edge strength in 16x16 tiles, flat."""
    tint: Tensor
    """The two colour differences at half the thumb's size, flat; empty where the network compares no colours."""


class Memory(NamedTuple):
    """What is remembered, taken apart; all of it is zero before the first frame."""

    previous: Tensor
    """The last frame's thumb."""
    slow: Tensor
    fast: Tensor
    """Running means of the thumb (the fast one at half its size) with the config's time constants."""
    detail: Tensor
    previous_tint: Tensor
    slow_tint: Tensor
    unrest: Tensor
    """Running mean of the logarithm of the change between frames: how restless the picture usually is."""
    still_seconds: Tensor
    """How long the picture has been exactly the same."""
    age_seconds: Tensor
    """Since the first frame, up to twice `slow_seconds`."""
    seen: Tensor
    """1 once a frame was seen: tells a fresh state from a black picture."""


def measure(glance: Glance, memory: Memory, dt: Tensor, thumb_size: tuple[int, int]) -> Tensor:
    """Figures [S, 19], each of order one: on stillness, light, detail, likeness to what was, and time."""
    change = glance.thumb - memory.previous
    logarithm, largest = log_change(change), change.abs().amax(1, keepdim=True)
    light, usual_light = glance.thumb.mean(1, keepdim=True), memory.slow.mean(1, keepdim=True)
    detail = glance.detail - memory.detail
    like, shifted = _likeness(glance.thumb, memory.slow, thumb_size)
    lately = _likeness(halved(glance.thumb, thumb_size), memory.fast, (thumb_size[0] // 2, thumb_size[1] // 2))[0]
    return torch.cat(
        (
            0.2 * logarithm + 1,
            0.2 * (logarithm - memory.unrest) * memory.seen,
            0.2 * torch.log(largest + SMALLEST_CHANGE) + 1,
            (change.abs() < SMALLEST_CHANGE).float().mean(1, keepdim=True),
            torch.log1p(4 * still_seconds(change, memory, dt)),
            4 * (light - 0.5),
            4 * (light - usual_light),
            4 * detail.mean(1, keepdim=True),
            4 * functional.relu(detail).mean(1, keepdim=True),
            detail.amax(1, keepdim=True),
            0.3 * glance.detail.amax(1, keepdim=True) + 1,
            2 * torch.log((_spread(glance.thumb) + 0.01) / (_spread(memory.slow) + 0.01)),
            4 * (1 - like),
            4 * (1 - shifted),
            4 * (shifted - like),
            4 * (1 - lately),
            torch.log1p(dt),
            0.5 * torch.log1p(memory.age_seconds),
            memory.seen,
        ),
        dim=1,
    )


def log_change(change: Tensor) -> Tensor:
    """Natural logarithm of the mean absolute change of grey, [S, 1]."""
    return torch.log(change.abs().mean(1, keepdim=True) + SMALLEST_CHANGE)


def still_seconds(change: Tensor, memory: Memory, dt: Tensor) -> Tensor:
    """How long the picture has been exactly the same, this frame included, [S, 1]."""
    still = (change.abs().amax(1, keepdim=True) < SMALLEST_CHANGE) & (memory.seen > 0.5)
    return torch.where(still, memory.still_seconds + dt, torch.zeros_like(dt)).clamp(max=LONGEST_STILL_SECONDS)


def halved(thumb: Tensor, size: tuple[int, int]) -> Tensor:
    """A flat thumb [S, h * w] at half its size, flat."""
    return functional.avg_pool2d(thumb.view(-1, 1, *size), 2).flatten(1)


def _spread(thumb: Tensor) -> Tensor:
    return thumb.std(1, keepdim=True)


def _likeness(first: Tensor, second: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Correlation of two thumbs in place, and at the shift (around the borders) where it is greatest; each [S, 1].

    A knocked camera's picture is like the old one at another place; a covered one's is like it nowhere.
    """
    centred = [thumb - thumb.mean(1, keepdim=True) for thumb in (first, second)]
    unit = [thumb / (thumb.norm(dim=1, keepdim=True) + 1e-2) for thumb in centred]
    spectra = [torch.fft.rfft2(thumb.view(-1, *size)) for thumb in unit]
    correlations = torch.fft.irfft2(spectra[0] * spectra[1].conj(), s=size).flatten(1)
    return correlations[:, :1], correlations.amax(1, keepdim=True)
