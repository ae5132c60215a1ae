"""The api's image in its three roles, as the chart starts and asks it: at a pod's own address, and without Redis."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
from helm_chart import ROLES, container, objects, variables
from patience import eventually
from redis_cluster import free_port
from redis_process import redis_process

from services.api.security.keys import ApiKey
from shared.store.client import connect

LEASE_SECONDS = "1"


class Pod:
    """A role's process, and the probes that the chart has for it."""

    def __init__(self, role: str, redis_url: str, folder: Path) -> None:
        ours = container(objects({}), role)
        self._ports = {each["name"]: free_port() for each in ours["ports"]}
        self._paths = {kind: ours[f"{kind}Probe"]["httpGet"] for kind in ("liveness", "readiness")}
        given = {name: value for name, value in variables(objects({}), role).items() if isinstance(value, str)}
        image = {"AFTERIMAGE_METRICS_HOST": "0.0.0.0", "AFTERIMAGE_API_HOST": "0.0.0.0"}
        secret = {"AFTERIMAGE_REDIS_URL": redis_url, "AFTERIMAGE_ADMIN_KEY_HASH": ApiKey.new().fingerprint}
        here = {
            "AFTERIMAGE_EVENTS_DIR": str(folder),
            "AFTERIMAGE_LEASE_SECONDS": LEASE_SECONDS,
            "AFTERIMAGE_METRICS_PORT": str(self._ports["metrics"]),
            "AFTERIMAGE_API_PORT": str(self._ports.get("http", 0)),
        }
        command = [sys.executable, *ours.get("args", ["python", "-m", "services.api"])[1:]]
        self.process = subprocess.Popen(command, env=os.environ | given | image | secret | here)

    def answer(self, kind: str) -> int | None:
        """The status that a probe gets, as the kubelet asks: at the pod's address, which is then the Host."""
        assert self.process.poll() is None
        asked = self._paths[kind]
        try:
            return httpx.get(
                f"http://{address()}:{self._ports[asked['port']]}{asked['path']}", trust_env=False
            ).status_code
        except httpx.TransportError:
            return None


def address() -> str:
    """This machine's own, which is not loopback's where it has another. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        try:
            caller.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(caller.getsockname()[0])


@contextmanager
def pods(redis_url: str, folder: Path) -> Iterator[dict[str, Pod]]:
    """The roles that the api's image has, as long as the block runs; they end by SIGTERM, in order."""
    with ExitStack() as stack:
        running = {role: Pod(role, redis_url, folder) for role in ROLES if role in {"api", "delivery", "recorder"}}
        for each in running.values():
            stack.callback(each.process.wait)
            stack.callback(each.process.kill)
        yield running
        for each in running.values():
            each.process.terminate()
        assert {role: each.process.wait(60) for role, each in running.items()} == dict.fromkeys(running, 0)


def answers(running: dict[str, Pod], kind: str) -> dict[str, int | None]:
    """What each is answered."""
    return {role: each.answer(kind) for role, each in running.items()}


def test_they_live_and_are_ready_as_the_kubelet_sees_it(tmp_path: Path) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="afterimage-") as folder,
        redis_process(Path(folder)) as url,
        connect(url) as client,
        pods(url, tmp_path) as running,
    ):
        eventually(lambda: answers(running, "liveness") == dict.fromkeys(running, 200), "they live")
        eventually(lambda: answers(running, "readiness") == dict.fromkeys(running, 200), "they are ready")
        client.shutdown(nosave=True)
        waiting = {"api": 200, "delivery": 503, "recorder": 503}
        eventually(lambda: answers(running, "readiness") == waiting, "the workers wait")
        assert answers(running, "liveness") == dict.fromkeys(running, 200)
