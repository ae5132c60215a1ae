"""What differs between a frame and what the memory holds, learnt."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.inference.network.config import NetworkConfig


class Compare(nn.Module):
    """How a frame differs from what the memory holds."""

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
