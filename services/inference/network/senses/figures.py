"""What ingest says of each frame: figures measured at the source's own size, and the decoder's mark of damage."""

import torch
from torch import Tensor

from services.inference.network.config import NetworkConfig
from services.inference.network.senses.sense import Sense, Sight, Time, rates_of, running_means
from shared.entries import MAX_FIGURES

SHARES = (0, 1, 2, 3, 4, 7, 8, 9, 12, 13, 14, 15)
"""Those of the figures that are shares of all blocks, told as logarithms too: a thousandth of them may say all."""
LEAST_SHARE = 0.004
SIGNED = (6, 10)
"""Figures that may be negative: any other that is says that it is not known."""
BLOCKS, SHIFTED = slice(1, 3), slice(14, 16)
"""Shares of blocks with strong borders, and the same where no codec has borders."""
BOUNDS = (-10.0, 100.0)


class FullSize(Sense):
    """Figures of frames that may lack them: the slow mean stands in, and the network is told so."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.slow_seconds = config.slow_seconds
        self.glance_sizes = [MAX_FIGURES, 1]
        self.memory_sizes = [MAX_FIGURES, MAX_FIGURES, 1]
        self.num_inputs = 3 * MAX_FIGURES + 2 * len(SHARES) + 4

    def glance(self, sight: Sight) -> Tensor:
        """The figures, and whether they are known."""
        known = sight.figures.isfinite().all(1, keepdim=True)
        return torch.cat((torch.where(known, sight.figures.clamp(*BOUNDS), 0), known.float()), dim=1)

    def forward(self, glance: Tensor, memory: Tensor, time: Time) -> tuple[Tensor, Tensor]:
        """As a sense's; the memory is the slow mean, the last figures, and whether there ever were any."""
        slow, previous, told = torch.split(memory, self.memory_sizes, dim=1)
        signed = torch.zeros(MAX_FIGURES, dtype=torch.bool, device=glance.device)
        signed[list(SIGNED)] = True
        held = []
        for frame, rate in zip(glance.unbind(1), rates_of(time, self.slow_seconds).unbind(1), strict=True):
            measured, known = torch.split(frame, self.glance_sizes, dim=1)
            is_known = (known > 0.5) & ((measured >= 0) | signed)
            now = torch.where(is_known, measured, slow)
            slow, previous = (torch.where(told > 0.5, each, now) for each in (slow, previous))
            held.append((now, slow, previous, known, told))
            slow = torch.lerp(slow, now, rate)
            previous = torch.where(is_known, now, previous)
            told = told.maximum(known)
        now, usual, before, knowns, tolds = (torch.stack(values, dim=1) for values in zip(*held, strict=True))
        inputs = torch.cat((now, now - usual, now - before, *_shares(now, usual), knowns, tolds), dim=2)
        return inputs, torch.cat((slow, previous, told), dim=1)


class Marks(Sense):
    """Whether a frame is damaged, and the shares of frames before it that were, of late and over long."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.spans_seconds = (config.fast_seconds, config.slow_seconds)
        self.glance_sizes = [1]
        self.memory_sizes = [1, 1]
        self.num_inputs = 3

    def glance(self, sight: Sight) -> Tensor:
        """The mark."""
        return sight.damaged

    def forward(self, glance: Tensor, memory: Tensor, time: Time) -> tuple[Tensor, Tensor]:
        """As a sense's; the memory is both shares."""
        shares = zip(self.spans_seconds, torch.split(memory, self.memory_sizes, dim=1), strict=True)
        passed = [running_means(glance, rates_of(time, span), share, time.seen) for span, share in shares]
        found, after = zip(*passed, strict=True)
        return torch.cat((glance, *found), dim=2), torch.cat(after, dim=1)


def _shares(now: Tensor, usual: Tensor) -> tuple[Tensor, ...]:
    logarithm, past = (torch.log(each.clamp(min=0) + LEAST_SHARE) for each in (now, usual))
    return (
        0.3 * logarithm[..., SHARES],
        0.5 * (logarithm - past)[..., SHARES],
        0.3 * (logarithm[..., BLOCKS] - logarithm[..., SHIFTED]),
    )
