"""`afterimage probe`: a source tried at a desk, where no service runs."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from cameras import camera_server
from films import VideoFile
from typer.testing import CliRunner

from afterimage.__main__ import app
from shared.errors import SettingsInvalid, SourceFailed


def test_a_file_is_described_and_its_first_picture_written(video_file: VideoFile, tmp_path: Path) -> None:
    film, picture = video_file("clip.mp4", seconds=2, fps=10, size=(640, 480)), tmp_path / "clip.jpg"
    shown = CliRunner().invoke(app, ["probe", str(film), "--snapshot", str(picture)], catch_exceptions=False)
    for word in ("h264", "640 x 480", "10", "0:02.0"):
        assert word in shown.stdout
    written = cv2.imread(str(picture))
    assert written is not None
    assert written.shape == (192, 256, 3)


def test_json_is_one_line(video_file: VideoFile) -> None:
    film = video_file("clip.mp4", seconds=2, fps=10)
    shown = CliRunner().invoke(app, ["probe", str(film), "--json"], catch_exceptions=False)
    figures = json.loads(shown.stdout)
    assert shown.stdout.count("\n") == 1
    assert figures.pop("took_seconds") > 0
    assert figures == {
        "source": str(film),
        "codec": "h264",
        "width": 64,
        "height": 48,
        "fps": 10.0,
        "duration_seconds": 2.0,
    }


def test_a_snapshot_that_cannot_be_written_is_said(video_file: VideoFile, tmp_path: Path) -> None:
    film = video_file("clip.mp4", seconds=0.5)
    with pytest.raises(SettingsInvalid, match=r"--snapshot .*/nowhere/x\.jpg: No such file or directory"):
        CliRunner().invoke(
            app, ["probe", str(film), "--snapshot", str(tmp_path / "nowhere" / "x.jpg")], catch_exceptions=False
        )


def test_a_camera_over_udp_with_its_source_in_the_variable(
    video_file: VideoFile,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    film = video_file("film.mp4", seconds=60, fps=25, size=(320, 240))
    with camera_server(film, "guard", "open-sesame") as camera:
        monkeypatch.setenv("AFTERIMAGE_SOURCE", camera.url("guard:open-sesame@"))
        shown = CliRunner().invoke(app, ["probe", "--rtsp-transport", "udp", "--json"], catch_exceptions=False)
        with pytest.raises(SourceFailed, match="authentication refused"):
            CliRunner().invoke(app, ["probe", camera.url("guard:swordfish@")], catch_exceptions=False)
    figures = json.loads(shown.stdout)
    assert figures["source"] == f"rtsp://***@127.0.0.1:{camera.port}/camera"
    assert (figures["codec"], figures["width"], figures["height"]) == ("h264", 320, 240)


def test_a_source_that_fails_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "afterimage", "probe", "rtsp://guard:swordfish@127.0.0.1:1/x"]
    failed = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("error: source rtsp://***@127.0.0.1:1/x: connection refused")
    assert failed.stderr.count("\n") == 1
