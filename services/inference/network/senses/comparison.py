"""What differs between a frame and what the memory holds, learnt."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.inference.network.config import NetworkConfig
from services.inference.network.looks.backbones import initialise
from services.inference.network.senses.fovea import NUM_PLACES, Fovea
from services.inference.network.senses.likeness import local_likeness, optical_flow, phase_peaks
from services.inference.network.senses.measures import (
    NUM_MEASURES,
    Glance,
    Memory,
    halved,
    log_change,
    measure,
    still_seconds,
)
from services.inference.network.senses.sense import LEVELS, Sense, Sight, Time

NUM_PEAKS = 4
SETTLING_SECONDS = 3.0
"""So long the slow background is the plain mean of what was seen; then it follows slowly."""


class Comparison(Sense):
    """How a frame differs from three small pictures that the memory holds, and what of it moves."""

    def __init__(self, config: NetworkConfig, height: int, width: int, num_tiles: int) -> None:
        super().__init__()
        self.config = config
        self.thumb_size = (height // config.thumb_pool, width // config.thumb_pool)
        thumb = math.prod(self.thumb_size)
        tint = 2 * thumb // 4 if config.colour else 0
        self.glance_sizes = [thumb, num_tiles, tint]
        self.memory_sizes = [thumb, thumb, thumb // 4, num_tiles, tint, tint, 1, 1]
        self.num_inputs = config.change + NUM_MEASURES + (NUM_PEAKS if config.likeness else 0)
        self.num_inputs += config.change + NUM_PLACES if config.fovea else 0
        self.compare = Compare(config, num_tiles).apply(initialise)
        self.fovea = Fovea(config, num_pictures(config)).apply(initialise) if config.fovea else None

    def glance(self, sight: Sight) -> Tensor:
        """A small grey picture, the tiles' detail, and a smaller picture of the colours where they are compared."""
        parts = [functional.avg_pool2d(sight.grey, self.config.thumb_pool).flatten(1), sight.detail.flatten(1)]
        if self.config.colour:
            tint = sight.colours[:, ::2] / LEVELS - sight.grey
            parts.append(functional.avg_pool2d(tint, 2 * self.config.thumb_pool).flatten(1))
        return torch.cat(parts, dim=1)

    def forward(self, glance: Tensor, memory: Tensor, time: Time) -> tuple[Tensor, Tensor]:
        """As a sense's."""
        glances = Glance(*torch.split(glance, self.glance_sizes, dim=2))
        parts = torch.split(memory, self.memory_sizes, dim=1)
        recalled, after = self._recalled(glances, time, Memory(*(*parts, time.before[:, 0], time.seen[:, 0])))
        inputs = self._inputs(
            Glance(*(values.flatten(0, 1) for values in glances)),
            Memory(*(values.flatten(0, 1) for values in recalled)),
            time.dt.flatten(0, 1),
        )
        return inputs.view(*glance.shape[:2], -1), torch.cat(after[: len(parts)], dim=1)

    def _recalled(self, glances: Glance, time: Time, memory: Memory) -> tuple[Memory, Memory]:
        """What the memory held at each of T frames, [S, T, ...], and what it holds after them."""
        held = []
        for *parts, dt, age in zip(*(values.unbind(1) for values in (*glances, time.dt, time.age)), strict=True):
            glance = Glance(*parts)
            held.append(self._begun(memory, glance))
            memory = self._remembered(glance, held[-1], dt, age)
        return Memory(*(torch.stack(values, dim=1) for values in zip(*held, strict=True))), memory

    def _begun(self, memory: Memory, glance: Glance) -> Memory:
        """The memory, but a stream that starts is given its first frame as its past."""
        seen = memory.seen > 0.5
        return memory._replace(
            previous=torch.where(seen, memory.previous, glance.thumb),
            slow=torch.where(seen, memory.slow, glance.thumb),
            fast=torch.where(seen, memory.fast, halved(glance.thumb, self.thumb_size)),
            detail=torch.where(seen, memory.detail, glance.detail),
            previous_tint=torch.where(seen, memory.previous_tint, glance.tint),
            slow_tint=torch.where(seen, memory.slow_tint, glance.tint),
        )

    def _remembered(self, glance: Glance, memory: Memory, dt: Tensor, age: Tensor) -> Memory:
        """The memory after this frame: plain means at first, then exponential ones, by elapsed time."""
        settled = age > SETTLING_SECONDS
        slow = torch.where(settled, 1 - torch.exp(-dt / self.config.slow_seconds), dt / (age + 1e-3).maximum(dt))
        fast = 1 - torch.exp(-dt / self.config.fast_seconds)
        return Memory(
            previous=glance.thumb,
            slow=torch.lerp(memory.slow, glance.thumb, slow),
            fast=torch.lerp(memory.fast, halved(glance.thumb, self.thumb_size), fast),
            detail=torch.lerp(memory.detail, glance.detail, slow),
            previous_tint=glance.tint,
            slow_tint=torch.lerp(memory.slow_tint, glance.tint, slow),
            unrest=torch.lerp(memory.unrest, log_change(glance.thumb - memory.previous), slow),
            still_seconds=still_seconds(glance.thumb - memory.previous, memory, dt),
            age_seconds=age,
            seen=torch.ones_like(memory.seen),
        )

    def _inputs(self, glance: Glance, memory: Memory, dt: Tensor) -> Tensor:
        """What the LSTM is given of each frame, [S * T, num_inputs]."""
        pictures, *others = self._pictures(glance, memory)
        change = self.compare(pictures, *others)
        closer = (self.fovea(pictures, pictures[:, 2]),) if self.fovea else ()
        measures = measure(glance, memory, dt, self.thumb_size)
        peaks = (_peaks(glance, memory, self.thumb_size),) if self.config.likeness else ()
        return torch.cat((change, measures, *peaks, *closer), dim=1)

    def _pictures(self, glance: Glance, memory: Memory) -> tuple[Tensor, Tensor, Tensor]:
        """What `compare` sees: now and past [S, C, h, w], the same coarser [S, c, h/2, w/2], detail [S, 2, tiles]."""
        fast = stretched(halved(glance.thumb, self.thumb_size) - memory.fast)
        now = (
            2 * (glance.thumb - 0.5),
            2 * (memory.slow - 0.5),
            stretched(glance.thumb - memory.previous),
            stretched(glance.thumb - memory.slow),
        )
        height, width = self.thumb_size
        pictures = torch.stack(now, dim=2).view(-1, height, width, 4).permute(0, 3, 1, 2)
        coarse = fast.view(-1, 1, height // 2, width // 2)
        before, slow, after = (
            thumb.view(-1, 1, height, width) for thumb in (memory.previous, memory.slow, glance.thumb)
        )
        if self.config.likeness:
            pictures = torch.cat((pictures, local_likeness(before, after), local_likeness(slow, after)), dim=1)
        if self.config.flow:
            halves = (functional.avg_pool2d(thumb, 2) for thumb in (before, after))
            pictures = torch.cat((pictures, optical_flow(before, after)), dim=1)
            coarse = torch.cat((coarse, optical_flow(*halves)), dim=1)
        if self.config.colour:
            tints = (
                4 * glance.tint,
                stretched(glance.tint - memory.previous_tint),
                stretched(glance.tint - memory.slow_tint),
            )
            coarse = torch.cat((coarse, *(tint.view(-1, 2, height // 2, width // 2) for tint in tints)), dim=1)
        return (
            pictures,
            coarse,
            torch.stack((0.3 * glance.detail + 1, glance.detail - memory.detail), dim=1),
        )


class Compare(nn.Module):
    """The convolutions that see now beside then."""

    def __init__(self, config: NetworkConfig, num_tiles: int) -> None:
        super().__init__()
        near, middle, far = config.change_widths
        num_flows = 2 if config.flow else 0
        self.is_fine = config.thumb_pool == 2
        self.near_norm, self.middle_norm, self.far_norm = (
            nn.BatchNorm2d(width) if config.normed else nn.Identity() for width in config.change_widths
        )
        num_tints = 6 * config.colour
        self.near = nn.Conv2d(num_pictures(config), near, 3, stride=2 if self.is_fine else 1, padding=1)
        self.middle = nn.Conv2d(near + 1 + num_flows + num_tints, middle, 3, stride=2, padding=1)
        self.far = nn.Conv2d(middle, far, 3, padding=1)
        self.squeeze = nn.Conv2d(far, 8, 1)
        self.dropout = nn.Dropout(config.dropout)
        self.out = nn.Linear((8 + 2) * num_tiles + 2 * far, config.change)

    def forward(self, pictures: Tensor, coarse: Tensor, detail: Tensor) -> Tensor:
        """[S, C, h, w], [S, c, h/2, w/2], [S, 2, tiles] -> [S, change]."""
        maps = functional.relu(self.near_norm(self.near(pictures)))
        if not self.is_fine:
            maps = functional.max_pool2d(maps, 2)
        maps = functional.relu(self.middle_norm(self.middle(torch.cat((maps, coarse), dim=1))))
        if self.is_fine:
            maps = functional.max_pool2d(maps, 2)
        maps = functional.relu(self.far_norm(self.far(maps)))
        everywhere = functional.relu(self.squeeze(maps)).flatten(1)
        summary = torch.cat((everywhere, detail.flatten(1), maps.mean((2, 3)), maps.amax((2, 3))), dim=1)
        return functional.relu(self.out(self.dropout(summary)))


def num_pictures(config: NetworkConfig) -> int:
    """How many pictures of the memory's size are compared."""
    return 4 + 2 * config.likeness + 2 * config.flow


def stretched(change: Tensor) -> Tensor:
    """Signed changes of grey with the small ones magnified: linear near zero, logarithmic beyond 0.02."""
    return 0.5 * torch.asinh(50 * change)


def _peaks(glance: Glance, memory: Memory, size: tuple[int, int]) -> Tensor:
    """Phase correlation with the frame before and with the slow background, [S, 4]."""
    now, previous, slow = (thumb.view(-1, *size) for thumb in (glance.thumb, memory.previous, memory.slow))
    return 4 * torch.cat((*phase_peaks(now, previous), *phase_peaks(now, slow)), dim=1)
