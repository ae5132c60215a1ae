"""Dashboards ask for what there is, in units, with words; what they return on a running system is an e2e test."""

import json
import re
from pathlib import Path

import pytest
import redis
from dashboards import FILES, GRAFANA, board, queries
from promtool import PROMETHEUS, promtool

from services.api.delivery.worker import WorkerMetrics
from services.api.kept.known import KnownStreams
from services.api.live.standings import Standings
from services.api.metrics.requests import ApiMetrics
from services.api.metrics.store import StoreCollector
from services.inference.metrics import InferenceMetrics
from services.ingest.metrics import IngestMetrics
from shared.service.settings import PROJECT_ROOT
from shared.store.leases import LEASE_SECONDS

SUFFIXES = r"(_bucket|_count|_sum|_total)?"
NAME = re.compile(r"(?:\w+:)?(?:afterimage|process)_\w+(?::\w+)?")
RULES = (PROMETHEUS / "rules.yml").read_text()
ALERTS = (PROMETHEUS / "alerts.yml").read_text()


@pytest.fixture
def known(redis_client: redis.Redis) -> set[str]:
    """Names of all that the services tell and the rules record."""
    standings = Standings(redis_client, KnownStreams(redis_client))
    pages = (ApiMetrics(), InferenceMetrics(), IngestMetrics(), WorkerMetrics())
    families = [family for page in pages for family in page.registry.collect()]
    families += StoreCollector(redis_client, standings, LEASE_SECONDS).collect()
    gpu = (PROJECT_ROOT / "services" / "inference" / "metrics.py").read_text()
    recorded = re.findall(r"record: (\S+)", RULES)
    return {family.name for family in families} | set(re.findall(r'"(afterimage_gpu_\w+)"', gpu)) | set(recorded)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_panels_have_units_thresholds_and_descriptions(path: Path) -> None:
    content = board(path)
    panels = [panel for panel in content["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in content["panels"]}) == len(content["panels"])
    assert content["description"]
    assert content["uid"] == f"afterimage-{path.stem}"
    for panel in panels:
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert defaults["unit"], panel["title"]
        assert defaults["thresholds"]["steps"], panel["title"]
        assert panel["targets"], panel["title"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"prometheus"}


def test_the_data_source_is_the_one_that_panels_name() -> None:
    assert "uid: prometheus\n" in (GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text()


def test_panels_do_not_overlap() -> None:
    for path in FILES:
        seen: set[tuple[int, int]] = set()
        for panel in board(path)["panels"]:
            place = panel["gridPos"]
            columns, rows = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
            cells = {(x, y) for x in columns for y in rows}
            assert max(columns) < 24
            assert not cells & seen, panel["title"]
            seen |= cells


def test_every_query_is_valid(tmp_path: Path) -> None:
    rules = [{"record": f"query:{number}", "expr": q.filled("door")} for number, q in enumerate(queries())]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", file)


def test_queries_and_rules_ask_for_metrics_that_there_are(known: set[str]) -> None:
    asked = {name for text in (RULES, ALERTS, *(query.expr for query in queries())) for name in NAME.findall(text)}
    asked = {name for name in asked if not name.endswith(":")}
    assert asked
    strangers = {name for name in asked if not {name, re.sub(f"{SUFFIXES}$", "", name)} & known}
    assert strangers == set()


def test_every_recorded_series_is_used() -> None:
    used = " ".join([ALERTS, *(query.expr for query in queries())])
    assert [name for name in re.findall(r"record: (\S+)", RULES) if name not in used] == []
