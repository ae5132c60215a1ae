"""What clusters of others want of the chart: labels, places, users, files and addresses of their own."""

from collections.abc import Iterator

import pytest
import yaml
from helm_chart import (
    CHART,
    PLACED,
    RELEASE,
    ROLES,
    VALUE_SETS,
    Object,
    Values,
    container,
    helm,
    objects,
    of_kind,
    pods,
    variables,
)

OWN_RULES = VALUE_SETS["a cluster with rules of its own"]
PLACES = ("nodeSelector", "tolerations", "affinity", "priorityClassName")


def templates(values: Values) -> Iterator[tuple[str, Object]]:
    """The templates of all pods, those of the Job among them."""
    for kind in ("Deployment", "Job"):
        for name, each in of_kind(objects(values), kind).items():
            yield name, each["spec"]["template"]


def notes(values: Values) -> str:
    """What helm says when it has installed it."""
    done = helm("install", RELEASE, str(CHART), "--dry-run=client", "--values", "-", text=yaml.safe_dump(values))
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("\nNOTES:\n")[2]


def test_every_pod_goes_where_it_is_told_and_may_pull_its_image() -> None:
    found = dict(templates(OWN_RULES))
    assert found.keys() == {*ROLES, "redis", "repartition-32"}
    for name, each in found.items():
        assert {key: each["spec"].get(key) for key in PLACES} == {key: PLACED[key] for key in PLACES}, name
        assert each["spec"]["imagePullSecrets"] == [{"name": "registry"}], name
        assert each["spec"]["serviceAccountName"] == "video", name


def test_every_pod_has_the_labels_that_it_is_given_beside_the_charts() -> None:
    for name, each in templates(OWN_RULES):
        labels = each["metadata"]["labels"]
        assert labels["team"] == "video", name
        assert labels["app.kubernetes.io/component"] == name.removesuffix("-32")
        if not name.startswith("repartition"):
            assert each["metadata"]["annotations"] == PLACED["podAnnotations"], name
    for each in of_kind(objects(OWN_RULES), "Deployment").values():
        assert "team" not in each["spec"]["selector"]["matchLabels"], "selectors cannot be changed later"


def test_a_cluster_that_gives_out_users_is_not_told_any() -> None:
    for name, each in templates(OWN_RULES):
        context = each["spec"]["securityContext"]
        assert not context.keys() & {"runAsUser", "runAsGroup", "fsGroup"}, name
        assert context["runAsNonRoot"] is True
    other = {"podSecurityContext": {"runAsUser": 1234, "supplementalGroups": [5]}, "redis": {"enabled": True}}
    for name, each in templates(other):
        context = each["spec"]["securityContext"]
        assert (context["runAsUser"], context["runAsGroup"]) == ((999, 999) if name == "redis" else (1234, 10001))
        assert context["supplementalGroups"] == [5]


def test_files_of_others_are_mounted_in_every_pod_that_is_ours() -> None:
    for name, each in templates(OWN_RULES):
        [only] = each["spec"]["containers"]
        mounted = {"name": "ca", "mountPath": "/etc/ca", "readOnly": True} in only["volumeMounts"]
        there = {"name": "ca", "configMap": {"name": "ca"}} in each["spec"]["volumes"]
        assert mounted is there is (name != "redis"), name
    assert variables(objects(OWN_RULES), "ingest")["SSL_CERT_FILE"] == "/etc/ca/ca.crt"


@pytest.mark.parametrize(
    ("given", "made", "named"),
    [
        ({}, RELEASE, RELEASE),
        ({"name": "video"}, "video", "video"),
        ({"create": False, "name": "video"}, None, "video"),
        ({"create": False}, None, "default"),
    ],
    ids=["made", "made by another name", "there before", "none"],
)
def test_a_service_account_may_be_there_before(given: Values, made: str | None, named: str) -> None:
    values = {"serviceAccount": given}
    assert list(of_kind(objects(values), "ServiceAccount")) == ([made] if made else [])
    assert {pod["serviceAccountName"] for _, pod in pods(objects(values))} == {named}


@pytest.mark.parametrize(("values", "host"), [({}, "0.0.0.0"), (OWN_RULES, "::")], ids=["IPv4", "IPv6"])
def test_everything_listens_where_pods_have_addresses(values: Values, host: str) -> None:
    rendered = objects(values)
    for role in ROLES:
        given = variables(rendered, role)
        assert given["AFTERIMAGE_METRICS_HOST"] == host
        assert given.get("AFTERIMAGE_API_HOST") == (host if role == "api" else None)
    ports = {each["name"]: each["containerPort"] for each in container(rendered, "api")["ports"]}
    assert variables(rendered, "api")["AFTERIMAGE_API_PORT"] == str(ports["http"])
    policies = {each["spec"].get("ipFamilyPolicy") for each in of_kind(rendered, "Service").values()}
    assert policies == {values.get("ipFamilyPolicy")}


def test_a_prefix_is_known_to_api_ingress_and_notes() -> None:
    ingress = {"enabled": True, "host": "cams.example.com"}
    values: Values = {"api": {"rootPath": "/afterimage", "ingress": ingress}}
    assert variables(objects(values), "api")["AFTERIMAGE_API_ROOT_PATH"] == "/afterimage"
    [rule] = of_kind(objects(values), "Ingress")["api"]["spec"]["rules"]
    assert [each["path"] for each in rule["http"]["paths"]] == ["/afterimage"]
    assert "http://cams.example.com/afterimage/\n" in notes(values)
    [rule] = of_kind(objects({"api": {"ingress": ingress}}), "Ingress")["api"]["spec"]["rules"]
    assert [each["path"] for each in rule["http"]["paths"]] == ["/"]
    assert "AFTERIMAGE_API_ROOT_PATH" not in variables(objects({}), "api")


def test_inference_has_more_memory_with_a_gpu_unless_it_is_said() -> None:
    def limit(**inference: object) -> str:
        memory: str = container(objects({"inference": inference}), "inference")["resources"]["limits"]["memory"]
        return memory

    gpu = {"enabled": True}
    assert (limit(), limit(gpu=gpu)) == ("2Gi", "8Gi")
    assert limit(gpu=gpu, resources={"limits": {"memory": "3Gi"}}) == "3Gi"


@pytest.mark.parametrize("tag", ["1.0", "_1", f"{'1' * 62}-1", "1" * 128])
def test_a_label_is_made_of_every_tag(tag: str) -> None:
    version = of_kind(objects({"image": {"tag": tag}}), "Deployment")["api"]["metadata"]["labels"][
        "app.kubernetes.io/version"
    ]
    assert version
    assert version == tag[:63].strip("-_.")
    digest = f"{tag}@sha256:{'0' * 64}"
    assert container(objects({"api": {"image": {"tag": digest}}}), "api")["image"] == f"afterimage-api:{digest}"


def test_notes_say_what_may_go_wrong() -> None:
    assert "ReadWriteOnce" not in notes({})
    once = notes({"events": {"claim": {"accessModes": ["ReadWriteOnce"]}}})
    assert "must run on one node" in once
    assert "letters and digits" in notes({"redis": {"enabled": True}})
    keda = notes({"autoscaling": {"mode": "keda", "inference": {"minReplicas": 4}}})
    assert "to at least 1 of ingest and 4 of inference" in " ".join(keda.split())
    assert "kubectl logs job/afterimage-repartition-32" in notes({"repartition": True})
