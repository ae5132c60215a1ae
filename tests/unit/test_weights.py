"""Model folders: what loads is what was saved, and everything else is refused by name."""

import json
import pickle
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from services.inference.network.network import build_network
from services.inference.network.weights import load_model, save_model
from shared.errors import ModelUnusable
from shared.manifest import InputSpec, Thresholds

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(2)
    save_model(
        tmp_path / "tiny",
        build_network({"hidden": 8}, 2, 32, 32),
        labels=("one", "two"),
        fps=8,
        input_spec=InputSpec(height=32, width=32),
        thresholds={"one": Thresholds(enter=0.6)},
    )
    return tmp_path / "tiny"


def rewrite(folder: Path, content: bytes) -> None:
    """Replaces the weights and states their true hash, as whoever made them would."""
    (folder / "weights.safetensors").write_bytes(content)
    edit(folder, weights={"file": "weights.safetensors", "sha256": sha256(content).hexdigest()})


def edit(folder: Path, **fields: object) -> None:
    manifest = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(manifest | fields))


def rewrite_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / "weights.safetensors")
    change(tensors)
    save_file(tensors, folder / "new")
    rewrite(folder, (folder / "new").read_bytes())


def test_what_is_loaded_is_what_was_saved(folder: Path) -> None:
    loaded = load_model(folder, CPU)
    assert loaded.manifest.labels == ("one", "two")
    assert loaded.manifest.thresholds_for("one").enter == 0.6
    assert loaded.network.config.hidden == 8
    assert not loaded.network.training
    for name, tensor in load_file(folder / "weights.safetensors").items():
        assert torch.equal(loaded.network.state_dict()[name], tensor)


def test_saving_again_replaces_both_files_and_leaves_nothing_else(folder: Path) -> None:
    before = load_model(folder, CPU)
    network = build_network({"hidden": 16}, 1, 32, 32)
    save_model(folder, network, labels=("x",), fps=4, input_spec=InputSpec(height=32, width=32), thresholds={})
    after = load_model(folder, CPU)
    assert after.manifest.reference != before.manifest.reference
    assert after.manifest.labels == ("x",)
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "weights.safetensors"]


def test_refuses_weights_of_another_hash(folder: Path) -> None:
    content = bytearray((folder / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(content)
    with pytest.raises(ModelUnusable, match="SHA-256"):
        load_model(folder, CPU)


def test_refuses_a_pickle_under_the_right_name(folder: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.touch, (tmp_path / "sprung",)

    rewrite(folder, pickle.dumps(Trap()))
    with pytest.raises(ModelUnusable, match=r"weights\.safetensors: not a safetensors file"):
        load_model(folder, CPU)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("length", [0, 7, 100, 5000])
def test_refuses_truncated_weights(folder: Path, length: int) -> None:
    rewrite(folder, (folder / "weights.safetensors").read_bytes()[:length])
    with pytest.raises(ModelUnusable, match="not a safetensors file"):
        load_model(folder, CPU)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tensors: tensors.pop("head.bias"), r"head\.bias.* missing"),
        (lambda tensors: tensors.update(extra=torch.zeros(1)), r"extra.* not the network's"),
        (lambda tensors: tensors.update({"head.bias": torch.zeros(3)}), r"head\.bias is .*\[3\].*\[2\]"),
        (lambda tensors: tensors.update({"head.bias": torch.zeros(2).half()}), r"head\.bias is torch.float16"),
        (lambda tensors: tensors.update({"head.bias": torch.tensor([0, torch.nan])}), r"head\.bias .* not finite"),
    ],
)
def test_refuses_tensors_that_are_not_the_networks(
    folder: Path, change: Callable[[dict[str, torch.Tensor]], object], words: str
) -> None:
    rewrite_tensors(folder, change)
    with pytest.raises(ModelUnusable, match=words):
        load_model(folder, CPU)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state_size": 5}, "state_size is 5"),
        ({"labels": ["one"], "thresholds": {}}, r"head\.bias|head\.weight"),
        ({"network": {"hidden": -1}}, "hidden"),
        ({"input": {"height": 33, "width": 32}}, "multiples of 16"),
        ({"name": "other"}, "folder is called 'tiny'"),
    ],
)
def test_refuses_a_manifest_that_disagrees(folder: Path, fields: dict[str, object], words: str) -> None:
    edit(folder, **fields)
    with pytest.raises(ModelUnusable, match=words):
        load_model(folder, CPU)


EVERYTHING = {"flow": True, "likeness": True, "colour": True, "fovea": True, "hidden": 8, "change": 8, "appearance": 8}
LATER_FIELDS = ("histograms", "shifts", "figures", "damage", "dense")


def test_a_model_of_an_earlier_version_loads_and_scores_as_it_did(tmp_path: Path) -> None:
    """The logits are what that version gave; its tensors had other names, its manifest fewer fields."""
    network = build_network(EVERYTHING, 2, 48, 64)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.linspace(-0.5, 0.6, weight.numel()).view_as(weight) / weight[0].numel() ** 0.5)
    spec = InputSpec(height=48, width=64)
    save_model(tmp_path / "old", network, labels=("one", "two"), fps=8, input_spec=spec, thresholds={})
    edit(tmp_path / "old", network={key: value for key, value in network.config if key not in LATER_FIELDS})
    rewrite_tensors(tmp_path / "old", rename_as_before)
    loaded = load_model(tmp_path / "old", CPU).network
    ramp = torch.arange(0, 256, 4, dtype=torch.uint8).expand(3, 48, 64)
    features = loaded.encode(torch.stack([ramp.roll(shift, dims=2) for shift in (0, 0, 1, 30, 30, 30)]))
    logits, state = loaded.steps(features[None], torch.full((1, 6), 0.125), torch.zeros(1, loaded.state_size))
    assert logits[0, 3].tolist() == pytest.approx([-25.0971, 21.8460], abs=1e-3)
    assert logits[0, 5].tolist() == pytest.approx([-24.8660, 22.5478], abs=1e-3)
    assert state.abs().sum().item() == pytest.approx(294.900, abs=1e-2)


def rename_as_before(tensors: dict[str, torch.Tensor]) -> None:
    for name in [name for name in tensors if name.startswith("comparison.")]:
        tensors[name.removeprefix("comparison.")] = tensors.pop(name)
    assert {"compare.near.weight", "fovea.near.weight", "look.out.weight", "lstm.weight_ih"} <= set(tensors)
