"""A server that speaks S3 (moto's, over real HTTP), in a process of its own, and a line to it that is cut or hangs."""

import re
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import httpx
import pytest
from patience import eventually
from redis_cluster import free_port

LOGIN = {"AWS_ACCESS_KEY_ID": "AKIDOFTHETESTS", "AWS_SECRET_ACCESS_KEY": "not-to-be-seen"}
PlaceKind = Literal["folder", "bucket"]
KINDS: tuple[PlaceKind, ...] = ("folder", "bucket")


class Line:
    """A port that leads to the server: `open`, `silent` (who comes is let in and waits), or `cut`."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.state: Literal["open", "silent", "cut"] = "open"
        threading.Thread(target=self._listen, daemon=True).start()

    def put(self, state: Literal["open", "silent", "cut"]) -> None:
        """Changes its state; what is connected is cut off."""
        self.state = state
        while self._ends:
            _close(self._ends.pop())

    def close(self) -> None:
        """Nobody listens there any more."""
        _close(self._listener)
        self.put("cut")

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                self._ends.append(caller)
                if self.state == "cut":
                    _close(caller)
                elif self.state == "open":
                    server = socket.create_connection(("127.0.0.1", self._server_port))
                    self._ends.append(server)
                    for one, other in ((caller, server), (server, caller)):
                        threading.Thread(target=_copy, args=(one, other), daemon=True).start()


class S3Server:
    """`asked` are the methods and paths that came."""

    def __init__(self, port: int, log: Path) -> None:
        self.port, self._log = port, log

    def variables(self, port: int | None = None) -> dict[str, str]:
        """What whoever asks the server has in the environment."""
        return LOGIN | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port or self.port}", "AWS_REGION": "us-east-1"}

    def new_bucket(self) -> str:
        """A bucket's name, as the setting has it."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        httpx.put(f"http://127.0.0.1:{self.port}/{name}", trust_env=False).raise_for_status()
        return f"s3://{name}/media/of-events"

    def ask_for_logins(self) -> None:
        """From now on it refuses whom it does not know: everybody."""
        httpx.post(f"http://127.0.0.1:{self.port}/moto-api/reset-auth", content="0", trust_env=False).raise_for_status()

    def asked(self, bucket: str) -> list[str]:
        """Methods of the requests that were made of a bucket."""
        return re.findall(rf'"(?:\S\[\d+m)?(\w+) /{bucket.split("/")[2]}[/?]', self._log.read_text())


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Runs a server as long as the block does."""
    server = S3Server(free_port(), folder / "s3.log")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(server.port)]
    with (folder / "s3.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            eventually(lambda: _answers(server.port), "the S3 server")
            yield server
        finally:
            process.kill()


@contextmanager
def events_place(kind: PlaceKind, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A new place for events' files, as the setting names it, with the variables that it needs."""
    with pytest.MonkeyPatch.context() as patch:
        if kind == "folder":
            yield str(folder / "events")
            return
        s3: S3Server = request.getfixturevalue("s3")
        for name, value in s3.variables().items():
            patch.setenv(name, value)
        yield s3.new_bucket()


def _answers(port: int) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).is_success
    return False


def _copy(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(1 << 16):
            other.sendall(data)
    _close(other)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
