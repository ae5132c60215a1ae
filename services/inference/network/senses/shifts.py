"""Whether a picture of tiles is like another one at some other place: what a knocked camera's is, and a cover's not."""

import torch
from torch import Tensor, nn

REACH = 4
"""Shifts go so far: a quarter of the tiles along each side, to both."""
LEAST_NORM = 0.02
"""Keeps flat pictures unlike all others."""


class Shifts(nn.Module):
    """Correlation of pictures, each taken from its own mean, where they overlap, at the place where it is greatest.

    All shifts at once, by way of their spectra (Reddy and Chatterji, 1996, without the whitening).
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.size, self.reach = (height, width), (height // REACH, width // REACH)
        for name, side, reach in zip(("rows", "columns"), self.size, self.reach, strict=True):
            self.register_buffer(name, _overlap(side, reach), persistent=False)

    def forward(self, now: Tensor, past: Tensor) -> Tensor:
        """Of tiles [S, T, height * width], [S, T, 1]."""
        first, other = ((each - each.mean(2, keepdim=True)).reshape(-1, *self.size) for each in (now, past))
        padded = [side + reach for side, reach in zip(self.size, self.reach, strict=True)]
        spectra = [torch.fft.rfft2(each, s=padded) for each in (first, other)]
        products = torch.fft.irfft2(spectra[0] * spectra[1].conj(), s=padded)
        down, right = self.reach
        products = products.roll(self.reach, (1, 2))[:, : 2 * down + 1, : 2 * right + 1]
        norms = self.rows @ first.square() @ self.columns.T
        other_norms = self.rows.flip(0) @ other.square() @ self.columns.flip(0).T
        likeness = products / ((norms.sqrt() + LEAST_NORM) * (other_norms.sqrt() + LEAST_NORM))
        best: Tensor = likeness.amax((1, 2)).view(*now.shape[:2], 1)
        return best


def _overlap(side: int, reach: int) -> Tensor:
    """Which of a side's tiles lie over the other picture at each shift, [2 * reach + 1, side]."""
    at = torch.arange(side) - torch.arange(-reach, reach + 1).unsqueeze(1)
    return ((at >= 0) & (at < side)).float()
