"""How many places of a picture changed how much, in light and detail, against three memories: plain arithmetic."""

import torch
from torch import Tensor
from torch.nn import functional

from services.inference.network.config import NetworkConfig
from services.inference.network.senses.measures import LONGEST_STILL_SECONDS, SMALLEST_CHANGE
from services.inference.network.senses.sense import (
    INPUT_MEAN,
    INPUT_STD,
    LUMA,
    Sense,
    Sight,
    Time,
    earlier,
    rates_of,
    running_means,
)
from services.inference.network.senses.shifts import Shifts

TILE = 16
"""Pixels along a tile's sides; colours are told in tiles twice as large."""
LIGHTS = (1.5 / 255, 5 / 255, 14 / 255, 40 / 255)
"""Absolute changes of grey that part a histogram's bins."""
DETAILS = (-1.0, -0.35, -0.1, 0.1, 0.35)
"""Changes of the logarithm of detail that part its bins the other way."""
NUM_BINS = (len(LIGHTS) + 1) * (len(DETAILS) + 1)
QUANTILES = (0.5, 0.75, 0.9)
NUM_CHANGES = 1 + len(QUANTILES)
NUM_PLAIN = 32
NUM_SHIFTED = 6


class Histograms(Sense):
    """Shares of tiles by how their grey level and their detail changed together, and plain figures on the whole.

    What befalls a camera changes much of its picture at once, and in its own way: a cover takes detail and light, a
    loss of focus detail alone, a knock changes light and detail both ways. The histograms say so wherever it happens,
    in every size of picture.
    """

    def __init__(self, config: NetworkConfig, height: int, width: int) -> None:
        super().__init__()
        self.slow_seconds, self.fast_seconds = config.slow_seconds, config.fast_seconds
        tiles, tints = (height // TILE) * (width // TILE), 2 * (height // (2 * TILE)) * (width // (2 * TILE))
        self.size, self.num_tiles = (height // TILE, width // TILE), tiles
        self.glance_sizes = [tiles, tiles, tints]
        self.memory_sizes = [sum(self.glance_sizes) + NUM_CHANGES, 2 * tiles, 2 * tiles, 1]
        self.shifts = Shifts(height // TILE, width // TILE) if config.shifts else None
        self.num_inputs = 3 * NUM_BINS + NUM_PLAIN + (NUM_SHIFTED if config.shifts else 0)

    def glance(self, sight: Sight) -> Tensor:
        """Grey levels 0..1 of the tiles, their detail, and two colour differences of larger tiles."""
        colours = _tile_means(sight.images) * INPUT_STD + INPUT_MEAN
        grey = torch.tensordot(torch.tensor(LUMA, device=colours.device), colours, dims=([0], [1])).unsqueeze(1)
        tint = functional.avg_pool2d(colours[:, ::2] - grey, 2)
        return torch.cat((grey.flatten(1), sight.detail.flatten(1), tint.flatten(1)), dim=1)

    def forward(self, glance: Tensor, memory: Tensor, time: Time) -> tuple[Tensor, Tensor]:
        """As a sense's; all memories are of tiles, but for how long the picture has been exactly the same."""
        slow, fast, previous, still = torch.split(memory, self.memory_sizes, dim=1)
        tiles = glance[..., : 2 * self.num_tiles]
        before = earlier(tiles, previous, time.seen)
        step = (tiles - before)[..., : self.num_tiles].abs()
        now = torch.cat((glance, _changes(step)), dim=2)
        usual, slow = running_means(now, rates_of(time, self.slow_seconds), slow, time.seen)
        lately, fast = running_means(tiles, rates_of(time, self.fast_seconds), fast, time.seen)
        stills = _still_seconds(step, still, time)
        grey, detail = slice(0, self.num_tiles), slice(self.num_tiles, 2 * self.num_tiles)
        pairs = [(tiles[..., part], then[..., part]) for part, then in ((grey, usual), (detail, usual), (grey, lately))]
        unlike = [_unlikeness(*pair) for pair in pairs]
        plain = self._plain(now, usual, lately, step, time, unlike)
        past = (usual[..., : 2 * self.num_tiles], lately, before)
        shares = [self._shares(tiles - each) for each in past]
        inputs = torch.cat((*shares, *plain, torch.log1p(4 * stills), *self._shifted(pairs, unlike)), dim=2)
        return inputs, torch.cat((slow, fast, tiles[:, -1], stills[:, -1]), dim=1)

    def _shares(self, change: Tensor) -> Tensor:
        """The joint histogram [S, T, 30] of changes of grey and detail [S, T, 2 * tiles]; shares are times 4."""
        light, detail = torch.split(change, self.num_tiles, dim=2)
        bins = _bins(light.abs(), LIGHTS) * (len(DETAILS) + 1) + _bins(detail, DETAILS)
        counts = torch.zeros(*change.shape[:2], NUM_BINS, device=change.device)
        return counts.scatter_add_(2, bins, torch.ones_like(light)) * (4 / self.num_tiles)

    def _shifted(self, pairs: list[tuple[Tensor, Tensor]], unlike: list[Tensor]) -> list[Tensor]:
        """How unlike what was the tiles are at the place where they are most like it, and how much more than in place:
        their grey and detail beside what is usual, and their grey beside what was lately."""
        if self.shifts is None:
            return []
        figures = []
        for pair, in_place in zip(pairs, unlike, strict=True):
            elsewhere = 1 - self.shifts(*pair)
            figures += [4 * elsewhere, 4 * (in_place - elsewhere)]
        return figures

    def _plain(
        self, now: Tensor, usual: Tensor, lately: Tensor, step: Tensor, time: Time, unlike: list[Tensor]
    ) -> list[Tensor]:
        """Figures on the whole picture, each of order one: on light, contrast, detail, likeness, colour, and time."""
        sizes = [*self.glance_sizes, NUM_CHANGES]
        grey, detail, tint, change = torch.split(now, sizes, dim=2)
        usual_grey, usual_detail, usual_tint, usual_change = torch.split(usual, sizes, dim=2)
        late_grey = lately[..., : self.num_tiles]
        light, mean_detail = _mean(grey), _mean(detail)
        spread = torch.log(grey.std(2, keepdim=True) + 0.01)
        tints, new_tints = (each.view(*each.shape[:2], 2, -1) for each in (tint, tint - usual_tint))
        return [
            4 * (light - 0.5),
            4 * (light - _mean(usual_grey)),
            4 * (light - _mean(late_grey)),
            spread + 1,
            2 * (spread - torch.log(usual_grey.std(2, keepdim=True) + 0.01)),
            4 * step.amax(2, keepdim=True),
            4 * (grey - usual_grey).abs().amax(2, keepdim=True),
            (step < SMALLEST_CHANGE).float().mean(2, keepdim=True),
            0.3 * mean_detail + 1,
            2 * (mean_detail - _mean(usual_detail)),
            0.3 * detail.amax(2, keepdim=True) + 1,
            4 * unlike[0],
            2 * unlike[1],
            4 * unlike[2],
            10 * tints.mean(3),
            10 * new_tints.mean(3),
            10 * new_tints.abs().mean(3),
            0.2 * change + 1,
            0.2 * (change - usual_change),
            torch.log1p(time.dt),
            0.5 * torch.log1p(time.before),
            time.seen,
        ]


def _tile_means(images: Tensor) -> Tensor:
    """[B, 3, H, W] -> [B, 3, H/16, W/16]: what `avg_pool2d` gives, several times faster where channels lie last."""
    _, num_colours, height, width = images.shape
    rows = images.permute(0, 2, 3, 1).reshape(-1, height // TILE, TILE, width * num_colours).sum(2)
    tiles = rows.view(-1, height // TILE, width // TILE, TILE, num_colours).sum(3)
    return tiles.permute(0, 3, 1, 2) / TILE**2


def _bins(values: Tensor, borders: tuple[float, ...]) -> Tensor:
    """How many of the borders each value is beyond: what `bucketize` gives, several times faster for so few."""
    beyond = (values > borders[0]).long()
    for border in borders[1:]:
        beyond += values > border
    return beyond


def _changes(step: Tensor) -> Tensor:
    """Logarithms of the mean and of three quantiles of the absolute change of grey [S, T, tiles], [S, T, 4]."""
    ranked = step.sort(dim=2).values
    places = [int(share * (step.shape[2] - 1)) for share in QUANTILES]
    return torch.log(torch.cat((_mean(step), ranked[..., places]), dim=2) + SMALLEST_CHANGE)


def _still_seconds(step: Tensor, still: Tensor, time: Time) -> Tensor:
    """How long the picture has been exactly the same, each frame included, [S, T, 1]."""
    same, held = (step.amax(2, keepdim=True) < SMALLEST_CHANGE) & (time.seen > 0.5), []
    for is_same, dt in zip(same.unbind(1), time.dt.unbind(1), strict=True):
        still = ((still + dt) * is_same).clamp(max=LONGEST_STILL_SECONDS)
        held.append(still)
    return torch.stack(held, dim=1)


def _mean(values: Tensor) -> Tensor:
    return values.mean(2, keepdim=True)


def _unlikeness(first: Tensor, second: Tensor) -> Tensor:
    """1 minus the correlation of tiles, [S, T, 1]; flat pictures are unlike all."""
    one, other = first - _mean(first), second - _mean(second)
    norms = (one.norm(dim=2, keepdim=True) + 0.02) * (other.norm(dim=2, keepdim=True) + 0.02)
    likeness: Tensor = (one * other).sum(2, keepdim=True) / norms
    return 1 - likeness
