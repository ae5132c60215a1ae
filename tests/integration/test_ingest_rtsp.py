import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from films import VideoFile
from ingest_runner import IngestRunner
from patience import eventually, unavailable

from shared.streams import StreamState

PYTHON = "/usr/bin/python3"
PROBE = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
SCRIPT = Path(__file__).resolve().parents[1] / "rtsp_server.py"


@dataclass
class Camera:
    """A running RTSP server."""

    process: subprocess.Popen[str]
    port: int

    def url(self, login: str = "") -> str:
        return f"rtsp://{login}127.0.0.1:{self.port}/camera"

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


Serve = Callable[..., Camera]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serves a film as a camera: `serve(path, *login, port=0)`."""
    if not Path(PYTHON).exists() or subprocess.run([PYTHON, "-c", PROBE], capture_output=True, check=False).returncode:
        unavailable("GStreamer's RTSP server for /usr/bin/python3 (gir1.2-gst-rtsp-server-1.0)")
    with ExitStack() as stack:

        def start(path: Path, *login: str, port: int = 0) -> Camera:
            command = [PYTHON, str(SCRIPT), str(port), str(path), *login]
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout is not None
            return Camera(process, int(process.stdout.readline()))

        yield start


def test_a_camera_is_watched_and_found_again(serve: Serve, ingest: IngestRunner, video_file: VideoFile) -> None:
    film = video_file("film.mp4", seconds=60, fps=25, size=(320, 240))
    camera = serve(film)
    ingest.add("door", camera.url(), pace="live")
    before_ms = time.time_ns() // 1_000_000
    ingest.start()
    eventually(lambda: len(ingest.frames("door")) >= 16, "two seconds of frames")
    frames = ingest.frames("door")
    after_ms = time.time_ns() // 1_000_000
    assert all(before_ms <= frame.captured_at_ms <= after_ms for frame in frames)
    assert frames[15].captured_at_ms - frames[0].captured_at_ms > 1500
    status = ingest.until("door", StreamState.LIVE).status
    assert (status.epoch, status.width, status.height) == (1, 320, 240)
    assert status.duration_seconds is None

    camera.stop()
    assert ingest.until("door", StreamState.WAITING).status.reason
    assert ingest.value("afterimage_stream_up", stream_id="door") == 0
    serve(film, port=camera.port)
    status = ingest.until("door", StreamState.LIVE).status
    assert (status.epoch, status.reason) == (2, None)
    times = [frame.captured_at_ms for frame in ingest.frames("door")]
    assert times == sorted(set(times))
    assert {frame.epoch for frame in ingest.frames("door")} == {1, 2}


def test_a_camera_wants_its_password(
    serve: Serve, ingest: IngestRunner, video_file: VideoFile, caplog: pytest.LogCaptureFixture
) -> None:
    camera = serve(video_file("film.mp4", seconds=60, fps=25), "guard", "open-sesame")
    ingest.add("right", camera.url("guard:open-sesame@"), pace="live")
    ingest.add("wrong", camera.url("guard:swordfish@"), pace="live")
    ingest.add("none", camera.url(), pace="live")
    ingest.start()
    ingest.until("right", StreamState.LIVE)
    eventually(lambda: ingest.frames("right"), "frames")
    for stream_id in ("wrong", "none"):
        status = ingest.until(stream_id, StreamState.WAITING).status
        assert "authentication refused" in (status.reason or "")
    assert "swordfish" not in caplog.text
    assert "sesame" not in caplog.text + ingest.registry.get("right").status.model_dump_json()


def test_stopping_is_quick_while_a_camera_is_read(serve: Serve, ingest: IngestRunner, video_file: VideoFile) -> None:
    camera = serve(video_file("film.mp4", seconds=60, fps=25))
    ingest.add("door", camera.url(), pace="live")
    ingest.start()
    ingest.until("door", StreamState.LIVE)
    began = time.monotonic()
    ingest.stop()
    assert time.monotonic() - began < 4
