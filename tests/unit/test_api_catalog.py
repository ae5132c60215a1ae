import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from services.api.kept.catalog import MAX_MODELS, Model, ModelListing

WEIGHTS = b"weights"


def write_model(models_dir: Path, folder_name: str, **changes: Any) -> Path:
    folder = models_dir / folder_name
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {
        "name": folder_name,
        "labels": ["moved"],
        "fps": 8,
        "input": {"height": 96, "width": 128},
        "state_size": 4,
        "network": {},
        "weights": {"sha256": hashlib.sha256(WEIGHTS).hexdigest()},
    }
    (folder / "model.json").write_text(json.dumps({**manifest, **changes}))
    (folder / "weights.safetensors").write_bytes(WEIGHTS)
    return folder


def only(catalog: ModelListing) -> Model:
    (model,) = catalog.models()
    return model


def test_models_come_by_name_and_hidden_folders_and_files_do_not(tmp_path: Path) -> None:
    for name in ("zebra", "ant", ".hidden"):
        write_model(tmp_path, name)
    (tmp_path / "README.md").write_text("not a model")
    assert [model.name for model in ModelListing(tmp_path).models()] == ["ant", "zebra"]
    assert all(model.reason is None for model in ModelListing(tmp_path).models())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"fps": -1}, "fps"), ({"name": "other"}, "other"), ({"weights": {"sha256": "0" * 64}}, "SHA-256")],
)
def test_an_unusable_model_says_why(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    write_model(tmp_path, "broken", **changes)
    model = only(ModelListing(tmp_path))
    assert model.reason is not None
    assert reason in model.reason


def test_a_folder_is_judged_again_when_it_changed_and_only_then(tmp_path: Path) -> None:
    folder = write_model(tmp_path, "model")
    catalog = ModelListing(tmp_path)
    first = only(catalog)
    assert only(catalog) is first

    (folder / "weights.safetensors").write_bytes(b"damaged")
    os.utime(folder / "weights.safetensors", ns=(1, 1))
    damaged = only(catalog)
    assert damaged.reason is not None
    assert damaged.manifest is not None

    (folder / "weights.safetensors").unlink()
    missing = only(catalog)
    assert missing.reason is not None
    assert "No such file" in missing.reason


def test_where_there_is_no_folder_there_are_no_models(tmp_path: Path) -> None:
    catalog = ModelListing(tmp_path / "nowhere")
    assert not catalog.is_here
    assert catalog.models() == []


def test_the_list_is_bounded(tmp_path: Path) -> None:
    for number in range(MAX_MODELS + 1):
        (tmp_path / f"model-{number}").mkdir()
    assert len(ModelListing(tmp_path).models()) == MAX_MODELS
