"""`afterimage evaluate`: figures for machines on standard output, the rest on standard error, a report in a folder."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from films import VideoFile
from in_process import InProcess
from patience import TOOL_SECONDS, unavailable

from services.inference.network.network import build_network
from services.inference.network.weights import save_model
from shared.manifest import InputSpec
from training.scenes.footage import Footage
from training.scenes.seeds import Split

FIGURES = {"precision", "recall", "f1", "onset_delay_median_seconds", "false_per_hour"}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network, spec = build_network({}, 2, 48, 64), InputSpec(height=48, width=64)
    labels = ("cross", "stand")
    save_model(tmp_path / "models" / "small", network, labels=labels, fps=8.0, input_spec=spec, thresholds={})
    return tmp_path / "models"


@pytest.fixture
def annotations(tmp_path: Path, video_file: VideoFile) -> Path:
    video_file("a.mp4", seconds=3)
    video_file("b.mp4", seconds=2)
    database = {
        "a.mp4": {"subset": "validation", "annotations": [{"label": "cross", "segment": [0.5, 2.0]}]},
        "b.mp4": {"subset": "training", "annotations": [{"label": "stand", "segment": [0.0, 2.0]}]},
    }
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps({"database": database}))
    return path


def evaluate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "afterimage", "evaluate", "--device", "cpu", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=TOOL_SECONDS, check=False)


def line_of(ran: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("\n") == 1
    line: dict[str, Any] = json.loads(ran.stdout, parse_constant=pytest.fail)
    return line


def test_measures_a_subset_and_writes_a_report(models: Path, annotations: Path, tmp_path: Path) -> None:
    videos, out = annotations.parent, tmp_path / "out"
    arguments = ("--model", "small", "--models", models, "--data", annotations, "--videos", videos)
    ran = evaluate(*arguments, "--subset", "validation", "--tolerance", "2", "--json", "--report", out)
    line = line_of(ran)
    about_the_data = {"learned_from", "tuned_on", "floor"}
    assert set(line) == {"model", "map", "clip_accuracy", "labels", "events", "videos", "seconds"} | about_the_data
    assert line["model"].startswith("small@")
    assert set(line["labels"]) == {"cross", "stand"}
    assert set(line["labels"]["cross"]) == {"ap", "ap_without_memory", "ap_shuffled"}
    assert set(line["events"]) == FIGURES | {"labels"}
    assert (line["videos"], line["seconds"]) == (1, pytest.approx(3, abs=0.2))
    text = (out / "report.md").read_text()
    assert "annotations.json, subset validation" in text
    assert "within 2 s" in text
    assert str(tmp_path) not in text + (out / "metrics.json").read_text()
    assert json.loads((out / "metrics.json").read_text())["map"] == line["map"]


def test_shows_tables_and_words_and_takes_a_folder_for_a_model(models: Path, annotations: Path) -> None:
    ran = evaluate("--model", models / "small", "--data", annotations)
    assert ran.returncode == 0, ran.stderr
    assert "annotations.json, subset validation: 1 videos, 0.1 minutes" in ran.stdout
    assert "annotations.json, subset validation: 1 of 2 videos (subsets: training, validation)\n" in ran.stderr
    assert "one frame" in ran.stdout
    assert "cross: " in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--model", "nobody"], "model 'nobody': no such folder"),
        (["--model", "small", "--subset", "testing"], "subset 'testing': no video that can be used; there are"),
        (["--model", "small", "--tolerance", "-1"], "--tolerance"),
        (["--model", "small", "--device", "quantum"], "device 'quantum'"),
    ],
)
def test_what_is_wrong_is_one_clear_line(
    in_process: InProcess, models: Path, annotations: Path, arguments: list[str], why: str
) -> None:
    given = ("--device", "cpu", "--models", str(models), "--data", str(annotations), "--json", *arguments)
    ran = in_process("evaluate", *given)
    assert ran.code == 2
    assert why in ran.errors
    assert "Traceback" not in ran.errors
    assert ran.output == ""


def test_without_data_it_is_measured_on_rendered_clips() -> None:
    line = line_of(evaluate("--clips", "1", "--workers", "0", "--json"))
    assert line["model"].startswith("camera-events@")
    assert (line["videos"], line["seconds"]) == (1, 30)


def test_incidents_are_staged_on_footage_kept_aside_and_untouched_footage_is_watched(
    tmp_path: Path, reference_data: Path
) -> None:
    if not shutil.which("ffmpeg"):
        unavailable("ffmpeg")
    out, clips, rooms = tmp_path / "out", tmp_path / "clips", reference_data / "rooms"
    kept_aside = [file for files in Footage((rooms,)).files(Split.EVALUATION).values() for file in files]
    film = kept_aside[0]
    arguments = ("--incidents", "--backdrops", rooms, "--untouched", film, "--clips", "3", "--keep", clips)
    lights_out_among_three = ("--seed", "58")
    line = line_of(evaluate(*arguments, *lights_out_among_three, "--report", out, "--json"))
    staged = json.loads((clips / "truth.json").read_text())
    assert len(staged) == line["incidents"]["all"]["true"] == 3
    assert {clip["backdrop"] for clip in staged} <= {file.name for file in kept_aside}
    assert line["incidents"]["kinds"]["lights_out"]["found"] == 1
    assert [each["file"] for each in line["untouched"]["files"]] == [film.name]
    assert line["untouched"]["hours"] > 0
    wrong = sum(
        clip["delay_seconds"] is None or clip["inside"] + clip["outside"] != [] for clip in line["incidents"]["clips"]
    )
    assert len(list(out.glob("strip-*.png"))) == wrong + line["untouched"]["kinds"]["all"]["false"]
    assert "95 % bound" in (out / "report.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--incidents"], "--incidents: needs real videos"),
        (["--untouched", "."], "none is kept out of training; --split all takes them all"),
        (["--untouched", ".", "--data", "a.json"], "--data: labelled videos"),
    ],
)
def test_what_the_bench_lacks_is_one_clear_line(
    in_process: InProcess, tmp_path: Path, arguments: list[str], why: str
) -> None:
    given = ("--device", "cpu", *(str(tmp_path) if each == "." else each for each in arguments))
    ran = in_process("evaluate", *given)
    assert ran.code == 2
    assert why in ran.errors
    assert "Traceback" not in ran.errors
