"""What docker-compose.yml and the Dockerfiles promise, read from the files; tests/e2e/test_compose_up.py runs them."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from afterimage.own_key import key_file, key_for
from services.api.security.keys import ApiKey

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
BUILT = {service["image"]: service["build"]["dockerfile"] for service in SERVICES.values() if "build" in service}
PUBLISHED = {"api", "prometheus", "grafana"}
DOCKERFILES = {name: ROOT / "services" / name / "Dockerfile" for name in ("ingest", "inference", "api")}

each_service = pytest.mark.parametrize("name", sorted(SERVICES))
each_image = pytest.mark.parametrize("name", sorted(DOCKERFILES))


def dockerfile(name: str) -> str:
    """The Dockerfile that a service is built from."""
    path: str = BUILT[SERVICES[name]["image"]]
    return (ROOT / path).read_text()


@each_service
def test_no_container_may_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "ipc", "network_mode", "devices"} & service.keys()
    users = re.findall(r"^USER (.+)$", dockerfile(name), re.M) if service["image"] in BUILT else [service["user"]]
    assert users
    assert not {"root", "0", "0:0"} & set(users)


@each_service
def test_every_container_has_limits_an_init_and_is_restarted(name: str) -> None:
    service = SERVICES[name]
    assert service["mem_limit"]
    assert service["pids_limit"] > 0
    assert service["init"] is True
    assert service["restart"] == "unless-stopped"
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


@each_service
def test_images_of_others_are_pinned_to_a_patch(name: str) -> None:
    service = SERVICES[name]
    assert service["image"] in BUILT or re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", service["image"])


@each_service
def test_containers_start_when_what_they_need_is_healthy(name: str) -> None:
    service = SERVICES[name]
    for needed, condition in service.get("depends_on", {}).items():
        assert condition == {"condition": "service_healthy"}, needed
    assert "healthcheck" in service or "HEALTHCHECK" in dockerfile(name)


def test_the_order_is_redis_workers_api_prometheus_grafana() -> None:
    needs = {name: set(service.get("depends_on", {})) for name, service in SERVICES.items()}
    assert needs == {
        "redis": set(),
        "ingest": {"redis"},
        "inference": {"redis"},
        "recorder": {"redis"},
        "api": {"redis", "ingest", "inference"},
        "delivery": {"api"},
        "prometheus": {"api"},
        "grafana": {"prometheus"},
        "demo": {"api"},
    }


@each_service
def test_only_what_people_look_at_is_published_and_on_this_machine_alone(name: str) -> None:
    ports = SERVICES[name].get("ports", [])
    assert bool(ports) == (name in PUBLISHED)
    assert all(port.startswith("${AFTERIMAGE_BIND:-127.0.0.1}:") for port in ports)


@each_service
def test_nothing_stands_against_more_containers_of_a_kind(name: str) -> None:
    assert "container_name" not in SERVICES[name]
    assert "hostname" not in SERVICES[name]


def test_redis_is_seen_by_the_services_alone_and_loses_nothing_on_purpose() -> None:
    assert COMPOSE["networks"]["store"] == {"internal": True}
    assert {name for name, service in SERVICES.items() if "store" in service.get("networks", [])} == {
        "redis",
        "delivery",
        "recorder",
        *DOCKERFILES,
    }
    redis = SERVICES["redis"]
    assert redis["networks"] == ["store"]
    options = dict(zip(redis["command"][1::2], redis["command"][2::2], strict=True))
    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--appendonly"] == "yes"
    assert options["--appendfsync"] == "everysec"
    assert "${AFTERIMAGE_REDIS_PASSWORD:?" in options["--requirepass"]


def test_media_are_mounted_read_only() -> None:
    for name in ("ingest", "api"):
        volume, *_ = SERVICES[name]["volumes"]
        assert (volume["target"], volume["read_only"]) == ("/media", True)


def test_events_files_are_written_by_the_recorder_alone() -> None:
    assert SERVICES["recorder"]["volumes"] == ["events:/events"]
    assert SERVICES["api"]["volumes"][1:] == SERVICES["delivery"]["volumes"] == ["events:/events:ro"]
    assert "install -d -o 10001 -g 10001 /events\n" in DOCKERFILES["api"].read_text()
    assert "AFTERIMAGE_EVENTS_DIR=/events" in DOCKERFILES["api"].read_text()


def test_who_has_to_do_with_logins_has_the_key() -> None:
    having = {name for name, each in SERVICES.items() if "AFTERIMAGE_SECRET_KEY" in each.get("environment", {})}
    assert having == {"ingest", "api", "delivery"}


def test_every_variable_is_explained() -> None:
    files = (ROOT / "docker-compose.yml", ROOT / "docker-compose.gpu.yml")
    used = {name for file in files for name in re.findall(r"\$\{([A-Z_]+)", file.read_text())}
    explained = set(re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    assert used == explained


@each_image
def test_an_image_holds_its_own_service_and_its_own_dependencies(name: str) -> None:
    text = DOCKERFILES[name].read_text()
    assert text.count("FROM python:3.11-slim") == 1
    extras = "api,s3,tracing" if name == "api" else f"{name},tracing"
    assert f'--constraint /build/constraints.txt "/build[{extras}]"' in text
    copied = set(re.findall(r"^COPY (services/\S+) ", text, re.M))
    assert copied == {"services/__init__.py", f"services/{name}"}
    assert text.index("pip install") < text.index("COPY shared")


@each_image
def test_the_health_check_asks_where_the_service_listens(name: str) -> None:
    text = DOCKERFILES[name].read_text()
    port = re.findall(r"AFTERIMAGE_(?:METRICS|API)_PORT=(\d+)", text)[-1]
    path = "readyz" if name == "api" else "healthz"
    assert re.search(rf"^EXPOSE {port}\b", text, re.M)
    assert f'CMD ["bash", "shared/service/health.sh", "{port}", "/{path}"]' in text


@each_image
def test_prometheus_asks_where_the_metrics_are(name: str) -> None:
    jobs = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    (found,) = (job["dns_sd_configs"][0] for job in jobs if job["job_name"] == name)
    assert (found["names"], f"AFTERIMAGE_METRICS_PORT={found['port']}\n" in DOCKERFILES[name].read_text()) == (
        [name],
        True,
    )


def test_torch_is_the_one_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (pin,) = (each for each in project["optional-dependencies"]["inference"] if each.startswith("torch"))
    assert f" {pin}\n" in DOCKERFILES["inference"].read_text()


def test_the_gpu_file_changes_inference_alone() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.gpu.yml").read_text())["services"]
    assert services.keys() == {"inference"}
    assert services["inference"]["deploy"]["resources"]["reservations"]["devices"] == [
        {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    ]
    assert services["inference"]["image"] != SERVICES["inference"]["image"]


def make_env(folder: Path) -> tuple[str, str]:
    """What `make env` says in a folder, and what .env holds then."""
    command = ["make", "--no-print-directory", "env"]
    environment = os.environ | {"XDG_DATA_HOME": str(folder / "home")}
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    written = folder / ".env"
    assert written.stat().st_mode & 0o777 == 0o600
    return done.stdout, written.read_text()


def test_make_env_invents_passwords_and_the_admin_key_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deploy").mkdir()
    for name in ("Makefile", ".env.example", "deploy/env.sh"):
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    said, text = make_env(tmp_path)
    passwords = re.findall(r"^AFTERIMAGE_(?:REDIS|GRAFANA)_PASSWORD=([0-9a-f]{64})$", text, re.M)
    assert len(set(passwords)) == 2
    assert said == f"admin key: {key_file()}\n"
    assert key_file().stat().st_mode & 0o777 == 0o600
    key = ApiKey.parse(key_for("http://localhost:8000") or "")
    assert key
    assert f"\nAFTERIMAGE_KEY={key.text}\n" in text
    assert f"\nAFTERIMAGE_ADMIN_KEY_HASH={key.fingerprint}\n" in text
    assert make_env(tmp_path) == (said, text)
    (tmp_path / ".env").write_text(re.sub(r"AFTERIMAGE_(KEY|ADMIN_KEY_HASH)=.*\n", "", text))  # of an earlier version
    assert sorted(make_env(tmp_path)[1].split()) == sorted(text.split())
