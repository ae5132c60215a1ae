"""Means over small windows of a picture, as two products with banded matrices."""

import torch
from torch import Tensor

WINDOW = 5


def window_means(pictures: Tensor) -> Tensor:
    """Means over the 5x5 places around each, [..., h, w] as given; beyond a border there is nothing to count.

    What `avg_pool2d` gives with a stride of 1, several times faster on a CPU, where it visits every window anew.
    """
    height, width = pictures.shape[-2:]
    down, across = (_band(size, pictures) for size in (height, width))
    return down @ (pictures @ across.T)


def _band(size: int, like: Tensor) -> Tensor:
    """[size, size]: each row takes the mean over the places within reach of its own."""
    places = torch.arange(size, device=like.device)
    near = ((places[:, None] - places).abs() <= WINDOW // 2).to(like.dtype)
    return near / near.sum(1, keepdim=True)
