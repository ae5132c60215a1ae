"""What two grey pictures have in common, from plain arithmetic that no weight has to learn: likeness and movement."""

import torch
from torch import Tensor
from torch.nn import functional

FLATNESS = 2e-4
"""Variance of grey below which a place has nothing to recognise; sensor noise stays under it."""
WHITENING = 1e-3
"""Of a spectrum's largest magnitude: what is smaller is noise and is not raised to the others."""
STEEPNESS = 4e-4
"""Squared slope of grey below which a place tells no direction; sensor noise stays under it."""
LONGEST = 4.0
WINDOW = 5


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
