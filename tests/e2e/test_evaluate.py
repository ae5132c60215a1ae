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
from training.cautions import NEAR
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


def test_rendered_clips_have_backdrops_that_are_new_to_the_model(
    in_process: InProcess, tmp_path: Path, reference_data: Path
) -> None:
    signs, renamed = reference_data / "asl", tmp_path / "renamed"
    renamed.mkdir()
    for number, sign in enumerate(("again.mkv", "book.mkv")):
        shutil.copy(signs / sign, renamed / f"yard-{number}.mkv")
    given = ("evaluate", "--device", "cpu", "--clips", "1", "--workers", "0", "--backdrops", str(renamed))
    ran = in_process(*given, "--report", str(tmp_path / "out"))
    assert ran.code == 0, ran.errors
    note = "1 of 2 files are left out: the model has learned from 1, and 0 chose its epoch and thresholds"
    assert note in " ".join(ran.output.split())
    assert note in (tmp_path / "out" / "report.md").read_text()
    (renamed / "yard-1.mkv").unlink()
    ran = in_process(*given)
    assert ran.code == 2
    assert "no file is new to the model: of 1 it has learned from 1, and 0 chose" in ran.errors


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
    assert line["untouched"]["left_out"] == line["untouched"]["learned_from"] == line["untouched"]["tuned_on"] == 0
    assert line["incidents"]["left_out"] == len(Footage((rooms,)).names) - len(kept_aside)
    report = (out / "report.md").read_text()
    assert "95 % bound" in report
    assert "162 files are left out: the model has learned from" in report


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--incidents"], "--incidents: needs real videos"),
        (["--untouched", "empty"], "error: no video in "),
        (["--untouched", "notes"], "error: no video in "),
        (["--incidents", "--backdrops", "empty"], "error: no video in "),
        (["--backdrops", "notes"], "error: no video in "),
        (["--untouched", ".", "--data", "a.json"], "--data: labelled videos"),
        (["--keep", "."], "--keep: goes with --incidents, not with rendered clips"),
        (["--untouched", ".", "--keep", "."], "--keep: goes with --incidents, not with --untouched"),
        (["--split", "all"], "--split: goes with --incidents or --untouched, not with rendered clips"),
        (["--data", "a.json", "--split", "all"], "--split: goes with --incidents or --untouched, not with --data"),
        (["--data", "a.json", "--backdrops", "."], "--backdrops: goes with --incidents or rendered clips"),
        (["--untouched", ".", "--backdrops", "."], "--backdrops: goes with --incidents or rendered clips"),
        (["--data", "a.json", "--clips", "3"], "--clips: goes with --incidents or rendered clips"),
        (["--data", "a.json", "--workers", "1"], "--workers: goes with rendered clips"),
        (["--videos", "."], "--videos: goes with --data"),
        (["--subset", "all"], "--subset: goes with --data"),
        (["--untouched", ".", "--tolerance", "1"], "--tolerance: goes with --data or rendered clips"),
        (["--untouched", ".", "--seed", "0"], "--seed: goes with --data or --incidents or rendered clips"),
        (["--report", "file"], "error: --report "),
        (["--report", "file/deeper"], "file is no folder"),
        (["--report", "/proc/x"], "--report /proc/x: nothing can be written in /proc: "),
        (["--report", "dangling"], "dangling is no folder"),
        (["--incidents", "--backdrops", ".", "--keep", "/proc/x"], "--keep /proc/x: nothing can be written in /proc: "),
    ],
)
def test_what_the_bench_lacks_is_one_clear_line(
    in_process: InProcess, tmp_path: Path, arguments: list[str], why: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    (tmp_path / "notes").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes" / "README.md").write_text("none")
    own = {".", "file", "file/deeper", "notes", "dangling", "empty"}
    ran = in_process(
        "evaluate", "--device", "cpu", *(str(tmp_path / each) if each in own else each for each in arguments)
    )
    assert ran.code == 2
    assert why in ran.errors
    assert ran.errors.count("error: ") == ran.errors.count("\n") == 1
    assert ran.output == ""


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("train", "--clips", "1", "--epochs", "1", "--out"), "--out"),
        (("train", "--clips", "1", "--epochs", "1", "--out", "mine", "--stock"), "--stock"),
        (("dataset", "order"), "folder"),
    ],
    ids=["train", "stock", "order"],
)
@pytest.mark.parametrize(("place", "why"), [("file", "is no folder"), ("/proc/x", "nothing can be written in /proc: ")])
def test_what_cannot_be_written_is_refused_before_the_work(
    in_process: InProcess, tmp_path: Path, arguments: tuple[str, ...], option: str, place: str, why: str
) -> None:
    (tmp_path / "file").touch()
    given = [str(tmp_path / each) if each == "mine" else each for each in arguments]
    ran = in_process(*given, place if place.startswith("/") else str(tmp_path / place))
    assert ran.code == 2
    assert ran.errors.startswith(f"error: {option} ")
    assert why in ran.errors
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_help_says_when_a_floor_is_near(in_process: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert f"score within {NEAR:g} of it" in in_process("evaluate", "--help").output
