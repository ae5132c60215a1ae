"""How far a picture shows what another showed, in place or shifted, whatever the light; no weight has to learn it."""

import torch
from torch import Tensor

from services.inference.windows import window_means

FLATNESS = 2e-4
"""Variance of grey below which a place has nothing to recognise; sensor noise stays under it."""
WHITENING = 1e-3
"""Of a spectrum's largest magnitude: what is smaller is noise and is not raised to the others."""


def local_likeness(first: Tensor, second: Tensor) -> Tensor:
    """Correlation [N, 1, h, w], -1 to 1, of two grey pictures [N, 1, h, w], 0..1, in windows of 5x5; 0 where flat.

    A shadow leaves it as it is, something before the lens does not.
    """
    products = torch.cat((first, second, first * first, second * second, first * second), dim=1)
    one, other, one_squared, other_squared, both = window_means(products).unbind(1)
    covariance = both - one * other
    variances = ((one_squared - one * one).clamp(min=0) + FLATNESS) * (
        (other_squared - other * other).clamp(min=0) + FLATNESS
    )
    return (covariance / variances.sqrt()).unsqueeze(1)


def phase_peaks(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Phase correlation [N, 1] of grey pictures [N, h, w]: its peak at (nearly) no shift, and at any other shift.

    Kuglin and Hines (1975): a knocked camera's picture is the old one at another place and has one sharp peak there; a
    covered one's has none. Windowed, because the borders of a picture do not meet.
    """
    height, width = first.shape[1:]
    window = torch.outer(
        torch.hann_window(height, periodic=False, device=first.device),
        torch.hann_window(width, periodic=False, device=first.device),
    )
    spectra = [torch.fft.rfft2(window * (each - each.mean((1, 2), keepdim=True))) for each in (first, second)]
    cross = spectra[0] * spectra[1].conj()
    magnitude = cross.abs()
    floor = WHITENING * magnitude.amax((1, 2), keepdim=True) + 1e-6
    peaks = torch.fft.irfft2(cross / (magnitude + floor), s=(height, width))
    peaks = torch.roll(peaks, (1, 1), (1, 2))
    there = peaks[:, :3, :3].amax((1, 2)).unsqueeze(1)
    elsewhere = peaks.clone()
    elsewhere[:, :3, :3] = 0
    return there, elsewhere.amax((1, 2)).unsqueeze(1)
