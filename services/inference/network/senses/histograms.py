"""How many places of a picture changed how much, in light and detail, against three memories: plain arithmetic."""

import torch
from torch import Tensor
from torch.nn import functional

from services.inference.network.config import NetworkConfig
from services.inference.network.senses.measures import LONGEST_STILL_SECONDS, SMALLEST_CHANGE
from services.inference.network.senses.sense import (
    LUMA,
    TILE,
    Sense,
    Sight,
    Time,
    earlier,
    running_means,
)
from services.inference.network.senses.shifts import Shifts

LIGHTS = (1.5 / 255, 5 / 255, 14 / 255, 40 / 255)
"""Absolute changes of grey that part a histogram's bins."""
DETAILS = (-1.0, -0.35, -0.1, 0.1, 0.35)
"""Changes of the logarithm of detail that part its bins the other way."""
NUM_BINS = (len(LIGHTS) + 1) * (len(DETAILS) + 1)
QUANTILES = (0.5, 0.75, 0.9)
NUM_CHANGES = 1 + len(QUANTILES)

Figure = tuple[float, float, str, str | None]
"""Of order one: an offset, and what is told by so much, or how much more it is than another."""
PLAIN: tuple[Figure, ...] = (
    (-2, 4, "grey", None),
    (0, 4, "grey", "usual grey"),
    (0, 4, "grey", "late grey"),
    (1, 1, "spread", None),
    (0, 2, "spread", "usual spread"),
    (0, 4, "largest step", None),
    (0, 4, "largest change", None),
    (0, 1, "same", None),
    (1, 0.3, "detail", None),
    (0, 2, "detail", "usual detail"),
    (1, 0.3, "most detail", None),
    (4, -4, "likeness", None),
    (2, -2, "likeness of detail", None),
    (4, -4, "late likeness", None),
    *((0, 10, f"{kind} {colour}", None) for kind in ("tint", "new tint", "change of tint") for colour in "rb"),
    *((1, 0.2, f"change {index}", None) for index in range(NUM_CHANGES)),
    *((0, 0.2, f"change {index}", f"usual change {index}") for index in range(NUM_CHANGES)),
    (0, 1, "dt", None),
    (0, 0.5, "before", None),
    (0, 1, "seen", None),
    (0, 1, "still", None),
)
SHIFTED: tuple[Figure, ...] = tuple(
    figure
    for kind in ("likeness", "likeness of detail", "late likeness")
    for figure in ((4, -4, f"best {kind}", None), (0, 4, f"best {kind}", kind))
)
"""How unlike what was the tiles are at the place where they are most like it, and how much more than in place."""
MADE_OF: tuple[str, ...] = (
    *("grey", "detail", "grey again", "usual grey", "usual detail", "late grey"),
    *("spread", "usual spread"),
    *("likeness", "likeness of detail", "late likeness"),
    *("best likeness", "best likeness of detail", "best late likeness"),
    "most detail",
    *("largest change", "largest late change", "largest step"),
    "same",
    *(f"{kind} {colour}" for kind in ("tint", "new tint", "change of tint") for colour in "rb"),
    *(f"change {index}" for index in range(NUM_CHANGES)),
    *(f"usual change {index}" for index in range(NUM_CHANGES)),
    *("dt", "before", "seen", "still"),
)
"""In the order in which `Histograms.forward` has it."""


