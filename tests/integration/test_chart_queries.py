"""What KEDA is to ask, and every rule, answered by a real Prometheus that scrapes a real api and a real worker."""

import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from api_server import running_api
from helm_chart import MONITORED, NAMESPACE, objects, of_kind
from leasing import lease_of
from patience import eventually
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_server import Prometheus, prometheus_server
from redis_cluster import free_port
from redis_process import redis_process
from worker_runner import WorkerRunner, pictures, save_random_model, spec_of

from shared.store.client import connect
from shared.store.registry import Registry
from shared.streams import StreamState, StreamStatus

WINDOW = "4s"
NUM_FRAMES = 40


@contextmanager
def served(registry: CollectorRegistry, port: int) -> Iterator[None]:
    """Serves metrics, as the service whose they are would, as long as the block runs."""
    server, thread = start_http_server(port, "127.0.0.1", registry=registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def rendered() -> tuple[dict[str, Any], ...]:
    """The chart with all that asks Prometheus."""
    monitoring = MONITORED["monitoring"] | {"serviceMonitor": {"enabled": True, "interval": "2s"}}
    return objects({"monitoring": monitoring, "autoscaling": {"mode": "keda", "window": WINDOW}})


@pytest.fixture(scope="module")
def triggers(rendered: tuple[dict[str, Any], ...]) -> dict[str, dict[str, str]]:
    """What KEDA's triggers ask, by name."""
    found = [each for scaled in of_kind(rendered, "ScaledObject").values() for each in scaled["spec"]["triggers"]]
    return {each["name"]: each["metadata"] for each in found}


class Keda:
    """What KEDA makes of the answers: an empty one is a failure (`ignoreNullValues: "false"`), so it falls back."""

    def __init__(self, prometheus: Prometheus, triggers: dict[str, dict[str, str]]) -> None:
        self._prometheus = prometheus
        self._triggers = triggers

    def value(self, name: str) -> float | None:
        """What a trigger is told; None: a failure."""
        assert self._triggers[name]["ignoreNullValues"] == "false"
        return self._prometheus.number(self._triggers[name]["query"])

    def values(self) -> dict[str, float | None]:
        """What all of them are told."""
        return {name: self.value(name) for name in self._triggers}

    def workers(self, name: str) -> int:
        """How many there would be, without least and most."""
        return math.ceil((self.value(name) or 0) / float(self._triggers[name]["threshold"]))


def add_paused(client: redis.Redis) -> None:
    """A stream that nobody need watch."""
    Registry(client).add(spec_of("still"))
    status = StreamStatus(state=StreamState.PAUSED, generation=1)
    Registry(client).set_status("still", status, lease_of(client, "ingest", "still"))


def test_queries_and_rules_are_answered(
    tmp_path: Path, rendered: tuple[dict[str, Any], ...], triggers: dict[str, dict[str, str]]
) -> None:
    rules = of_kind(rendered, "PrometheusRule").values()
    groups = [group for each in rules for group in each["spec"]["groups"]]
    ports = {"api": free_port(), "inference": free_port()}
    save_random_model(tmp_path)
    with (
        tempfile.TemporaryDirectory(prefix="afterimage-") as folder,
        redis_process(Path(folder)) as url,
        connect(url) as client,
        prometheus_server(tmp_path, ports, groups, namespace=NAMESPACE) as prometheus,
    ):
        keda = Keda(prometheus, triggers)
        eventually(lambda: len(prometheus.vector("up == 0")) == len(ports), "two scrapes that failed")
        assert keda.values() == {"lag": None, "busy": None, "streams": None}, "Prometheus has nothing"
        eventually(lambda: all(rule["health"] == "ok" for rule in prometheus.rules()), "rules evaluated on nothing")
        assert {each["alertname"] for each in prometheus.vector("ALERTS")} == {"AfterimageApiDown"}

        with running_api(url, metrics_streams="none") as api, served(api.context.metrics.registry, ports["api"]):
            eventually(lambda: keda.values() == {"lag": 0, "busy": None, "streams": 0}, "an api without streams")
            add_paused(client)
            with WorkerRunner(client, tmp_path) as runner:
                spec = spec_of("cam")
                runner.registry.add(spec)
                runner.publish(spec, pictures(NUM_FRAMES))
                eventually(lambda: keda.value("lag") == NUM_FRAMES, "what waits")
                eventually(lambda: keda.value("streams") == 1, "the stream that is not paused")
                assert keda.workers("lag") == math.ceil(NUM_FRAMES / 256)
                runner.start()
                with served(runner.metrics.registry, ports["inference"]):
                    eventually(lambda: keda.value("lag") == 0, "nothing waits")
                    eventually(lambda: keda.value("busy") is not None, "a worker's figures")
                    runner.publish(spec, pictures(NUM_FRAMES, seed=1), first=NUM_FRAMES)
                    assert 0 < (eventually(lambda: keda.value("busy"), "a model at work") or 0) < 1
                    assert keda.workers("busy") in {1, 2}
                    eventually(lambda: all(rule["health"] == "ok" for rule in prometheus.rules()), "rules evaluated")
            client.shutdown(nosave=True)
            eventually(lambda: keda.value("lag") is None and keda.value("streams") is None, "Redis is away")
            assert "AfterimageRedisAway" in {each["alertname"] for each in prometheus.vector("ALERTS")}
