"""A closer look at where the picture moves: what it shows there, wherever in the picture that is."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.inference.network.config import NetworkConfig

SIDE = 24
"""Samples along each side of the window."""
FLOOR = 0.4
"""Stretched change below which nothing is said to move; sensor noise stays under it."""
REST = 0.5
"""Energy that the picture's middle has anyway, so that the window rests there while nothing moves."""
REACH = 2.5
"""The window reaches so many standard deviations of the motion's places to each side, within bounds."""
REACHES = (0.2, 1.0)
NUM_PLACES = 3


class Fovea(nn.Module):
    """Features of a window that follows what moves, and where the window is.

    A body's posture and gait look alike wherever it is and whatever its size, so that a few examples teach them. Where
    to look is plain arithmetic (moments of the change between frames), which no weight has to learn; the glimpse is
    that of Mnih et al. (2014), placed without learning to.
    """

    def __init__(self, config: NetworkConfig, num_pictures: int) -> None:
        super().__init__()
        near, far = config.change_widths[0], 2 * config.change_widths[0]
        self.near_norm, self.far_norm, self.last_norm = (
            nn.BatchNorm2d(width) if config.normed else nn.Identity() for width in (near, far, far)
        )
        self.near = nn.Conv2d(num_pictures, near, 3, padding=1)
        self.far = nn.Conv2d(near, far, 3, padding=1)
        self.last = nn.Conv2d(far, far, 3, padding=1)
        self.dropout = nn.Dropout(config.dropout)
        self.out = nn.Linear(far * (SIDE // 8) ** 2, config.change)

    def forward(self, pictures: Tensor, change: Tensor) -> Tensor:
        """[S, C, h, w] and the stretched change between frames [S, h, w] -> [S, features + 3]."""
        places = gaze(change)
        maps = window(pictures, places)
        maps = functional.max_pool2d(functional.relu(self.near_norm(self.near(maps))), 2)
        maps = functional.max_pool2d(functional.relu(self.far_norm(self.far(maps))), 2)
        maps = functional.max_pool2d(functional.relu(self.last_norm(self.last(maps))), 2)
        return torch.cat((functional.relu(self.out(self.dropout(maps.flatten(1)))), places), dim=1)


def gaze(change: Tensor) -> Tensor:
    """Where it moves in stretched changes [S, h, w]: centre x and y, and reach, of a square window, [S, 3].

    Coordinates run from -1 to 1 along the picture's longer side.
    """
    height, width = change.shape[1:]
    longer = max(height, width)
    energy = functional.relu(change.abs() - FLOOR) ** 2
    across = (2 * torch.arange(width, device=change.device) + 1 - width) / longer
    down = (2 * torch.arange(height, device=change.device) + 1 - height) / longer
    columns, rows = energy.sum(1), energy.sum(2)
    total = columns.sum(1) + REST
    x, y = (columns * across).sum(1) / total, (rows * down).sum(1) / total
    spread = (columns * (across - x[:, None]) ** 2).sum(1) + (rows * (down - y[:, None]) ** 2).sum(1) + REST
    reach = (REACH * (spread / total / 2).sqrt()).clamp(*REACHES)
    return torch.stack((x, y, reach), dim=1)


def window(pictures: Tensor, places: Tensor) -> Tensor:
    """The windows at `gaze`'s places in pictures [S, C, h, w], [S, C, 24, 24]; zero beyond a picture's borders."""
    height, width = pictures.shape[2:]
    longer = max(height, width)
    steps = (2 * torch.arange(SIDE, device=pictures.device) + 1 - SIDE) / SIDE
    x = (places[:, :1] + places[:, 2:] * steps) * (longer / width)
    y = (places[:, 1:2] + places[:, 2:] * steps) * (longer / height)
    grid = torch.stack((x[:, None, :].expand(-1, SIDE, -1), y[:, :, None].expand(-1, -1, SIDE)), dim=3)
    return functional.grid_sample(pictures, grid, align_corners=False)