class Histograms(Sense):
    """Shares of tiles by how their grey level and their detail changed together, and plain figures on the whole.

    What befalls a camera changes much of its picture at once, and in its own way: a cover takes detail and light, a
    loss of focus detail alone, a knock changes light and detail both ways. The histograms say so wherever it happens,
    in every size of picture.
    """

    luma: Tensor
    lights: Tensor
    details: Tensor
    spans: Tensor
    """Over which of the time's spans each running mean goes."""
    places: Tensor
    """Where the quantiles stand among the larger half of the changes, the largest first."""
    columns: Tensor
    """Of what figures are made of: the first of each, then the second of each."""
    offsets: Tensor
    factors: Tensor
    beside: Tensor
    """1 where a figure is told beside another, else 0."""

    def __init__(self, config: NetworkConfig, height: int, width: int) -> None:
        super().__init__()
        tiles, tints = (height // TILE) * (width // TILE), 2 * (height // (2 * TILE)) * (width // (2 * TILE))
        self.size, self.num_tiles = (height // TILE, width // TILE), tiles
        self.glance_sizes = [tiles, tiles, tints]
        self.slow_size = sum(self.glance_sizes) + NUM_CHANGES
        self.memory_sizes = [self.slow_size + 2 * tiles, 2 * tiles, 1]
        self.shifts = Shifts(height // TILE, width // TILE, everywhere=config.shifts)
        figures = PLAIN + SHIFTED * config.shifts
        self.num_inputs = 3 * NUM_BINS + len(figures)
        offsets, factors, first, second = zip(*figures, strict=True)
        columns = [MADE_OF.index(name or "grey") for name in (*first, *second)]
        places = [tiles - 1 - int(share * (tiles - 1)) for share in QUANTILES]
        constants = {
            "luma": torch.tensor(LUMA).view(3, 1, 1),
            "lights": torch.tensor(LIGHTS).view(-1, 1, 1, 1, 1),
            "details": torch.tensor(DETAILS).view(-1, 1, 1, 1, 1),
            "spans": torch.arange(2).repeat_interleave(torch.tensor([self.slow_size, 2 * tiles])),
            "places": torch.tensor(places),
            "columns": torch.tensor(columns),
            "offsets": torch.tensor(offsets, dtype=torch.float32),
            "factors": torch.tensor(factors, dtype=torch.float32),
            "beside": torch.tensor([float(name is not None) for name in second]),
        }
        for name, values in constants.items():
            self.register_buffer(name, values, persistent=False)

    def glance(self, sight: Sight) -> Tensor:
        """Grey levels 0..1 of the tiles, their detail, and two colour differences of larger tiles."""
        grey = (sight.tiles * self.luma).sum(1, keepdim=True)
        tint = functional.avg_pool2d(sight.tiles[:, ::2] - grey, 2)
        return torch.cat((grey.flatten(1), sight.detail.flatten(1), tint.flatten(1)), dim=1)

    def forward(self, glance: Tensor, memory: Tensor, time: Time) -> tuple[Tensor, Tensor]:
        """As a sense's; the memory is what is usual, the tiles of late and those of the frame before, and for how long
        the picture has been exactly the same."""
        means, previous, still = torch.split(memory, self.memory_sizes, dim=1)
        tiles = glance[..., : 2 * self.num_tiles]
        before = earlier(tiles, previous, time)
        now = torch.cat((glance, self._changes((tiles - before)[..., : self.num_tiles].abs()), tiles), dim=2)
        found, means = running_means(now, time.rates.index_select(2, self.spans), means, time)
        past = torch.cat((found[..., : 2 * self.num_tiles], found[..., self.slow_size :], before), dim=2)
        light, detail = torch.split(tiles.unsqueeze(2) - past.view(*past.shape[:2], 3, -1), self.num_tiles, dim=3)
        light = light.abs()
        largest, same = light.amax(3), light[:, :, 2] < SMALLEST_CHANGE
        stills = _still_seconds(largest[..., 2:] < SMALLEST_CHANGE, still, time)
        known = (
            *self._levels(tiles, past),
            largest,
            _mean(same.float()),
            *self._colours_and_changes(now, found),
            *(torch.log1p(time.dt), torch.log1p(time.before), time.seen, torch.log1p(4 * stills)),
        )
        first, second = torch.cat(known, dim=2).index_select(2, self.columns).chunk(2, dim=2)
        figures = torch.addcmul(self.offsets, self.factors, first - self.beside * second)
        inputs = torch.cat((self._shares(light, detail).flatten(2), figures), dim=2)
        return inputs, torch.cat((means, tiles[:, -1], stills[:, -1]), dim=1)

    def _changes(self, step: Tensor) -> Tensor:
        """Logarithms of the mean and of three quantiles of the absolute change of grey [S, T, tiles], [S, T, 4]."""
        largest = step.topk(self.num_tiles // 2 + 1, dim=2).values
        return torch.log(torch.cat((_mean(step), largest.index_select(2, self.places)), dim=2) + SMALLEST_CHANGE)

    def _shares(self, light: Tensor, detail: Tensor) -> Tensor:
        """Joint histograms [S, T, 3, 30] of absolute changes of grey and changes of detail; shares are times 4."""
        bins = (light > self.lights).sum(0, dtype=torch.uint8) * (len(DETAILS) + 1)
        bins += (detail > self.details).sum(0, dtype=torch.uint8)
        counts = light.new_zeros(*light.shape[:3], NUM_BINS)
        return counts.scatter_add_(3, bins.long(), torch.ones_like(light)) * (4 / self.num_tiles)

    def _levels(self, tiles: Tensor, past: Tensor) -> list[Tensor]:
        """Means, spreads and likenesses of grey and detail beside what is usual, and of grey beside what was lately."""
        pairs = torch.cat((tiles, tiles[..., : self.num_tiles], past[..., : 3 * self.num_tiles]), dim=2)
        pairs = pairs.view(*pairs.shape[:2], 2, 3, -1)
        means = pairs.mean(4, keepdim=True)
        norms, likeness, best = self.shifts(pairs - means)
        spreads = torch.log(norms[..., 0] / (self.num_tiles - 1) ** 0.5 + 0.01)
        return [means.flatten(2), spreads, likeness, best, tiles[..., self.num_tiles :].amax(2, keepdim=True)]

    def _colours_and_changes(self, now: Tensor, found: Tensor) -> list[Tensor]:
        """Means of the tints, of how they differ from the usual ones and by how much, and the changes with the usual
        ones."""
        sizes = [2 * self.num_tiles, self.glance_sizes[2], NUM_CHANGES, 2 * self.num_tiles]
        _, tint, changes, _ = torch.split(now, sizes, dim=2)
        _, usual_tint, usual_changes, _ = torch.split(found, sizes, dim=2)
        new = tint - usual_tint
        tints = torch.cat((tint, new, new.abs()), dim=2)
        return [tints.view(*tints.shape[:2], 6, -1).mean(3), changes, usual_changes]


def _still_seconds(same: Tensor, still: Tensor, time: Time) -> Tensor:
    """How long the picture has been exactly the same, each frame included, [S, T, 1]."""
    passed = time.dt.cumsum(1)
    since = torch.where(same & (time.seen > 0.5), -still.unsqueeze(1), passed).cummax(1).values
    return (passed - since).clamp(max=LONGEST_STILL_SECONDS)


def _mean(values: Tensor) -> Tensor:
    return values.mean(2, keepdim=True)
