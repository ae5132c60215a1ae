"""Which way small things move between two grey pictures, from plain arithmetic: no weight has to learn it."""

import torch
from torch import Tensor
from torch.nn import functional

from services.inference.windows import window_means

STEEPNESS = 4e-4
"""Squared slope of grey below which a place tells no direction; sensor noise stays under it."""
LONGEST = 4.0


def optical_flow(before: Tensor, after: Tensor) -> Tensor:
    """Displacement [N, 2, h, w] in pixels (x to the right, y down) from `before` to `after`, both [N, 1, h, w], 0..1.

    Lucas and Kanade (1981) in windows of 5x5 with a ridge, so that flat places give none. It is right for
    displacements of about a pixel and short for longer ones; they are cut at 4.
    """
    middle = functional.pad(0.5 * (before + after), (1, 1, 1, 1), mode="replicate")
    across = 0.5 * (middle[:, :, 1:-1, 2:] - middle[:, :, 1:-1, :-2])
    down = 0.5 * (middle[:, :, 2:, 1:-1] - middle[:, :, :-2, 1:-1])
    later = after - before
    products = torch.cat((across * across, down * down, across * down, across * later, down * later), dim=1)
    xx, yy, xy, xt, yt = window_means(products).unbind(1)
    xx, yy = xx + STEEPNESS, yy + STEEPNESS
    determinant = xx * yy - xy * xy
    flow = torch.stack((xy * yt - yy * xt, xy * xt - xx * yt), dim=1) / determinant.unsqueeze(1)
    return flow.clamp(-LONGEST, LONGEST)
