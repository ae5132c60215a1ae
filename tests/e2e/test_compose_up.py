"""docker-compose.yml on a real engine, as `make e2e` runs it: its own project, ports, volumes and passwords.

Skips where it is not asked for (it builds images and takes minutes) and where there is no engine.
"""

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from cameras import camera_server
from dashboard_queries import empty_panels, failed_rules
from patience import eventually
from running import render_scene

from afterimage.ports import usable_port
from services.api.security.keys import ApiKey
from training.scenes.incidents import SHIPPED

ROOT = Path(__file__).resolve().parents[2]
SERVICES = {"redis", "ingest", "inference", "recorder", "api", "delivery", "prometheus", "grafana"}
FILM, SAMPLED = "scene.mp4", 96
BASE_MS = 1_700_000_000_000
LONGEST_WAIT_SECONDS = 120.0


class Compose:
    """One project of `docker compose`."""

    def __init__(self, folder: Path) -> None:
        self.film = folder / FILM
        self.name = f"afterimage-e2e-{secrets.token_hex(3)}"
        api_port, prometheus_port = usable_port("127.0.0.1"), usable_port("127.0.0.1")
        self.api, self.prometheus = f"http://127.0.0.1:{api_port}", f"http://127.0.0.1:{prometheus_port}"
        key = ApiKey.new()
        self.headers = {"Authorization": f"Bearer {key.text}"}
        self._settings = {
            "AFTERIMAGE_KEY": key.text,
            "AFTERIMAGE_ADMIN_KEY_HASH": key.fingerprint,
            "AFTERIMAGE_REDIS_PASSWORD": secrets.token_hex(16),
            "AFTERIMAGE_GRAFANA_PASSWORD": secrets.token_hex(16),
            "AFTERIMAGE_MEDIA": str(folder),
            "AFTERIMAGE_BIND": "127.0.0.1",
            "AFTERIMAGE_API_PORT": str(api_port),
            "AFTERIMAGE_PROMETHEUS_PORT": str(prometheus_port),
            "AFTERIMAGE_GRAFANA_PORT": str(usable_port("127.0.0.1")),
        }

    def run(self, *arguments: str) -> str:
        """What `docker compose` prints; fails with what it complains of."""
        return docker("compose", "--project-name", self.name, *arguments, **self._settings)

    def up(self, *options: str) -> None:
        """Returns when all containers are healthy."""
        self.run("up", "--detach", "--wait", "--wait-timeout", "300", *options)

    def containers(self, service: str = "") -> list[dict[str, Any]]:
        """The containers that there are, as the engine describes them."""
        ids = self.run("ps", "--all", "--quiet", *([service] if service else [])).split()
        found: list[dict[str, Any]] = json.loads(docker("inspect", *ids)) if ids else []
        return found

    def get(self, path: str) -> Any:
        """What the api answers."""
        return httpx.get(f"{self.api}{path}", headers=self.headers, timeout=10).raise_for_status().json()

    def add(self, stream_id: str, source: str, **fields: Any) -> None:
        """Registers a stream."""
        body = {"id": stream_id, "name": stream_id, "source": source, **fields}
        httpx.post(f"{self.api}/v1/streams", json=body, headers=self.headers, timeout=10).raise_for_status()

    def gateway(self) -> str:
        """This machine's address, as the containers see it."""
        (network,) = json.loads(docker("network", "inspect", f"{self.name}_default"))
        return str(network["IPAM"]["Config"][0]["Gateway"])

    @contextmanager
    def live_feed(self) -> Iterator[httpx.Response]:
        """What the api tells of events from now on."""
        url = f"{self.api}/v1/events/live"
        with httpx.stream("GET", url, headers=self.headers, timeout=LONGEST_WAIT_SECONDS) as feed:
            yield feed

    def has_finished(self, stream_id: str) -> bool:
        """Whether the film has come to its end."""
        return bool(self.get(f"/v1/streams/{stream_id}")["finished"])

    def scores(self, stream_id: str) -> list[dict[str, Any]]:
        """Every frame's scores."""
        items: list[dict[str, Any]] = self.get(f"/v1/streams/{stream_id}/scores?limit=500")["items"]
        return items

    def shares(self) -> list[int]:
        """How many partitions each inference worker owns."""
        workers = self.get("/v1/workers")["items"]
        return sorted(len(worker["partitions"]) for worker in workers if worker["role"] == "inference")


