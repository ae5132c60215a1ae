"""Values that the chart takes and refuses; what it renders, by the schemas of Kubernetes and of others."""

import json

import jsonschema
import pytest
from helm_chart import CHART, VALUE_SETS, Object, Values, helm, objects, template
from kubernetes_validate.utils import all_versions, major_minor, schema_contents
from referencing import Registry, Resource
from vendor_crds import CRDS

each_set = pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)


@each_set
def test_lint_has_nothing_to_say(values: Values) -> None:
    done = helm("lint", "--strict", "--quiet", str(CHART), "--values", "-", text=json.dumps(values))
    assert done.returncode == 0, done.stdout + done.stderr


REFUSED: dict[str, tuple[Values, str]] = {
    "both autoscalers": ({"autoscaling": {"mode": ["keda", "hpa"]}}, "mode"),
    "an unknown autoscaler": ({"autoscaling": {"mode": "both"}}, "mode"),
    "a value that there is not": ({"ingest": {"replica": 3}}, "replica"),
    "a secret among the settings": ({"env": {"AFTERIMAGE_SECRET_KEY": "x"}}, "AFTERIMAGE_SECRET_KEY"),
    "a password among the settings": (
        {"ingest": {"env": {"AFTERIMAGE_REDIS_PASSWORD": "x"}}},
        "AFTERIMAGE_REDIS_PASSWORD",
    ),
    "a token among the settings": (
        {"env": {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x"}},
        "OTEL_EXPORTER_OTLP_HEADERS",
    ),
    "a login in a receiver's URL": (
        {"ingest": {"env": {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://me:x@collector:4318"}}},
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ),
    "a number for a setting": ({"env": {"AFTERIMAGE_LEASE_SECONDS": 10}}, "AFTERIMAGE_LEASE_SECONDS"),
    "a bucket without a name": ({"events": {"kind": "s3"}}, "bucket"),
    "an ingress without a host": ({"api": {"ingress": {"enabled": True}}}, "host"),
    "a grace too short for the drain": ({"terminationGracePeriodSeconds": 5}, "terminationGracePeriodSeconds"),
    "more workers than partitions": (
        {"inference": {"replicas": 33}},
        "inference.replicas: 33 is more than the 32 partitions",
    ),
    "an autoscaler beyond the partitions": (
        {"autoscaling": {"mode": "keda", "ingest": {"maxReplicas": 64}}},
        "autoscaling.ingest.maxReplicas: 64 is more than the 32 partitions",
    ),
    "a plain one beyond them": (
        {"partitions": 16, "autoscaling": {"mode": "hpa", "inference": {"maxReplicas": 17}}},
        "autoscaling.inference.maxReplicas: 17 is more than the 16 partitions",
    ),
    "fewer at most than at least": (
        {"autoscaling": {"mode": "keda", "ingest": {"minReplicas": 9}}},
        "minReplicas is more than maxReplicas",
    ),
    "no secret at all": ({"existingSecret": ""}, "existingSecret"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_and_named(case: str) -> None:
    values, named = REFUSED[case]
    done = template(values)
    assert done.returncode != 0
    assert named in done.stderr


def test_more_partitions_allow_more_workers() -> None:
    assert objects({"partitions": 256, "autoscaling": {"mode": "keda", "inference": {"maxReplicas": 200}}})


OTHERS = {path.stem: json.loads(path.read_text()) for path in CRDS.glob("*.json")}
"""Kinds of others than Kubernetes' → their schemas (tests/vendor_crds.py)."""


def all_rendered() -> list[Object]:
    """Every object that any set of values brings, once."""
    found = {json.dumps(each, sort_keys=True): each for values in VALUE_SETS.values() for each in objects(values)}
    return list(found.values())


class Kubernetes:
    """What a version of Kubernetes takes, and nothing beside it: the strict schemas of `kubernetes-validate`."""

    def __init__(self, version: str) -> None:
        self._folder = f"kubernetes-json-schema/v{version}-local-strict"
        definitions = Resource.from_contents(schema_contents(f"{self._folder}/_definitions.json", version))
        self._registry = definitions @ Registry()
        self._version = version
        self._known: dict[str, jsonschema.Draft202012Validator] = {}

    def check(self, content: Object) -> None:
        """Raises jsonschema's ValidationError."""
        group, _, version = content["apiVersion"].rpartition("/")
        name = "-".join(filter(None, [content["kind"].lower(), group.partition(".")[0], version]))
        if name not in self._known:
            schema = schema_contents(f"{self._folder}/{name}.json", self._version)
            self._known[name] = jsonschema.Draft202012Validator(schema, registry=self._registry)
        self._known[name].validate(content)


VERSIONS = sorted({version for version in all_versions() if major_minor(version) >= "1.30"})


@pytest.mark.parametrize("version", VERSIONS, ids=major_minor)
def test_kubernetes_takes_what_is_rendered(version: str) -> None:
    kubernetes = Kubernetes(version)
    own = [each for each in all_rendered() if each["kind"] not in OTHERS]
    assert {each["kind"] for each in own} >= {"Deployment", "NetworkPolicy", "Ingress", "HorizontalPodAutoscaler"}
    for each in own:
        kubernetes.check(each)


def test_what_kubernetes_does_not_know_is_noticed() -> None:
    deployment = next(each for each in objects({}) if each["kind"] == "Deployment")
    with pytest.raises(jsonschema.ValidationError, match="replica"):
        Kubernetes(VERSIONS[0]).check({**deployment, "spec": {**deployment["spec"], "replica": 1}})


@pytest.mark.parametrize("kind", OTHERS)
def test_others_take_what_is_rendered_for_them(kind: str) -> None:
    check = jsonschema.Draft202012Validator(OTHERS[kind])
    found = [each for each in all_rendered() if each["kind"] == kind]
    assert found
    for each in found:
        check.validate(each)
        wrong = {**each, "spec": {**each["spec"], "unknown": 1}}
        assert not check.is_valid(wrong)
