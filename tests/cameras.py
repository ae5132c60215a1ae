"""Cameras over RTSP: GStreamer's server playing a film anew to everyone who connects."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from patience import unavailable

PYTHON = "/usr/bin/python3"
PROBE = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
SCRIPT = Path(__file__).parent / "rtsp_server.py"


class CameraServer:
    """One server process, which keeps its port; every stream that reads from it has its own playback."""

    def __init__(self, film: Path, *login: str, address: str) -> None:
        self.address = address
        self.port = 0
        self.is_up = False
        self._film = film
        self._login = login
        self._process: subprocess.Popen[str] | None = None

    def url(self, login: str = "") -> str:
        """Where it serves."""
        return f"rtsp://{login}{self.address}:{self.port}/camera"

    def start(self) -> None:
        """Returns as soon as it listens."""
        command = [PYTHON, str(SCRIPT), str(self.port), str(self._film), *self._login, "--address", self.address]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.is_up = True

    def stop(self) -> None:
        """Ends it at once, as pulling its plug would."""
        if self._process:
            with self._process:
                self._process.kill()
            self._process = None
        self.is_up = False

    def freeze(self) -> None:
        """It neither speaks nor hangs up."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)
        self.is_up = False

    def thaw(self) -> None:
        """It goes on where it was."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)
        self.is_up = True


@contextmanager
def camera_server(film: Path, *login: str, address: str = "127.0.0.1") -> Iterator[CameraServer]:
    """A server that runs, for as long as the block does; `login` is a user and a password."""
    if not has_gstreamer():
        unavailable("GStreamer's RTSP server for /usr/bin/python3 (gir1.2-gst-rtsp-server-1.0)")
    server = CameraServer(film, *login, address=address)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@cache
def has_gstreamer() -> bool:
    """Whether its RTSP server is installed for the system's Python."""
    return (
        Path(PYTHON).exists() and not subprocess.run([PYTHON, "-c", PROBE], capture_output=True, check=False).returncode
    )
