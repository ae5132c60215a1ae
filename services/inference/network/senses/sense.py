"""What a sense is: a way to see frames, with what it remembers of them."""

from abc import ABC, abstractmethod
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

LEVELS = 255
"""The brightest of a picture's levels; the darkest is 0."""
LUMA = (0.299, 0.587, 0.114)
TILE = 16
"""Pixels along a tile's sides."""


class Sight(NamedTuple):
    """Frames as senses find them."""

    colours: Tensor
    """RGB levels 0..255, [B, 3, H, W]."""
    grey: Tensor
    """0..1, [B, 1, H, W]."""
    tiles: Tensor
    """Mean RGB in 16x16 tiles, 0..1, [B, 3, H/16, W/16]."""
    detail: Tensor
    """Natural logarithm of their mean absolute Laplacian, [B, 1, H/16, W/16]."""
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
    rates: Tensor
    """How far the running means of each span go to each frame, [S, T, spans]: they are plain means at first, then
    exponential ones, by elapsed time."""
    begun: Tensor
    """Whether there was a frame before the first of these, [S, 1]."""

    @classmethod
    def of(cls, dt: Tensor, before: Tensor, age: Tensor, seen: Tensor, spans: Tensor) -> Self:
        """With running means over so many seconds each, [spans]."""
        plain = dt / (age + 1e-3).maximum(dt)
        return cls(dt, before, age, seen, plain.maximum(-torch.expm1(-dt / spans)), seen[:, 0] > 0.5)


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


def tile_sums(pictures: Tensor) -> Tensor:
    """[..., H, W] -> [..., H/16, W/16]: what `avg_pool2d` gives times 256, several times faster on a CPU."""
    *outer, height, width = pictures.shape
    rows = pictures.view(*outer, height // TILE, TILE, width).sum(-2)
    return rows.view(*outer, height // TILE, width // TILE, TILE).sum(-1)


def earlier(values: Tensor, last: Tensor, time: Time) -> Tensor:
    """What was before each of T values [S, T, K]: `last` [S, K] before the first, or itself where nothing was."""
    before_first = torch.where(time.begun, last, values[:, 0]).unsqueeze(1)
    return torch.cat((before_first, values[:, :-1]), dim=1) if values.shape[1] > 1 else before_first


def running_means(values: Tensor, rates: Tensor, mean: Tensor, time: Time) -> tuple[Tensor, Tensor]:
    """The running mean as each of T values [S, T, K] found it, and after them.

    It goes `rates` [S, T, K or 1] of the way to each value; `mean` [S, K] is what it was before, if anything was.
    """
    mean, found = torch.where(time.begun, mean, values[:, 0]), []
    for value, rate in zip(values.unbind(1), rates.unbind(1), strict=True):
        found.append(mean)
        mean = torch.lerp(mean, value, rate)
    return torch.stack(found, dim=1), mean
