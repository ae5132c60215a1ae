"""Loading and saving a model folder: `model.json` and safetensors beside it, nothing that executes."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor

from services.inference.network.network import Network, build_network
from shared.errors import ModelUnusable
from shared.manifest import MANIFEST_FILE, InputSpec, Manifest, Thresholds, WeightsSpec, read_manifest, verified_weights
from shared.words.validation import first_problem


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A manifest and its network, in eval mode on a device."""

    manifest: Manifest
    network: Network


def load_model(folder: Path, device: torch.device) -> LoadedModel:
    """Loads and verifies a model folder; raises ModelUnusable naming the file, the tensor and what is wrong.

    The weights' SHA-256 is checked before a byte of them is parsed.
    """
    manifest = read_manifest(folder)
    path = folder / manifest.weights.file
    tensors = _parsed(path, verified_weights(folder, manifest))
    network = build_network(manifest.network, len(manifest.labels), manifest.input.height, manifest.input.width)
    if manifest.state_size != network.state_size:
        raise ModelUnusable(
            f"{folder / MANIFEST_FILE}: state_size is {manifest.state_size}, the network's is {network.state_size}"
        )
    _check_tensors(path, tensors, network.state_dict())
    network.load_state_dict(tensors)
    return LoadedModel(manifest, network.to(device).eval().requires_grad_(requires_grad=False))


def _parsed(path: Path, content: bytes) -> dict[str, Tensor]:
    try:
        return {_present_name(name): tensor for name, tensor in safetensors.load(content).items()}
    except (SafetensorError, ValueError, KeyError) as err:
        raise ModelUnusable(f"{path}: not a safetensors file: {err}") from err


def _present_name(name: str) -> str:
    """What a tensor is called; an earlier version had the comparison's parts beside the network's."""
    return f"comparison.{name}" if name.startswith(("compare.", "fovea.")) else name


def _check_tensors(path: Path, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    if missing := sorted(set(wanted) - set(found)):
        raise ModelUnusable(f"{path}: tensors {missing} are missing")
    if strangers := sorted(set(found) - set(wanted)):
        raise ModelUnusable(f"{path}: tensors {strangers} are not the network's")
    for name, tensor in found.items():
        if tensor.shape != wanted[name].shape or tensor.dtype != wanted[name].dtype:
            raise ModelUnusable(f"{path}: tensor {name} is {_kind(tensor)}; the network's is {_kind(wanted[name])}")
        if not torch.isfinite(tensor).all():
            raise ModelUnusable(f"{path}: tensor {name} holds values that are not finite")


def _kind(tensor: Tensor) -> str:
    return f"{tensor.dtype} {list(tensor.shape)}"


def save_model(
    folder: Path,
    network: Network,
    *,
    labels: tuple[str, ...],
    fps: float,
    input_spec: InputSpec,
    thresholds: Mapping[str, Thresholds],
    description: str = "",
) -> Manifest:
    """Writes the model folder (its name is the model's) and returns the manifest.

    Each file is replaced at once, the manifest last: a reader between the two sees a wrong hash, never half a file.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    content = safetensors.save(tensors)
    fields: dict[str, Any] = {
        "name": folder.name,
        "description": description,
        "labels": labels,
        "fps": fps,
        "input": input_spec,
        "state_size": network.state_size,
        "network": network.config.model_dump(),
        "thresholds": dict(thresholds),
        "weights": WeightsSpec(sha256=hashlib.sha256(content).hexdigest()),
    }
    try:
        manifest = Manifest.model_validate(fields)
    except ValidationError as err:
        raise ModelUnusable(f"{folder / MANIFEST_FILE}: {first_problem(err)}") from err
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / manifest.weights.file, content)
    _replace(folder / MANIFEST_FILE, (manifest.model_dump_json(indent=2) + "\n").encode())
    return manifest


def _replace(path: Path, content: bytes) -> None:
    """Writes beside the path and renames over it, so that a reader sees the old file or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
