"""Models of timm's without their heads, and errors that say what is missing.

timm is an extra and its types are unknown where it is not installed, hence the `Any`.
"""

import difflib
import importlib
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from shared.errors import ModelUnusable

UNBUILDABLE = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What timm's models raise for arguments, and pictures, that they do not take."""


class Trunk(NamedTuple):
    """A model without its head."""

    model: nn.Module
    """Images [B, 3, H, W] -> features [B, num_features]."""
    num_features: int
    mean: Tensor
    std: Tensor
    """What it wants the channels of its input (0..1) normalised with, [3]."""


def open_trunk(name: str, size: tuple[int, int]) -> Trunk:
    """The model with random weights, fitted to pictures of this height and width; nothing is fetched.

    Raises ModelUnusable where timm or the model is missing, or takes no such pictures.
    """
    timm = _imported(name)
    if name not in (known := [*timm.list_models(), *timm.list_pretrained()]):
        near = ", ".join(difflib.get_close_matches(name, known, n=5)) or "none"
        raise _unusable(name, f"is no model of timm {timm.__version__}; near: {near}")
    try:
        model = _created(timm, name, size, pretrained=False)
        with torch.no_grad():
            _, num_features = model.eval()(torch.zeros(1, 3, *size)).shape
    except UNBUILDABLE as err:
        raise _unusable(name, f"gives no features of {size[0]}x{size[1]} pictures: {_words(err)}") from err
    mean, std = (torch.tensor(model.pretrained_cfg[field]) for field in ("mean", "std"))
    return Trunk(model, num_features, mean, std)


def pretrained_weights(name: str, size: tuple[int, int]) -> dict[str, Tensor]:
    """The weights that timm names for the model, from the hub or its cache.

    Raises ModelUnusable that says which are missing and where they were looked for.
    """
    timm = _imported(name)
    config = timm.get_pretrained_cfg(name)
    try:
        weights: dict[str, Tensor] = _created(timm, name, size, pretrained=True).state_dict()
    except Exception as err:  # the hub's, its HTTP client's, safetensors' or pickle's: whichever timm went through
        reason = f"{_places(config)}: {_words(err.__cause__ or err)}"
        advice = "--no-pretrained starts from random weights"
        raise _unusable(name, f"lacks its pretrained weights: {reason}; {advice}") from err
    return weights


def _imported(name: str) -> Any:  # noqa: ANN401
    try:
        return importlib.import_module("timm")
    except (ImportError, OSError, RuntimeError) as err:
        if isinstance(err, ModuleNotFoundError) and err.name == "timm":
            raise _unusable(name, "needs the extra timm: pip install 'afterimage[timm]'") from err
        torchvision = f"torchvision must be the build for torch {torch.__version__}"
        raise _unusable(name, f"needs a timm that imports: {_words(err)}; {torchvision}") from err


def _created(timm: Any, name: str, size: tuple[int, int], *, pretrained: bool) -> Any:  # noqa: ANN401
    config = timm.get_pretrained_cfg(name)
    fitted = {"img_size": size} if config and config.fixed_input_size else {}
    return timm.create_model(name, pretrained=pretrained, num_classes=0, global_pool="avg", **fitted)


def _places(config: Any) -> str:  # noqa: ANN401
    """Which weights were looked for, and where, in timm's order."""
    if config and config.hf_hub_id:
        hub = importlib.import_module("huggingface_hub.constants")
        return f"{config.hf_hub_id} is neither in {hub.HF_HUB_CACHE} nor to be had from {hub.ENDPOINT}"
    if config and config.url:
        return f"{config.url} is neither in {torch.hub.get_dir()} nor to be had"
    return "timm names none"


def _words(err: BaseException) -> str:
    """The error's type and first line."""
    lines = str(err).splitlines()
    return f"{type(err).__name__}: {lines[0].rstrip('.')}" if lines else type(err).__name__


def _unusable(name: str, reason: str) -> ModelUnusable:
    return ModelUnusable(f"backbone 'timm:{name}' {reason}")
