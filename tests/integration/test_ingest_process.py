import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from films import VideoFile
from ingest_runner import IngestRunner
from patience import TOOL_SECONDS

from shared.streams import StreamState

Launch = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def launch(redis_url: str, tmp_path: Path) -> Iterator[Launch]:
    """Starts `python -m services.ingest` with extra `AFTERIMAGE_*` variables; ends it after the test."""
    with ExitStack() as stack:

        def start(**variables: str) -> subprocess.Popen[str]:
            settings = {"REDIS_URL": redis_url, "MEDIA_ROOT": str(tmp_path), **variables}
            environment = os.environ | {f"AFTERIMAGE_{name}": value for name, value in settings.items()}
            command = [sys.executable, "-m", "services.ingest"]
            process = stack.enter_context(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            return process

        yield start


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_plays_and_stops_in_order(
    number: signal.Signals, launch: Launch, ingest: IngestRunner, video_file: VideoFile
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ingest.add("clip", video_file("clip.mp4").name)
    ingest.add("endless", "clip.mp4", pace="live", loop=True)
    process = launch(METRICS_PORT=str(port))
    ingest.until("clip", StreamState.ENDED)
    ingest.until("endless", StreamState.LIVE)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
        page = reply.read().decode()
    assert 'afterimage_frames_published_total{stream_id="clip"} 16.0' in page
    assert 'afterimage_stream_up{stream_id="endless"} 1.0' in page
    process.send_signal(number)
    assert process.wait(timeout=TOOL_SECONDS) == 0
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    assert ingest.registry.get("endless").status.state is StreamState.PENDING


def test_a_bad_setting_is_one_line(launch: Launch) -> None:
    process = launch(JPEG_QUALITY="101")
    _, errors = process.communicate(timeout=TOOL_SECONDS)
    assert process.returncode == 2
    assert errors.startswith("error: AFTERIMAGE_JPEG_QUALITY:")
    assert errors.count("\n") == 1


def test_a_used_metrics_port_is_one_line(launch: Launch) -> None:
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        process = launch(METRICS_PORT=str(used.getsockname()[1]))
        _, errors = process.communicate(timeout=TOOL_SECONDS)
    assert process.returncode == 2
    assert "AFTERIMAGE_METRICS_PORT: cannot listen" in errors


def test_it_waits_for_redis_without_giving_up(launch: Launch, tmp_path: Path) -> None:
    process = launch(REDIS_URL=f"unix://:secret@{tmp_path}/none.sock")
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "waiting for Redis" in line
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=TOOL_SECONDS) == 0
    assert "secret" not in line + process.stderr.read()
