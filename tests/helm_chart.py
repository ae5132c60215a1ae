"""The Helm chart as helm itself renders it, over the sets of values that people have."""

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from documented import blocks_of
from patience import TOOL_SECONDS, unavailable

from shared.service.settings import PROJECT_ROOT

CHART = PROJECT_ROOT / "deploy" / "helm" / "afterimage"
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())["services"]
RELEASE, NAMESPACE = "afterimage", "video"
ROLES = ("api", "delivery", "inference", "ingest", "recorder")

Values = dict[str, Any]
Object = dict[str, Any]

MONITORED: Values = {
    "monitoring": {name: {"enabled": True} for name in ("serviceMonitor", "rules", "dashboards")},
}
PLACED: Values = {
    "nodeSelector": {"pool": "video"},
    "tolerations": [{"key": "pool", "operator": "Equal", "value": "video", "effect": "NoSchedule"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "video",
    "podLabels": {"team": "video"},
    "podAnnotations": {"example.com/owner": "video"},
}
"""What a cluster's rules may want of every pod."""
VALUE_SETS: dict[str, Values] = {
    "minimal": {},
    "tried out": {"redis": {"enabled": True}},
    "gpu": {
        "inference": {
            "replicas": 2,
            "gpu": {"enabled": True},
            "runtimeClassName": "nvidia",
            "nodeSelector": {"nvidia.com/gpu.present": "true"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        },
    },
    "cluster": {
        "secrets": {"redis": "redis-cluster", "sealing": "afterimage-sealing", "tracing": "collector"},
        "networkPolicy": {
            "redisPorts": [7000, 7001, 7002],
            "further": [{"to": [{"namespaceSelector": {}}], "ports": [{"protocol": "TCP", "port": 4318}]}],
        },
        "ingest": {"replicas": 8, "env": {"AFTERIMAGE_HWACCEL": "auto", "AFTERIMAGE_TRACE_EVERY": "100"}},
        "env": {
            "AFTERIMAGE_LEASE_SECONDS": "10",
            "AFTERIMAGE_METRICS_STREAMS": "entrances",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.tracing:4318",
        },
        "media": {"existingClaim": "videos"},
        "models": {"existingClaim": "models"},
        "serviceAccount": {"annotations": {"example.com/role": "video"}},
        "envFrom": [{"configMapRef": {"name": "proxies"}}],
    },
    "s3": {
        "events": {"kind": "s3", "s3": {"bucket": "clips", "region": "eu-central-1", "endpoint": "https://s3.example"}},
        "api": {
            "ingress": {"enabled": True, "host": "video.example.com", "className": "nginx", "tlsSecret": "video-tls"},
            "allowedHosts": ["video"],
            "trustedProxies": ["10.0.0.0/8"],
            "readinessPath": "/readyz",
        },
        "image": {"registry": "registry.example.com/video", "tag": "1.2.3", "pullSecrets": [{"name": "registry"}]},
    },
    "keda": {
        **MONITORED,
        "autoscaling": {"mode": "keda", "prometheus": {"authentication": "ask", "authModes": "bearer"}},
    },
    "hpa": {
        **MONITORED,
        "autoscaling": {"mode": "hpa"},
        "recorder": {"enabled": False},
        "delivery": {"enabled": False},
    },
    "thirty machines": yaml.safe_load(
        next(text for kind, text in blocks_of((PROJECT_ROOT / "docs" / "scaling.md").read_text()) if kind == "yaml")
    ),
    "divided anew": {
        "partitions": 256,
        "repartition": True,
        "redis": {"enabled": True},
        "autoscaling": {"mode": "keda"},
    },
    "a cluster with rules of its own": {
        "podSecurityContext": dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup")),
        "serviceAccount": {"create": False, "name": "video"},
        "listen": "::",
        "ipFamilyPolicy": "PreferDualStack",
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}],
        "env": {"SSL_CERT_FILE": "/etc/ca/ca.crt"},
        "image": {"pullSecrets": [{"name": "registry"}]},
        "redis": {"enabled": True, **PLACED},
        "repartition": True,
        **dict.fromkeys(ROLES, PLACED),
    },
    "watched": {**MONITORED, "networkPolicy": {"enabled": False}, "disruptionBudget": {"enabled": False}},
}


def helm(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Runs it, with its exit code for the caller to judge."""
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    binary = shutil.which("helm", path=beside) or unavailable("helm (make helm)")
    return subprocess.run(
        [binary, *arguments], input=text, capture_output=True, text=True, timeout=TOOL_SECONDS, check=False
    )


def template(values: Values, release: str = RELEASE) -> subprocess.CompletedProcess[str]:
    """What `helm template` does with these values."""
    where = ("--namespace", NAMESPACE, "--kube-version", "1.30.0")
    return helm("template", release, str(CHART), *where, "--values", "-", text=json.dumps(values))


@functools.cache
def _objects(text: str, release: str) -> tuple[Object, ...]:
    done = template(json.loads(text), release)
    assert done.returncode == 0, done.stderr
    return tuple(each for each in yaml.safe_load_all(done.stdout) if each)


def objects(values: Values, release: str = RELEASE) -> tuple[Object, ...]:
    """All that it renders; a test changes none of it."""
    return _objects(json.dumps(values), release)


def of_kind(rendered: tuple[Object, ...], kind: str) -> dict[str, Object]:
    """The objects of a kind by name, without the release's own before it."""
    return {each["metadata"]["name"].removeprefix(f"{RELEASE}-"): each for each in rendered if each["kind"] == kind}


def pods(rendered: tuple[Object, ...]) -> Iterator[tuple[str, Object]]:
    """The pods' specs by role."""
    for name, each in of_kind(rendered, "Deployment").items():
        yield name, each["spec"]["template"]["spec"]


def container(rendered: tuple[Object, ...], role: str) -> Object:
    """A role's one container."""
    only: Object
    [only] = dict(pods(rendered))[role]["containers"]
    return only


def variables(rendered: tuple[Object, ...], role: str) -> dict[str, str | Object]:
    """A container's variables: values, or where they come from."""
    found = {each["name"]: each.get("value", each.get("valueFrom")) for each in container(rendered, role)["env"]}
    assert len(found) == len(container(rendered, role)["env"]), "each once"
    return found
