"""What a sense is: a way to see frames, with what it remembers of them."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

INPUT_MEAN, INPUT_STD = 0.5, 0.25
"""What pictures are normalised with before a network sees them: the manifest's usual mean and std are assumed."""
LUMA = (0.299, 0.587, 0.114)


class Sight(NamedTuple):
    """Frames as senses find them."""

    images: Tensor
    """RGB [B, 3, H, W], normalised."""
    grey: Tensor
    """0..1, [B, 1, H, W]."""
    detail: Tensor
    """Natural logarithm of the mean absolute Laplacian in 16x16 tiles, [B, 1, H/16, W/16]."""
    figures: Tensor
    """What was measured at the source's own size, [B, 16], not finite where it was not."""
    damaged: Tensor
    """1 where the decoder found the frame damaged, else 0, [B, 1]."""


class Time(NamedTuple):
    """When each of T frames came, [S, T, 1]."""

    dt: Tensor
    """Seconds since the stream's frame before; 0 for its first."""
    before: Tensor
    """Seconds since the stream's first frame, up to twice `slow_seconds`, as of the frame before."""
    age: Tensor
    """The same with this frame."""
    seen: Tensor
    """1 where there was a frame before: tells a fresh memory from a black picture."""


class Sense(nn.Module, ABC):
    """What it takes of a frame, the *glance*, needs no weights; nor does its memory, which is zero before a stream's
    first frame. So in training a stretch of both can be known before any weight acts."""

    glance_sizes: list[int]
    memory_sizes: list[int]
    num_inputs: int

    @abstractmethod
    def glance(self, sight: Sight) -> Tensor:
        """What it takes of each frame, [B, sum of glance_sizes]; rows are independent."""

    @abstractmethod
    def forward(self, glance: Tensor, memory: Tensor, time: Time) -> tuple[Tensor, Tensor]:
        """Inputs [S, T, num_inputs] made of glances [S, T, ...], and the memory [S, sum of memory_sizes] after them."""


def earlier(values: Tensor, last: Tensor, seen: Tensor) -> Tensor:
    """What was before each of T values [S, T, K]: `last` [S, K] before the first, or itself where nothing was."""
    return torch.cat((torch.where(seen[:, 0] > 0.5, last, values[:, 0]).unsqueeze(1), values[:, :-1]), dim=1)


def running_means(values: Tensor, rates: Tensor, mean: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """The running mean as each of T values [S, T, K] found it, and after them.

    It goes `rates` [S, T, 1] of the way to each value; `mean` [S, K] is what it was before, if anything was.
    """
    mean, found = torch.where(seen[:, 0] > 0.5, mean, values[:, 0]), []
    for value, rate in zip(values.unbind(1), rates.unbind(1), strict=True):
        found.append(mean)
        mean = torch.lerp(mean, value, rate)
    return torch.stack(found, dim=1), mean


def rates_of(time: Time, seconds: float) -> Tensor:
    """How far a running mean goes to each frame: plain means at first, then exponential ones, by elapsed time."""
    plain = time.dt / (time.age + 1e-3).maximum(time.dt)
    return plain.maximum(1 - torch.exp(-time.dt / seconds))
