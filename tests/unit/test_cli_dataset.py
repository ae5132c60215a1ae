"""`afterimage dataset check`, as people and scripts see it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from films import VideoFile
from patience import TOOL_SECONDS
from typer.testing import CliRunner

from afterimage.__main__ import app
from afterimage.commands import progress as command


@pytest.fixture
def table(video_file: VideoFile, tmp_path: Path) -> Path:
    """Annotations of one video, in order."""
    video_file("a.mp4")
    path = tmp_path / "table.csv"
    path.write_text("video,start,end,label,group,subset\na,0,0.5,walk,me,training\na,1,2,walk,me,training\n")
    return path


def test_help_has_an_example() -> None:
    shown = CliRunner().invoke(app, ["dataset", "check", "--help"])
    assert shown.exit_code == 0
    assert "afterimage dataset check annotations.json" in re.sub(r"\s+", " ", shown.stdout)


def test_nothing_wrong(table: Path) -> None:
    shown = CliRunner().invoke(app, ["dataset", "check", str(table)])
    assert shown.exit_code == 0
    assert shown.stderr == ""
    assert re.search(r"walk\W+2\W+1\.5\W+0\.75", shown.stdout)
    assert re.search(r"training\W+1", shown.stdout)
    assert shown.stdout.endswith("1 videos, 2 s; problems: 0\n")


def test_problems_come_first_with_file_and_line(table: Path) -> None:
    with table.open("a") as file:
        file.write("a,1,0,walk,me,training\nb,0,1,walk,,\n")
    shown = CliRunner().invoke(app, ["dataset", "check", str(table)])
    assert shown.exit_code == 1
    first, second = shown.stdout.splitlines()[:2]
    assert first == f"{table}:4: video 'a', label 'walk': interval from 1.0 to 0.0 is reversed"
    assert second == f"{table}:5: video 'b': no such file under {table.parent}"
    assert shown.stdout.endswith("problems: 2\n")


def test_json_is_one_object(table: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    shown = CliRunner().invoke(app, ["dataset", "check", str(table), "--videos", str(empty), "--json"])
    assert shown.exit_code == 1
    assert json.loads(shown.stdout) == {
        "problems": [{"file": str(table), "line": 2, "message": f"video 'a': no such file under {empty}"}],
        "videos": 0,
        "seconds": 0,
        "labels": {},
        "subsets": {},
        "groups": {},
    }


def test_long_work_shows_progress_on_standard_error(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "QUIET_SECONDS", -1.0)
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes the pipe for a terminal
    shown = CliRunner().invoke(app, ["dataset", "check", str(table), "--json"])
    assert shown.exit_code == 0
    assert "opening videos" in shown.stderr
    assert json.loads(shown.stdout)["videos"] == 1


def test_what_cannot_be_read_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "afterimage", "dataset", "check", str(tmp_path / "missing.json")]
    failed = subprocess.run(arguments, capture_output=True, text=True, timeout=TOOL_SECONDS, check=False)
    assert failed.returncode == 2
    assert failed.stderr == f"error: {tmp_path / 'missing.json'}: no such file\n"
    assert failed.stdout == ""