def docker(*arguments: str, **settings: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AFTERIMAGE_")}
    done = subprocess.run(
        ["docker", *arguments], cwd=ROOT, env=environment | settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr[-4000:]}"
    return done.stdout


def require_engine() -> None:
    if "AFTERIMAGE_TRY_COMPOSE" not in os.environ:
        pytest.skip("builds images and takes minutes: run by `make e2e`")
    if not shutil.which("docker"):
        pytest.skip("a Docker engine is missing")
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip(f"a Docker engine with Compose is missing: `{' '.join(command)}` fails")


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    require_engine()
    media = render_scene(tmp_path_factory.mktemp("media"))
    for folder in (media, *media.parents[:2]):  # pytest's are nobody else's, but the containers' user reads here
        folder.chmod(0o755)
    project = Compose(media)
    try:
        project.up("--build")
        yield project
    finally:
        with suppress(AssertionError):
            (media.parent / "compose.log").write_text(project.run("logs", "--no-color"))
        project.run("--profile", "demo", "down", "--volumes", "--timeout", "5")


def test_every_container_is_healthy_and_confined(compose: Compose) -> None:
    containers = compose.containers()
    assert {each["Config"]["Labels"]["com.docker.compose.service"] for each in containers} == SERVICES
    for each in containers:
        assert each["State"]["Health"]["Status"] == "healthy", each["Name"]
        assert each["HostConfig"]["ReadonlyRootfs"], each["Name"]
        assert each["HostConfig"]["CapDrop"] == ["ALL"], each["Name"]
        users = {line.split()[0] for line in docker("top", each["Id"], "-eo", "uid,pid").splitlines()[1:]}
        assert users
        assert "0" not in users, each["Name"]


def test_prometheus_sees_every_service(compose: Compose) -> None:
    def jobs() -> dict[str, str]:
        url = f"{compose.prometheus}/api/v1/query"
        found = httpx.get(url, params={"query": "up"}, timeout=10).json()["data"]["result"]
        return {series["metric"]["job"]: series["value"][1] for series in found}

    eventually(lambda: {"ingest", "inference", "api"} <= {job for job, up in jobs().items() if up == "1"}, "targets")


def until_opened(feed: httpx.Response, missing: set[tuple[str, str]]) -> None:
    """Reads a live feed until each of these events, a stream and a label, has opened."""
    kind, deadline = "", time.monotonic() + LONGEST_WAIT_SECONDS
    for line in feed.iter_lines():
        assert time.monotonic() < deadline, f"did not come: {sorted(missing)}"
        name, _, value = line.partition(": ")
        kind = value if name == "event" else kind
        if name == "data" and kind == "opened":
            event = json.loads(value)
            missing = missing - {(event["stream_id"], event["label"])}
            if not missing:
                return
    pytest.fail(f"the feed ended before {sorted(missing)}")


def test_a_film_and_a_camera_give_events(compose: Compose) -> None:
    with camera_server(compose.film, address=compose.gateway()) as camera, compose.live_feed() as feed:
        compose.add("quiet", FILM, pace="fast", base_ms=BASE_MS)
        compose.add("gate", camera.url())
        until_opened(feed, {("quiet", "lights_out"), ("gate", "lights_out")})
    eventually(partial(compose.has_finished, "quiet"), "the film's end")
    assert len(compose.scores("quiet")) == SAMPLED


def test_the_demo_s_cameras_show_every_label_and_fill_every_panel(compose: Compose) -> None:
    with compose.live_feed() as feed:
        compose.run("--profile", "demo", "up", "--build", "--detach", "--wait", "demo")
        until_opened(feed, {(f"demo-{label.replace('_', '-')}", label) for label in SHIPPED})
    last: list[str] = []

    def filled() -> bool:
        last[:] = empty_panels(compose.prometheus)
        return not last

    try:
        eventually(filled, "data for every panel")
    finally:
        assert last == []
    assert failed_rules(compose.prometheus) == []
    compose.run("--profile", "demo", "rm", "--stop", "--force", "demo")


def assert_same_scores(compose: Compose, stream_id: str) -> None:
    """No frame of the film is missing or counted twice, and all scores are those of the quiet run."""
    for one, other in zip(compose.scores(stream_id), compose.scores("quiet"), strict=True):
        assert one["at_ms"] == other["at_ms"]
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-4)


def test_a_killed_worker_is_not_noticed(compose: Compose) -> None:
    compose.up("--no-recreate", "--scale", "inference=3", "--scale", "ingest=2")
    eventually(lambda: compose.shares() == [10, 11, 11], "three equal shares")
    compose.add("killed", FILM, pace="live", base_ms=BASE_MS)
    eventually(lambda: len(compose.scores("killed")) > 20, "the film's first seconds")
    for container in compose.containers("inference")[:2]:
        docker("kill", "--signal", "KILL", container["Id"])
    eventually(partial(compose.has_finished, "killed"), "the film's end")
    assert_same_scores(compose, "killed")


def test_a_crashed_worker_is_started_again_and_goes_on(compose: Compose) -> None:
    compose.up("--scale", "inference=1")
    eventually(lambda: compose.shares() == [32], "one worker")
    (container,) = compose.containers("inference")
    compose.add("crashed", FILM, pace="live", base_ms=BASE_MS)
    eventually(lambda: len(compose.scores("crashed")) > 20, "the film's first seconds")
    with suppress(AssertionError):  # it ends with the container
        docker("exec", container["Id"], "python", "-c", "import os; os.kill(-1, 9)")

    def is_back() -> bool:
        (now,) = compose.containers("inference")
        return bool(now["RestartCount"] == container["RestartCount"] + 1 and now["State"]["Running"])

    eventually(is_back, "a new start")
    eventually(partial(compose.has_finished, "crashed"), "the film's end")
    assert_same_scores(compose, "crashed")


def test_streams_and_scores_outlive_down_and_up(compose: Compose) -> None:
    before = compose.scores("quiet")
    compose.run("down")
    compose.up()
    assert {"quiet", "gate", "killed", "crashed"} <= {stream["id"] for stream in compose.get("/v1/streams")["items"]}
    assert compose.scores("quiet") == before
