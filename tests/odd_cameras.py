"""Runs the RTSP server that behaves as strangely as some cameras do."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def odd_camera(cases: Path, film: str, **options: object) -> Iterator[str]:
    """The URL of a camera that plays a raw H.264 film of the reference cases, with the options of its server."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    given = [f"{name}={value}" for name, value in options.items()]
    command = [sys.executable, str(cases / "servers" / "rtspd.py"), str(port), str(cases / film), *given]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout
        try:
            assert server.stdout.readline().startswith(b"ready")
            yield f"rtsp://127.0.0.1:{port}/camera"
        finally:
            server.kill()
