"""The backbone, how one frame looks: the built-in CNN, or a trunk that was trained elsewhere."""

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.inference.network.looks.timm_trunk import Trunk
from services.inference.network.senses.sense import LEVELS

INPUT_MEAN, INPUT_STD = 0.5, 0.25
"""What pictures are normalised with before a look sees them: the manifest's usual mean and std are assumed."""
Published = Callable[[], dict[str, Tensor]]
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class BuiltinLook(nn.Module):
    """How one frame looks: four strided convolutions, then a linear layer over the coarse map."""

    def __init__(
        self, widths: tuple[int, ...], appearance: int, dropout: float, num_tiles: int, *, normed: bool
    ) -> None:
        super().__init__()
        self.num_features = appearance
        stages: list[nn.Module] = []
        for before, after in zip((3, *widths[:-1]), widths, strict=True):
            stages.append(nn.Conv2d(before, after, 3, stride=2, padding=1))
            stages += [nn.BatchNorm2d(after)] if normed else []
            stages.append(nn.ReLU(inplace=True))
        self.stages = nn.Sequential(*stages)
        self.squeeze = nn.Conv2d(widths[-1], 16, 1)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(16 * num_tiles + 2 * widths[-1], appearance)
        self.apply(initialise)

    def reckon_in(self, dtype: torch.dtype) -> None:
        """Casts what makes its features."""
        _cast(self, dtype)

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, appearance]."""
        maps = self.stages(images.to(self.out.weight.dtype))
        everywhere = functional.relu(self.squeeze(maps)).flatten(1)
        summary = torch.cat((everywhere, maps.mean((2, 3)), maps.amax((2, 3))), dim=1)
        return functional.relu(self.out(self.dropout(summary)))


class TrunkLook(nn.Module):
    """How one frame looks to a trunk: its pooled features, normed, then a linear layer.

    Batch norms keep their statistics in training too: the frames of a batch come from a few streams and are too alike
    to have statistics of their own. Their scale and shift are learnt, as all weights are; but a `fixed` trunk's weights
    all stay, so that its features serve all epochs, and what is learnt of them comes after (`digested`). The mean and
    std that the trunk wants its input normalised with are saved beside its weights, for another timm may name others.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, trunk: Trunk, published: Published, appearance: int, dropout: float, *, fixed: bool) -> None:
        super().__init__()
        self.published, self.fixed, self.dtype = published, fixed, torch.float32
        self.trunk = trunk.model.requires_grad_(not fixed)
        self.num_features = trunk.num_features if fixed else appearance
        self.register_buffer("mean", trunk.mean.view(3, 1, 1))
        self.register_buffer("std", trunk.std.view(3, 1, 1))
        self.norm = nn.LayerNorm(trunk.num_features)  # trunks differ in scale by orders of magnitude
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(trunk.num_features, appearance)
        initialise(self.out)

    def reckon_in(self, dtype: torch.dtype) -> None:
        """Casts the trunk alone: what digests its features is little, and may come after them, in `steps`."""
        _cast(self.trunk, dtype)
        self.dtype = dtype

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, num_features]: the trunk's where it is fixed, else digested."""
        pixels = images * INPUT_STD + INPUT_MEAN
        features: Tensor = self.trunk(((pixels - self.mean) / self.std).to(self.dtype)).float()
        return features if self.fixed else self.digested(features)

    def digested(self, features: Tensor) -> Tensor:
        """The trunk's features [..., F] -> [..., appearance]."""
        return functional.relu(self.out(self.dropout(self.norm(features))))

    def train(self, mode: bool = True) -> Self:
        """Sets the mode of all but the batch norms, which stay in eval mode."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BATCH_NORMS):
                module.eval()
        return self

    def load_pretrained(self) -> None:
        """Takes the weights that the trunk was published with; raises ModelUnusable where they are not to be had."""
        self.trunk.load_state_dict(self.published())


def normalise(images: Tensor) -> Tensor:
    """RGB images [B, 3, H, W], uint8, as float32: 0..1, minus the mean, over the std; colours of a pixel side by side,
    which convolutions are faster with."""
    levels = images.to(torch.float32, memory_format=torch.channels_last)
    return levels * (1 / (LEVELS * INPUT_STD)) - INPUT_MEAN / INPUT_STD


def _cast(module: nn.Module, dtype: torch.dtype) -> None:
    """All but batch norms, whose statistics stay as they are."""
    for each in module.to(dtype).modules():
        if isinstance(each, _BATCH_NORMS):
            each.float()


def initialise(module: nn.Module) -> None:
    """Weights that keep a signal's size through rectified layers (He et al., 2015)."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
