"""How the chart's pods are kept running: confined, asked, ended, spread, reached, and how many there are."""

import json
import math
import re
import subprocess
import sys

import pytest
import yaml
from helm_chart import CHART, COMPOSE, NAMESPACE, RELEASE, VALUE_SETS, Object, Values, container, objects, of_kind, pods

from services.api.delivery.channels.webhooks import TIMEOUT_SECONDS as RECEIVER_SECONDS
from services.api.media.places.opening import RECORDER_SECONDS
from services.api.server import GRACE_SECONDS
from services.ingest.captures.supervisor import STOP_SECONDS
from shared.service.tenancy import TIMEOUTS_PER_LIFE
from shared.store.client import RETRIES, TIMEOUT_SECONDS
from shared.store.leases import LEASE_SECONDS

each_set = pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
VALUES: Values = yaml.safe_load((CHART / "values.yaml").read_text())


@each_set
def test_no_pod_may_more_than_it_must(values: Values) -> None:
    for name, pod in pods(objects(values)):
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        if "podSecurityContext" not in values:
            assert context["runAsUser"] == context["fsGroup"] == (999 if name == "redis" else 10001)
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        for each in pod["containers"]:
            assert each["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }
            assert each["resources"]["requests"].keys() == {"cpu", "memory"}
            assert "memory" in each["resources"]["limits"]
        [tmp] = [each["emptyDir"] for each in pod["volumes"] if each["name"] == "tmp"]
        assert tmp == {"medium": "Memory", "sizeLimit": "64Mi"}


@each_set
def test_liveness_never_asks_redis_and_readiness_may(values: Values) -> None:
    for name, pod in pods(objects(values)):
        [each] = pod["containers"]
        asked = {kind: each[f"{kind}Probe"].get("httpGet") for kind in ("startup", "liveness", "readiness")}
        if name == "redis":
            assert each["livenessProbe"]["tcpSocket"] == {"port": "redis"}
        elif name == "api":  # what answers there does not leave the event loop
            assert asked["startup"] == asked["liveness"] == {"path": "/healthz", "port": "http"}
            assert asked["readiness"]["path"] == values.get("api", {}).get("readinessPath", "/healthz")
        else:
            assert asked["startup"] == asked["liveness"] == {"path": "/livez", "port": "metrics"}
            assert asked["readiness"] == {"path": "/healthz", "port": "metrics"}


def test_the_grace_period_covers_the_drain() -> None:
    redis_hangs = TIMEOUT_SECONDS * (RETRIES + 1) + RETRIES  # each wait between two tries is a second at most
    leases = 3 * LEASE_SECONDS / TIMEOUTS_PER_LIFE  # a tick under way, signing off, giving back
    drains = {
        "ingest": STOP_SECONDS,
        "inference": redis_hangs,
        "delivery": RECEIVER_SECONDS,
        "recorder": RECORDER_SECONDS,
        "api": 5 + GRACE_SECONDS,
    }
    for role, pod in pods(objects({})):
        assert pod["terminationGracePeriodSeconds"] > drains[role] + leases, role
    least = json.loads((CHART / "values.schema.json").read_text())["properties"]["terminationGracePeriodSeconds"]
    assert least["minimum"] > max(drains.values()) + leases


def test_the_api_is_ended_only_when_nobody_sends_it_requests() -> None:
    having = {name: pod["containers"][0].get("lifecycle") for name, pod in pods(objects({}))}
    assert {name: each for name, each in having.items() if each} == {"api": {"preStop": {"sleep": {"seconds": 5}}}}


def labels_of(deployment: Object) -> dict[str, str]:
    labels: dict[str, str] = deployment["spec"]["template"]["metadata"]["labels"]
    return labels


def selected(rendered: tuple[Object, ...], selector: dict[str, str]) -> set[str]:
    """The roles whose pods a selector finds."""
    found = of_kind(rendered, "Deployment").items()
    return {name for name, each in found if selector.items() <= labels_of(each).items()}


@each_set
def test_every_selector_finds_the_pods_that_it_is_for(values: Values) -> None:
    rendered = objects(values)
    roles = set(of_kind(rendered, "Deployment"))
    for name, each in of_kind(rendered, "Deployment").items():
        assert selected(rendered, each["spec"]["selector"]["matchLabels"]) == {name}
    for name, each in of_kind(rendered, "Service").items():
        assert selected(rendered, each["spec"]["selector"]) == {name.removesuffix("-metrics")}
    for name, each in of_kind(rendered, "PodDisruptionBudget").items():
        assert selected(rendered, each["spec"]["selector"]["matchLabels"]) == {name}
    for name, each in of_kind(rendered, "NetworkPolicy").items():
        let_in = {port["port"] for way in each["spec"].get("ingress", ()) for port in way["ports"]}
        assert not let_in or let_in <= {port["name"] for port in container(rendered, name)["ports"]}
        wanted = roles if name == RELEASE else {name} - {"repartition"}  # a Job
        assert selected(rendered, each["spec"]["podSelector"]["matchLabels"]) == wanted
    for kind in ("ScaledObject", "HorizontalPodAutoscaler"):
        for name, each in of_kind(rendered, kind).items():
            assert each["spec"]["scaleTargetRef"]["name"] == f"{RELEASE}-{name}"
    assert {each["metadata"]["namespace"] for each in rendered} == {NAMESPACE}


@each_set
def test_pods_of_a_role_are_spread_and_go_one_by_one(values: Values) -> None:
    rendered = objects(values)
    budgets = of_kind(rendered, "PodDisruptionBudget")
    for name, pod in pods(rendered):
        if name == "redis":
            continue
        spread = {each["topologyKey"]: each for each in pod["topologySpreadConstraints"]}
        assert spread.keys() == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        assert {name} == selected(rendered, spread["kubernetes.io/hostname"]["labelSelector"]["matchLabels"])
        if values is not VALUE_SETS["watched"]:
            assert budgets[name]["spec"]["maxUnavailable"] == 1
    assert bool(budgets) is (values is not VALUE_SETS["watched"])


def test_redis_is_reached_by_this_release_alone() -> None:
    policies = of_kind(objects(VALUE_SETS["tried out"]), "NetworkPolicy")
    [way_in] = policies["redis"]["spec"]["ingress"]
    assert way_in["from"] == [{"podSelector": policies[RELEASE]["spec"]["podSelector"]}]
    assert policies["redis"]["spec"].get("egress") is None
    to_redis = {"podSelector": policies["redis"]["spec"]["podSelector"]}
    for name in policies.keys() - {RELEASE, "redis"}:
        way_out = policies[name]["spec"]["egress"][0]
        assert way_out == {"ports": [{"protocol": "TCP", "port": 6379}], "to": [to_redis]}
    assert policies[RELEASE]["spec"]["policyTypes"] == ["Ingress", "Egress"]


@pytest.mark.parametrize(("values", "outside"), [({}, 3), (VALUE_SETS["s3"], 4)], ids=["claim", "s3"])
def test_only_who_must_connects_to_the_outside(values: Values, outside: int) -> None:
    policies = of_kind(objects(values), "NetworkPolicy")
    leading_out = {
        name
        for name, each in policies.items()
        if any("ipBlock" in str(way.get("to")) for way in each["spec"]["egress"])
    }
    assert leading_out == {"ingest", "api", "delivery", "recorder"} - ({"recorder"} if outside == 3 else set())
    assert "169.254.0.0/16" in str(policies["ingest"]["spec"]["egress"])
    ports = [way["ports"] for way in policies["inference"]["spec"]["egress"]]
    assert [[each["port"] for each in way] for way in ports] == [[6379, 26379]]
    for name in policies.keys() - {RELEASE}:
        metrics, *others = policies[name]["spec"]["ingress"]
        assert metrics["ports"] == [{"protocol": "TCP", "port": "metrics"}]
        assert "monitoring" in str(metrics["from"])
        assert bool(others) is (name == "api")


def test_a_rule_for_every_pod_goes_into_the_policy_of_every_pod() -> None:
    values = VALUE_SETS["cluster"]
    names, *further = of_kind(objects(values), "NetworkPolicy")[RELEASE]["spec"]["egress"]
    assert [each["port"] for each in names["ports"]] == [53, 53]
    assert further == values["networkPolicy"]["further"]


def test_who_is_scaled_has_no_number_of_replicas() -> None:
    for name in ("keda", "hpa"):
        assert not any(
            "annotations" in each["metadata"] for each in of_kind(objects(VALUE_SETS[name]), "ScaledObject").values()
        )
        found = of_kind(objects(VALUE_SETS[name]), "Deployment")
        assert {role for role, each in found.items() if "replicas" not in each["spec"]} == {"ingest", "inference"}
    assert all("replicas" in each["spec"] for each in of_kind(objects({}), "Deployment").values())


def test_keda_holds_what_there_is_while_prometheus_says_nothing() -> None:
    found = of_kind(objects(VALUE_SETS["keda"]), "ScaledObject")
    assert found.keys() == {"ingest", "inference"}
    for each in found.values():
        spec = each["spec"]
        assert spec["fallback"] == {"failureThreshold": 4, "replicas": 1, "behavior": "currentReplicasIfHigher"}
        assert 1 <= spec["minReplicaCount"] <= spec["maxReplicaCount"] <= VALUES["partitions"]
        down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
        assert down["stabilizationWindowSeconds"] >= 300
        for trigger in spec["triggers"]:
            assert (trigger["type"], trigger["metricType"]) == ("prometheus", "AverageValue")
            assert trigger["metadata"]["ignoreNullValues"] == "false"
            assert all(isinstance(value, str) for value in trigger["metadata"].values())
            assert math.isfinite(float(trigger["metadata"]["threshold"]))
            assert trigger["authenticationRef"] == {"name": "ask"}
            query = trigger["metadata"]["query"]
            assert "vector(" not in query, "0 is not told where nothing is known"
            named = re.findall(r'namespace="([^"]*)"', query)
            assert set(named) == {NAMESPACE}
    lag, busy = (each["metadata"]["query"] for each in found["inference"]["spec"]["triggers"])
    assert "avg_over_time(afterimage_lag_frames{" in lag
    assert "afterimage_stage_seconds_sum{" in busy
    [streams] = (each["metadata"]["query"] for each in found["ingest"]["spec"]["triggers"])
    assert "avg_over_time(afterimage_streams{" in streams


def test_the_plain_autoscaler_looks_at_the_cpu_that_is_asked_for() -> None:
    found = of_kind(objects(VALUE_SETS["hpa"]), "HorizontalPodAutoscaler")
    assert found.keys() == {"ingest", "inference"}
    for each in found.values():
        [metric] = each["spec"]["metrics"]
        assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
        assert each["spec"]["maxReplicas"] <= VALUES["partitions"]
    assert not of_kind(objects(VALUE_SETS["hpa"]), "ScaledObject")
    assert not of_kind(objects(VALUE_SETS["keda"]), "HorizontalPodAutoscaler")


@pytest.mark.parametrize("release", ["x", "r" * 53])
def test_names_are_as_short_as_they_must_be(release: str) -> None:
    names = [each["metadata"]["name"] for each in objects(VALUE_SETS["keda"], release)]
    assert max(map(len, names)) <= 63
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name) for name in names)


