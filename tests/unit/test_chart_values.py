"""Values that the chart takes and refuses; what it renders, by the schemas of Kubernetes and of others."""

import json

import pytest
from helm_chart import CHART, VALUE_SETS, Values, helm, objects, template

each_set = pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)


@each_set
def test_lint_has_nothing_to_say(values: Values) -> None:
    done = helm("lint", "--strict", "--quiet", str(CHART), "--values", "-", text=json.dumps(values))
    assert done.returncode == 0, done.stdout + done.stderr


REFUSED: dict[str, tuple[Values, str]] = {
    "both autoscalers": ({"autoscaling": {"mode": ["keda", "hpa"]}}, "mode"),
    "an unknown autoscaler": ({"autoscaling": {"mode": "both"}}, "mode"),
    "a value that there is not": ({"ingest": {"replica": 3}}, "replica"),
    "a secret among the settings": ({"env": {"AFTERIMAGE_SECRET_KEY": "x"}}, "env"),
    "a password among the settings": ({"ingest": {"env": {"AFTERIMAGE_REDIS_PASSWORD": "x"}}}, "env"),
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
