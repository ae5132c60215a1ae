"""What the chart's pods are: those of docker-compose.yml, with settings that the services know; no secret is inline."""

import re
from typing import Any

import pytest
import yaml
from helm_chart import COMPOSE, RELEASE, ROLES, VALUE_SETS, Values, container, objects, of_kind, pods, variables
from settings_table import TABLES

from shared.service.settings import PROJECT_ROOT, ServiceSettings, read_settings

SECRETS = {
    "AFTERIMAGE_REDIS_URL": "redis+cluster://:secret@one:6379,two:6379",
    "AFTERIMAGE_REDIS_PASSWORD": "secret",
    "AFTERIMAGE_SECRET_KEY": "",
    "AFTERIMAGE_ADMIN_KEY_HASH": "",
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20secret",
}
"""What the Secret holds, so far as settings look at it."""
JOBS = {
    job["job_name"]: job["dns_sd_configs"][0]["port"]
    for job in yaml.safe_load((PROJECT_ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    if "dns_sd_configs" in job
}

each_set = pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
each_role = pytest.mark.parametrize("role", ROLES)


def settings_of(role: str) -> type[ServiceSettings]:
    """What the role's process reads."""
    return TABLES[role.capitalize()]


def secrets_in(role: str, values: Values) -> dict[str, Any]:
    """The variables that come from a Secret: name → where from."""
    return {name: each for name, each in variables(objects(values), role).items() if isinstance(each, dict)}


def test_the_roles_are_those_of_compose() -> None:
    others = {"redis", "prometheus", "grafana", "demo"}
    assert set(of_kind(objects({}), "Deployment")) == set(ROLES) == COMPOSE.keys() - others
    assert set(of_kind(objects(VALUE_SETS["tried out"]), "Deployment")) == {*ROLES, "redis"}
    assert set(of_kind(objects(VALUE_SETS["hpa"]), "Deployment")) == {"api", "inference", "ingest"}


@each_role
def test_a_role_runs_what_compose_runs(role: str) -> None:
    ours = container(objects({}), role)
    assert ours["image"] == f"{COMPOSE[role]['image']}:0.1.0"
    assert ours.get("args") == COMPOSE[role].get("command")
    assert "command" not in ours


def test_images_come_from_the_registry_that_is_named() -> None:
    assert container(objects(VALUE_SETS["s3"]), "api")["image"] == "registry.example.com/video/afterimage-api:1.2.3"
    own = {"image": {"tag": "2"}, "inference": {"gpu": {"enabled": True}, "image": {"tag": "3"}}}
    assert container(objects(own), "inference")["image"] == "afterimage-inference:3"
    assert container(objects(own), "ingest")["image"] == "afterimage-ingest:2"


@each_set
def test_every_variable_is_a_setting_of_the_role_that_it_takes(values: Values, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = objects(values)
    for role in of_kind(rendered, "Deployment").keys() - {"redis"}:
        given = variables(rendered, role)
        known = {f"AFTERIMAGE_{name.upper()}" for name in settings_of(role).model_fields}
        redis_password = {"AFTERIMAGE_REDIS_PASSWORD"} if values.get("redis") else set()
        assert {name for name in given if not name.startswith(("AWS_", "OTEL_", "SSL_"))} <= known | redis_password, (
            role
        )
        with monkeypatch.context() as patch:
            for name, value in given.items():
                patch.setenv(name, value if isinstance(value, str) else SECRETS[name])
            read_settings(settings_of(role))


@each_set
def test_no_secret_is_ever_a_value(values: Values) -> None:
    rendered = objects(values)
    assert not of_kind(rendered, "Secret")
    assert not of_kind(rendered, "ConfigMap").keys() & {"settings"}
    for role in of_kind(rendered, "Deployment").keys() - {"redis"}:
        secret = secrets_in(role, values)
        assert all(each["secretKeyRef"]["key"] == name for name, each in secret.items())
        plain = variables(rendered, role).keys() - secret.keys()
        suspect = {name for name in plain if re.search("SECRET|PASSWORD|ACCESS_KEY|KEY_HASH|HEADERS|REDIS_URL", name)}
        assert suspect == ({"AFTERIMAGE_REDIS_URL"} if values.get("redis") else set())


def test_the_password_of_the_redis_that_comes_along_is_put_in_by_the_kubelet() -> None:
    given = variables(objects(VALUE_SETS["tried out"]), "ingest")
    assert given["AFTERIMAGE_REDIS_URL"] == f"redis://:$(AFTERIMAGE_REDIS_PASSWORD)@{RELEASE}-redis:6379/0"
    assert list(given).index("AFTERIMAGE_REDIS_PASSWORD") < list(given).index("AFTERIMAGE_REDIS_URL")


def test_who_has_to_do_with_logins_has_the_key() -> None:
    having = {role for role in ROLES if "AFTERIMAGE_SECRET_KEY" in secrets_in(role, {})}
    assert having == {role for role in ROLES if "AFTERIMAGE_SECRET_KEY" in COMPOSE[role]["environment"]}
    assert {role for role in ROLES if "AFTERIMAGE_ADMIN_KEY_HASH" in secrets_in(role, {})} == {"api"}
    assert not any("AWS_ACCESS_KEY_ID" in secrets_in(role, {}) for role in ROLES)
    in_bucket = {role for role in ROLES if "AWS_ACCESS_KEY_ID" in secrets_in(role, VALUE_SETS["s3"])}
    assert in_bucket == {"api", "delivery", "recorder"}


def test_each_part_may_have_a_secret_of_its_own() -> None:
    found = {name: each["secretKeyRef"]["name"] for name, each in secrets_in("api", VALUE_SETS["cluster"]).items()}
    assert found == {
        "AFTERIMAGE_REDIS_URL": "redis-cluster",
        "AFTERIMAGE_SECRET_KEY": "afterimage-sealing",
        "AFTERIMAGE_ADMIN_KEY_HASH": "afterimage",
    }


def test_who_tells_spans_has_what_their_receiver_wants_from_a_secret() -> None:
    values, tracing = VALUE_SETS["cluster"], re.compile(r"\btracing\(\"(\w+)\"")
    source = "".join(each.read_text() for each in (PROJECT_ROOT / "services").rglob("__main__.py"))
    telling = set(tracing.findall(source))
    assert {role for role in ROLES if "OTEL_EXPORTER_OTLP_HEADERS" in COMPOSE[role]["environment"]} == telling
    for name, given in ((role, secrets_in(role, values)) for role in ROLES):
        from_where = given.get("OTEL_EXPORTER_OTLP_HEADERS")
        key = {"name": "collector", "key": "OTEL_EXPORTER_OTLP_HEADERS", "optional": True}
        assert from_where == ({"secretKeyRef": key} if name in telling else None)
        plain = variables(objects(values), name)
        assert plain["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector.tracing:4318"
        assert plain["AFTERIMAGE_METRICS_STREAMS"] == "entrances"
    assert variables(objects(values), "ingest")["AFTERIMAGE_TRACE_EVERY"] == "100"
    other = secrets_in("delivery", {})["OTEL_EXPORTER_OTLP_HEADERS"]["secretKeyRef"]
    assert (other["name"], other["optional"]) == ("afterimage", True)


@each_role
def test_it_listens_where_it_is_asked(role: str) -> None:
    rendered = objects({})
    ports = {each["name"]: each["containerPort"] for each in container(rendered, role)["ports"]}
    assert ports["metrics"] == JOBS[role] == int(str(variables(rendered, role)["AFTERIMAGE_METRICS_PORT"]))
    dockerfile = (
        PROJECT_ROOT / "services" / COMPOSE[role]["image"].removeprefix("afterimage-") / "Dockerfile"
    ).read_text()
    assert "AFTERIMAGE_METRICS_HOST=0.0.0.0" in dockerfile
    assert ports.get("http") == (8000 if role == "api" else None)
    assert "AFTERIMAGE_API_PORT=8000\n" in (PROJECT_ROOT / "services/api/Dockerfile").read_text()


def test_no_variable_comes_from_services_links() -> None:
    """A Service `afterimage-api` would have each pod given AFTERIMAGE_API_PORT=tcp://…, which is a setting."""
    services = of_kind(objects(VALUE_SETS["tried out"]), "Service")
    linked = {f"{RELEASE}-{name}_port".upper().replace("-", "_") for name in services}
    settings = {f"AFTERIMAGE_{name.upper()}" for kind in TABLES.values() for name in kind.model_fields}
    assert linked & settings == {"AFTERIMAGE_API_PORT"}
    assert all(pod["enableServiceLinks"] is False for _, pod in pods(objects(VALUE_SETS["tried out"])))


def test_the_api_knows_the_names_that_it_is_called_by() -> None:
    named = str(variables(objects(VALUE_SETS["s3"]), "api")["AFTERIMAGE_API_ALLOWED_HOSTS"]).split(",")
    own = f"{RELEASE}-api"
    assert named == [
        own,
        f"{own}.video",
        f"{own}.video.svc",
        f"{own}.video.svc.cluster.local",
        "video.example.com",
        "video",
    ]
    [rule] = of_kind(objects(VALUE_SETS["s3"]), "Ingress")["api"]["spec"]["rules"]
    assert rule["host"] in named


def test_a_setting_goes_before_what_the_chart_would_say() -> None:
    given = variables(
        objects({"env": {"AFTERIMAGE_LOG_LEVEL": "debug"}, "api": {"env": {"AFTERIMAGE_LOG_LEVEL": "error"}}}), "api"
    )
    assert given["AFTERIMAGE_LOG_LEVEL"] == "error"


def test_threads_are_told_since_a_process_sees_all_cores_of_its_node() -> None:
    given = variables(objects({}), "inference")
    cores = int(container(objects({}), "inference")["resources"]["requests"]["cpu"])
    assert int(str(given["AFTERIMAGE_TORCH_THREADS"])) + int(str(given["AFTERIMAGE_DECODE_THREADS"])) == cores


def test_a_gpu_is_asked_for_by_inference_alone() -> None:
    rendered = objects(VALUE_SETS["gpu"])
    pod = dict(pods(rendered))["inference"]
    ours = container(rendered, "inference")
    assert ours["resources"]["limits"] == {"memory": "8Gi", "nvidia.com/gpu": 1}
    assert ours["image"] == "afterimage-inference:0.1.0-cuda"
    assert variables(rendered, "inference")["AFTERIMAGE_DEVICE"] == "cuda"
    assert pod["runtimeClassName"] == "nvidia"
    assert pod["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"
    replaced = of_kind(rendered, "Deployment")["inference"]["spec"]["strategy"]["rollingUpdate"]
    assert replaced == {"maxSurge": 0, "maxUnavailable": 1}
    others = [container(rendered, role)["resources"] for role in ROLES if role != "inference"]
    assert not any("gpu" in str(each) for each in others)
    assert variables(objects({}), "inference")["AFTERIMAGE_DEVICE"] == "cpu"


def mounts(values: Values) -> dict[str, dict[str, bool]]:
    """Role → where what is mounted → whether to be read alone."""
    return {
        role: {each["mountPath"]: each.get("readOnly", False) for each in pod["containers"][0]["volumeMounts"]}
        for role, pod in pods(objects(values))
    }


def test_events_files_are_written_by_the_recorder_alone_and_media_by_nobody() -> None:
    assert mounts({}) == {
        "api": {"/tmp": False, "/media": True, "/events": True},
        "delivery": {"/tmp": False, "/events": True},
        "inference": {"/tmp": False},
        "ingest": {"/tmp": False, "/media": True},
        "recorder": {"/tmp": False, "/events": False},
    }
    assert not any("/events" in found for found in mounts(VALUE_SETS["s3"]).values())
    assert {role for role, found in mounts(VALUE_SETS["cluster"]).items() if "/models" in found} == {
        "api",
        "delivery",
        "inference",
    }


def test_a_bucket_takes_the_place_of_the_claim() -> None:
    assert set(of_kind(objects({}), "PersistentVolumeClaim")) == {"events"}
    rendered = objects(VALUE_SETS["s3"])
    assert not of_kind(rendered, "PersistentVolumeClaim")
    for role in ("api", "delivery", "recorder"):
        given = variables(rendered, role)
        assert given["AFTERIMAGE_EVENTS_DIR"] == "s3://clips/events"
        assert (given["AWS_REGION"], given["AWS_ENDPOINT_URL"]) == ("eu-central-1", "https://s3.example")
    own = {"events": {"claim": {"existingClaim": "clips"}}}
    assert not of_kind(objects(own), "PersistentVolumeClaim")
    assert "'claimName': 'clips'" in str(dict(pods(objects(own)))["recorder"]["volumes"])


def test_the_redis_that_comes_along_is_the_one_of_compose() -> None:
    ours, theirs = container(objects(VALUE_SETS["tried out"]), "redis"), COMPOSE["redis"]
    assert ours["image"] == theirs["image"]
    given = {**dict(zip(ours["args"][1::2], ours["args"][2::2], strict=True)), "--requirepass": "", "--maxmemory": ""}
    assert given == {
        **dict(zip(theirs["command"][1::2], theirs["command"][2::2], strict=True)),
        "--requirepass": "",
        "--maxmemory": "",
    }
    assert ours["args"][2] == "$(REDISCLI_AUTH)"
