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

    overlaps: Tensor
    """Which tiles lie over the other picture at each shift, [height * width, shifts]."""
    places: Tensor
    """Where each shift's product is found in a padded one that was flattened, [shifts]."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.size, reach = (height, width), (height // REACH, width // REACH)
        self.padded = (height + reach[0], width + reach[1])
        down, right = (torch.arange(-each, each + 1) for each in reach)
        rows, columns = (_overlap(side, shifts) for side, shifts in zip(self.size, (down, right), strict=True))
        places = (down % self.padded[0]).unsqueeze(1) * self.padded[1] + right % self.padded[1]
        self.register_buffer("overlaps", torch.kron(rows, columns).T.contiguous(), persistent=False)
        self.register_buffer("places", places.flatten(), persistent=False)

    def forward(self, now: Tensor, past: Tensor) -> Tensor:
        """Of tiles [..., height * width] whose mean is 0, [...]."""
        spectra = [torch.fft.rfft2(each.view(*each.shape[:-1], *self.size), s=self.padded) for each in (now, past)]
        products = torch.fft.irfft2(spectra[0] * spectra[1].conj(), s=self.padded).flatten(-2)
        norms = (now.square() @ self.overlaps).sqrt() + LEAST_NORM
        past_norms = (past.square() @ self.overlaps).sqrt() + LEAST_NORM
        best: Tensor = (products.index_select(-1, self.places) / (norms * past_norms.flip(-1))).amax(-1)
        return best


def _overlap(side: int, shifts: Tensor) -> Tensor:
    """Which of a side's tiles lie over the other picture at each shift, [shifts, side]."""
    at = torch.arange(side) - shifts.unsqueeze(1)
    return ((at >= 0) & (at < side)).float()
