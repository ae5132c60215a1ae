"""What ingest says of each frame: figures measured at the source's own size, and the decoder's mark of damage."""

import torch
from torch import Tensor

from services.inference.network.senses.sense import Sense, Sight, Time, running_means
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

    least: Tensor
    """What each figure is where it is known, at least."""
    shares: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.glance_sizes = [MAX_FIGURES, 1]
        self.memory_sizes = [MAX_FIGURES, MAX_FIGURES, 1]
        self.num_inputs = 3 * MAX_FIGURES + 2 * len(SHARES) + 4
        least = torch.zeros(MAX_FIGURES)
        least[list(SIGNED)] = -torch.inf
        self.register_buffer("least", least, persistent=False)
        self.register_buffer("shares", torch.tensor(SHARES), persistent=False)

    def glance(self, sight: Sight) -> Tensor:
        """The figures, and whether they are known."""
        known = sight.figures.isfinite().all(1, keepdim=True)
        return torch.cat((sight.figures.clamp(*BOUNDS).masked_fill(~known, 0), known.float()), dim=1)

    def forward(self, glance: Tensor, memory: Tensor, time: Time) -> tuple[Tensor, Tensor]:
        """As a sense's; the memory is the slow mean, the last figures, and whether there ever were any."""
        slow, previous, told = torch.split(memory, self.memory_sizes, dim=1)
        measured, known = torch.split(glance, self.glance_sizes, dim=2)
        tolds = torch.cat((told.unsqueeze(1), known), dim=1).cummax(1).values
        are_known = (known > 0.5) & (measured >= self.least)
        are_first = tolds[:, :-1] < 0.5
        steps = (measured, are_known, are_known | are_first, time.rates[..., :1].masked_fill(are_first, 1))
        held: list[list[Tensor]] = [[], [], []]
        for frame, is_known, is_new, rate in zip(*(values.unbind(1) for values in steps), strict=True):
            now = torch.where(is_known, frame, slow)
            for values, value in zip(held, (now, slow, previous), strict=True):
                values.append(value)
            slow, previous = torch.lerp(slow, now, rate), torch.where(is_new, now, previous)
        now, usual, before = (torch.stack(values, dim=1) for values in held)
        usual, before = (torch.where(are_first, now, each) for each in (usual, before))
        inputs = torch.cat((now, now - usual, now - before, *self._shares(now, usual), known, tolds[:, :-1]), dim=2)
        return inputs, torch.cat((slow, previous, tolds[:, -1]), dim=1)

    def _shares(self, now: Tensor, usual: Tensor) -> tuple[Tensor, ...]:
        logarithms = torch.log(torch.stack((now, usual), dim=2).clamp(min=0) + LEAST_SHARE)
        logarithm, past = logarithms.index_select(3, self.shares).unbind(2)
        borders = logarithms[:, :, 0]
        return 0.3 * logarithm, 0.5 * (logarithm - past), 0.3 * (borders[..., BLOCKS] - borders[..., SHIFTED])


class Marks(Sense):
    """Whether a frame is damaged, and the shares of frames before it that were, of late and over long."""

    def __init__(self) -> None:
        super().__init__()
        self.glance_sizes = [1]
        self.memory_sizes = [1, 1]
        self.num_inputs = 3

    def glance(self, sight: Sight) -> Tensor:
        """The mark."""
        return sight.damaged

    def forward(self, glance: Tensor, memory: Tensor, time: Time) -> tuple[Tensor, Tensor]:
        """As a sense's; the memory is both shares."""
        found, after = running_means(glance.expand(-1, -1, 2), time.rates.flip(2), memory, time)
        return torch.cat((glance, found), dim=2), after
