"""Values that the chart takes and refuses; what it renders, by the schemas of Kubernetes and of others."""

import json

import jsonschema
import pytest
from helm_chart import CHART, MONITORED, VALUE_SETS, Object, Values, helm, objects, template
from kubernetes_validate.utils import all_versions, major_minor, schema_contents
from referencing import Registry, Resource
from settings_table import CHART_NAMES, CHART_SCHEMA, names_in_the_chart
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
    "a secret among the settings": (
        {"env": {"AFTERIMAGE_SECRET_KEY": "x"}},
        "at '/env/AFTERIMAGE_SECRET_KEY': value must be 'of a Secret alone'",
    ),
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
    "a grace too short for the drain": ({"terminationGracePeriodSeconds": 45}, "terminationGracePeriodSeconds"),
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
    "a value that is no role's": ({"inference": {"podLabel": {}}}, "at '/inference': additional properties 'podLabel'"),
    "a setting that there is not": (
        {"env": {"AFTERIMAGE_NO_SUCH": "1"}},
        "at '/env': additional properties 'AFTERIMAGE_NO_SUCH'",
    ),
    "another port than probes ask": (
        {"env": {"AFTERIMAGE_METRICS_PORT": "1"}},
        "at '/env/AFTERIMAGE_METRICS_PORT': value must be 'by the chart",
    ),
    "another port than the Service's": (
        {"api": {"env": {"AFTERIMAGE_API_PORT": "8080"}}},
        "at '/api/env/AFTERIMAGE_API_PORT': value must be 'by the chart",
    ),
    "partitions past the bound": (
        {"env": {"AFTERIMAGE_PARTITIONS": "64"}},
        "at '/env/AFTERIMAGE_PARTITIONS': value must be 'by the chart",
    ),
    "a prefix past the Ingress": (
        {"api": {"env": {"AFTERIMAGE_API_ROOT_PATH": "/x"}}},
        "at '/api/env/AFTERIMAGE_API_ROOT_PATH': value must be 'by the chart",
    ),
    "a tag that is no label": ({"image": {"tag": "1.0+b7"}}, "at '/image/tag'"),
    "a digest of several images": ({"image": {"tag": f"1@sha256:{'0' * 64}"}}, "at '/image/tag'"),
    "a registry with a scheme": ({"image": {"registry": "https://registry.example.com"}}, "at '/image/registry'"),
    "a selector without quotes": (
        {"autoscaling": {"prometheus": {"selector": "namespace=cams"}}},
        "at '/autoscaling/prometheus/selector'",
    ),
    "a Redis larger than its container": (
        {"redis": {"enabled": True, "maxMemory": "8gb"}},
        "redis.resources.limits.memory: 2Gi is less than twice redis.maxMemory (8gb)",
    ),
    "a fallback beyond the most": (
        {"autoscaling": {"mode": "keda", "fallback": {"replicas": 9}}},
        "autoscaling.fallback.replicas: 9 is more than autoscaling.inference.maxReplicas (8)",
    ),
    "a window of one scrape": (
        {**MONITORED, "autoscaling": {"mode": "keda", "window": "9s"}},
        "autoscaling.window: 9s is less than two of monitoring.serviceMonitor.interval (5s)",
    ),
    "scrapes too rare for rules": (
        {"monitoring": {"serviceMonitor": {"interval": "2m"}}},
        "at '/monitoring/serviceMonitor/interval'",
    ),
    "a volume of one pod for several": (
        {"events": {"claim": {"accessModes": ["ReadWriteOncePod"]}}},
        "at '/events/claim/accessModes/0'",
    ),
    "an ingress with a URL for a host": ({"api": {"ingress": {"host": "https://x/y"}}}, "at '/api/ingress/host'"),
    "a name that is called by with a path": ({"api": {"allowedHosts": ["x/y"]}}, "at '/api/allowedHosts/0'"),
    "a network that is none": ({"api": {"trustedProxies": ["10.0.0.0/33"]}}, "at '/api/trustedProxies/0'"),
    "a proxy by its name": ({"api": {"trustedProxies": ["::1", "ingress-nginx"]}}, "at '/api/trustedProxies/1'"),
    "memory that is none": (
        {"api": {"resources": {"limits": {"memory": "banana"}}}},
        "at '/api/resources/limits/memory'",
    ),
    "no toleration": ({"api": {"tolerations": [{"foo": "x"}]}}, "at '/api/tolerations/0': additional properties 'foo'"),
    "no affinity": ({"redis": {"affinity": {"foo": {}}}}, "at '/redis/affinity': additional properties 'foo'"),
    "no source of settings": ({"envFrom": [{"foo": "x"}]}, "at '/envFrom/0': additional properties 'foo'"),
    "no peer": (
        {"networkPolicy": {"outside": [{"foo": 1}]}},
        "at '/networkPolicy/outside/0': additional properties 'foo'",
    ),
    "no rule": (
        {"networkPolicy": {"further": [{"from": []}]}},
        "at '/networkPolicy/further/0': additional properties 'from'",
    ),
    "a label that selectors go by": (
        {"api": {"podLabels": {"app.kubernetes.io/component": "x"}}},
        "at '/api/podLabels/app.kubernetes.io~1component': value must be 'by the role alone'",
    ),
    "a mount that is nowhere": (
        {"extraVolumeMounts": [{"name": "ca", "mountPath": "ca"}]},
        "at '/extraVolumeMounts/0/mountPath'",
    ),
    "a volume without a name": ({"extraVolumes": [{"emptyDir": {}}]}, "at '/extraVolumes/0': missing property 'name'"),
    "the root user": ({"podSecurityContext": {"runAsUser": 0}}, "at '/podSecurityContext/runAsUser'"),
    "an address to listen at": ({"listen": "127.0.0.1"}, "at '/listen'"),
    "a policy of families that there is not": ({"ipFamilyPolicy": "Both"}, "at '/ipFamilyPolicy'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_and_named(case: str) -> None:
    values, named = REFUSED[case]
    done = template(values)
    assert done.returncode != 0
    assert named in done.stderr


def test_the_settings_that_it_takes_are_those_that_there_are() -> None:
    names = CHART_NAMES.findall(CHART_SCHEMA.read_text())
    assert names == [names_in_the_chart()], "values.schema.json is out of date: run tests/settings_table.py"


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
