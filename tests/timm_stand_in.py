"""The one mock: timm's names and behaviour that the backbones rely on, for machines without that extra.

timm needs the torchvision that was built for the very torch, so CI does without. Its one model is a convolution with a
batch norm under the name of the smallest model that the true timm has; the same tests pass on that one.
"""

from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

NAME, TAGGED = "test_resnet", "test_resnet.r160_in1k"
WEIGHTS = f"models--timm--{TAGGED}/snapshots/{'0' * 40}/model.safetensors"
"""Where the hub's client keeps the published weights in its cache."""
NORMALISED = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 8, 5, stride=4), nn.BatchNorm2d(8)
        self.pretrained_cfg = dict(NORMALISED)

    def forward(self, images: Tensor) -> Tensor:
        return torch.relu(self.bn(self.conv(images))).mean((2, 3))


def modules() -> dict[str, ModuleType]:
    """Modules to stand in for `timm` and for the hub's client that comes with it."""
    timm, hub, constants = ModuleType("timm"), ModuleType("huggingface_hub"), ModuleType("huggingface_hub.constants")
    constants.__dict__.update(HF_HUB_CACHE="", HF_HUB_OFFLINE=False, ENDPOINT="https://hub.invalid")

    def create_model(name: str, pretrained: bool = False, num_classes: int = 1000, global_pool: str = "avg") -> Model:
        assert name == NAME
        model = Model()
        if pretrained:
            model.load_state_dict(load_file(f"{constants.__dict__['HF_HUB_CACHE']}/{WEIGHTS}"))
        return model

    def get_pretrained_cfg(name: str) -> Any:
        return SimpleNamespace(hf_hub_id=f"timm/{TAGGED}", url="", fixed_input_size=False)

    timm.__dict__.update(
        __version__="0",
        create_model=create_model,
        get_pretrained_cfg=get_pretrained_cfg,
        list_models=lambda: [NAME],
        list_pretrained=lambda: [TAGGED],
    )
    return {"timm": timm, "huggingface_hub": hub, "huggingface_hub.constants": constants}
