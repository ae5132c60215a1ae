"""Whether a picture of tiles is like another one at some other place: what a knocked camera's is, and a cover's not."""

import torch
from torch import Tensor, nn

REACH = 4
"""Shifts go so far: a quarter of the tiles along each side, to both."""
LEAST_NORM = 0.02
"""Keeps flat pictures unlike all others."""


class Shifts(nn.Module):
    """Correlation of pictures, each taken from its own mean, where they overlap: in place, and where it is greatest.

    All shifts at once, by way of their spectra (Reddy and Chatterji, 1996, without the whitening).
    """

    overlaps: Tensor
    """Which tiles lie over the other picture at each shift, [height * width, shifts]."""
    places: Tensor
    """Where each shift's product is found in a padded one that was flattened, [shifts]."""

    def __init__(self, height: int, width: int, *, everywhere: bool = True) -> None:
        super().__init__()
        reach = (height // REACH, width // REACH) if everywhere else (0, 0)
        self.size, self.padded = (height, width), (height + reach[0], width + reach[1])
        down, right = (torch.arange(-each, each + 1) for each in reach)
        rows, columns = (_overlap(side, shifts) for side, shifts in zip(self.size, (down, right), strict=True))
        places = (down % self.padded[0]).unsqueeze(1) * self.padded[1] + right % self.padded[1]
        self.middle = places.numel() // 2
        self.register_buffer("overlaps", torch.kron(rows, columns).T.contiguous(), persistent=False)
        self.register_buffer("places", places.flatten(), persistent=False)

    def forward(self, pairs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of pairs [S, T, 2, N, height * width], each of mean 0, now and then: norms [S, T, 2, N], and how like they
        are in place, and where they are most like, [S, T, N]."""
        spectra = torch.fft.rfft2(pairs.view(*pairs.shape[:-1], *self.size), s=self.padded)
        products = torch.fft.irfft2(spectra[:, :, 0] * spectra[:, :, 1].conj(), s=self.padded).flatten(-2)
        norms = (pairs.square() @ self.overlaps).sqrt()
        now, then = (norms + LEAST_NORM).unbind(2)
        likeness = products.index_select(-1, self.places) / (now * then.flip(-1))
        return norms[..., self.middle], likeness[..., self.middle], likeness.amax(-1)


def _overlap(side: int, shifts: Tensor) -> Tensor:
    """Which of a side's tiles lie over the other picture at each shift, [shifts, side]."""
    at = torch.arange(side) - shifts.unsqueeze(1)
    return ((at >= 0) & (at < side)).float()