def test_a_store_is_divided_anew_while_nothing_runs() -> None:
    rendered = objects(VALUE_SETS["divided anew"])
    running = {name: each["spec"]["replicas"] for name, each in of_kind(rendered, "Deployment").items()}
    assert {name for name, replicas in running.items() if replicas} == {"redis"}
    paused = {"autoscaling.keda.sh/paused-replicas": "0"}
    assert all(each["metadata"]["annotations"] == paused for each in of_kind(rendered, "ScaledObject").values())
    job = of_kind(rendered, "Job")["repartition-256"]["spec"]["template"]
    pod = job["spec"]
    [only] = pod["containers"]
    assert only["image"] == COMPOSE["api"]["image"] + ":0.1.0"
    assert only["args"] == ["python", "-m", "shared.store.repartition", "--to", "256"]
    assert (
        subprocess.run([sys.executable, *only["args"][1:], "--help"], check=False, capture_output=True).returncode == 0
    )
    assert [each["name"] for each in only["env"]] == ["AFTERIMAGE_REDIS_PASSWORD", "AFTERIMAGE_REDIS_URL"]
    assert only["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["securityContext"]["runAsNonRoot"] is True
    policy = of_kind(rendered, "NetworkPolicy")["repartition"]["spec"]
    assert policy["podSelector"]["matchLabels"] == job["metadata"]["labels"]
    assert policy["egress"] == of_kind(rendered, "NetworkPolicy")["inference"]["spec"]["egress"]
    assert not of_kind(objects({}), "Job")
