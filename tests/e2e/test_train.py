"""`afterimage train`: from a stranger's labelled videos to a model folder that everything else can use."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from in_process import InProcess
from patience import TOOL_SECONDS

from shared.manifest import read_manifest


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "afterimage", *map(str, arguments)]
    environment = os.environ | {"COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, timeout=TOOL_SECONDS, check=False, env=environment)


@pytest.fixture(scope="module")
def annotations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("order")
    ran = run("dataset", "order", folder, "--pairs", "4")
    assert ran.returncode == 0, ran.stderr
    return folder / "annotations.json"


def test_trains_writes_a_card_and_is_measured_by_name(
    in_process: InProcess, annotations: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "models" / "order"
    arguments = ("--data", annotations, "--fps", "8", "--epochs", "1", "--device", "cpu", "--threads", "1")
    ran = run("train", *arguments, "--out", out)
    assert ran.returncode == 0, ran.stderr
    assert "one frame" in ran.stdout
    assert "The floor, by file size, resolution, rate and duration alone: mean AP" in ran.stdout
    assert "annotations.json, subset training: " in ran.stderr
    manifest = read_manifest(out)
    assert (manifest.labels, manifest.fps) == (("leftwards", "rightwards"), 8)
    card = (out / "README.md").read_text()
    assert "afterimage train --data annotations.json --fps 8 --epochs 1" in card
    assert "| annotations.json, subset training | training |" in card
    assert "The floor, by file size" in card
    assert str(tmp_path) not in card
    assert {path.suffix for path in out.iterdir()} == {".json", ".safetensors", ".md", ".png"}

    monkeypatch.setenv("COLUMNS", "200")
    given = ("--model", "order", "--models", str(out.parent), "--data", str(annotations), "--device", "cpu", "--json")
    measured = in_process("evaluate", *given)
    assert measured.code == 0, measured.errors
    line = json.loads(measured.output)
    assert (line["videos"], line["learned_from"], line["tuned_on"]) == (4, 0, 0)
    assert set(line["floor"]) == {"map", "clip_accuracy"}
    everything = in_process("evaluate", *given, "--subset", "all")
    known = json.loads(everything.output)
    assert known["learned_from"] + known["tuned_on"] == known["videos"] - 4
    assert f"The model has learned from {known['learned_from']} of these {known['videos']} videos" in everything.errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--out", "My Model"), "cannot be called 'My Model'"),
        (("--out", "m", "--subset", "holiday"), "subset 'holiday'"),
        (("--out", "m", "--labels", "leftwards,upwards"), "'upwards'"),
        (("--out", "m", "--resume"), "no such checkpoint"),
        (("--out", "m", "--device", "cuda:7"), "cuda:7"),
    ],
    ids=["name", "subset", "label", "resume", "device"],
)
def test_what_is_wrong_is_said_before_anything_is_learnt(
    in_process: InProcess, annotations: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    name, *others = arguments[1:]
    given = ("train", "--data", str(annotations), "--out", str(tmp_path / name), "--threads", "1", *others)
    ran = in_process(*given)
    assert ran.code == 2
    assert said in ran.errors
    assert "Traceback" not in ran.errors
