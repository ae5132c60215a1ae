"""The command line's surface: help, usage errors, what it does where no API answers."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from in_process import InProcess
from patience import TOOL_SECONDS
from typer.testing import CliRunner

from afterimage.__main__ import app
from afterimage.ports import usable_port

COMMANDS = ("up", "worker", "demo", "analyze", "probe", "events", "train", "evaluate", "bench")
ROLLOUT_COMMANDS = ("start", "show", "end")
STREAM_COMMANDS = ("add", "list", "show", "remove", "pause", "resume", "apply", "export")


def afterimage(*arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "afterimage", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.mark.parametrize(
    "command",
    [
        *COMMANDS,
        *(f"streams {name}" for name in STREAM_COMMANDS),
        *(f"rollout {name}" for name in ROLLOUT_COMMANDS),
        "events export",
    ],
)
def test_every_command_teaches_with_an_example(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"])
    assert shown.exit_code == 0
    assert "Example:" in shown.stdout
    assert f"afterimage {command}" in re.sub(r"\s+", " ", shown.stdout)


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, afterimage.__main__; print(*sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=TOOL_SECONDS, check=True
    )
    assert not {"av", "cv2", "httpx", "numpy", "pydantic", "redis", "torch"} & set(shown.stdout.split())


@pytest.mark.parametrize("command", ["streams list", "streams show x", "events", "events --follow"])
def test_no_api_is_one_clear_line(in_process: InProcess, command: str) -> None:
    failed = in_process(*command.split(), "--url", f"http://user:hidden@127.0.0.1:{usable_port('127.0.0.1')}")
    assert failed.code == 1
    assert failed.errors.startswith("error: no API at http://***@127.0.0.1:")
    assert failed.errors.count("\n") == 1
    assert "afterimage up" in failed.errors


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["analyze", "missing.mp4"], "no such file"),
        (["analyze", "ftp://host/x.mp4"], "scheme 'ftp' is not known"),
        (["probe", "missing.mp4"], "no such file"),
        (["probe", "rtsp://user:s3cret@"], "not a valid URL"),
        (["probe", "rtsp://host/x", "--rtsp-transport", "smoke"], "'smoke' is not one of"),
        (["analyze", __file__, "--media-root", "/nowhere"], "no such folder"),
        (["analyze", __file__, "--model", "nobody"], "model 'nobody': no such folder"),
        (["up", "--models", "/nowhere"], "holds no model"),
        (["up", "--media-root", "/nowhere"], "no such folder"),
        (["up", "--metrics-port", "65500", "--inference-workers", "33"], "no 36 ports follow it"),
        (["up", "--inference-workers", "65"], "--inference-workers"),
        (["worker"], "--role"),
        (["worker", "--role", "api"], "'api' is not one of 'ingest'"),
        (["bench", "--streams", "0"], "--streams"),
    ],
)
def test_what_is_wrong_before_the_start_is_said_with_exit_code_2(
    in_process: InProcess, arguments: list[str], why: str
) -> None:
    failed = in_process(*arguments)
    assert failed.code == 2
    assert why in failed.errors
    assert "Traceback" not in failed.errors
    assert "s3cret" not in failed.errors
    assert failed.output == ""


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["ingest", "--redis", "http://user:s3cret@host"], "redis_url: expected redis://"),
        (["ingest", "--redis", "redis://host", "--media-root", "/nowhere"], "no such folder"),
        (["inference", "--redis", "redis://host", "--models", "/nowhere"], "holds no model"),
    ],
)
def test_so_it_is_of_a_worker_which_is_the_service_itself_from_its_start_on(arguments: list[str], why: str) -> None:
    failed = afterimage("worker", "--role", *arguments)
    assert failed.returncode == 2
    assert why in failed.stderr
    assert "Traceback" not in failed.stderr
    assert "s3cret" not in failed.stderr
    assert failed.stdout == ""


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        failed = afterimage("up", "--port", str(port), "--data", str(tmp_path / "data"))
    assert failed.returncode == 2
    assert f"127.0.0.1:{port}: Address already in use" in failed.stderr
    assert not (tmp_path / "data").exists()
