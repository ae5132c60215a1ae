"""The chart watches with what compose watches with: the same rules, alerts and dashboards, out of the same files."""

import json
import tarfile
from pathlib import Path

import yaml
from dashboards import GRAFANA
from helm_chart import CHART, MONITORED, RELEASE, VALUE_SETS, Object, Values, helm, objects, of_kind
from promtool import PROMETHEUS, promtool

WATCHED = VALUE_SETS["watched"]
LOST = "AfterimageWorkerLost"
JOB_LABEL = "app.kubernetes.io/component"


def test_the_charts_files_are_those_of_compose() -> None:
    links = {
        path.relative_to(CHART / "files").as_posix(): path for path in (CHART / "files").rglob("*") if not path.is_dir()
    }
    boards = {f"dashboards/{path.name}": path for path in (GRAFANA / "dashboards").iterdir()}
    assert {name: path.resolve() for name, path in links.items()} == {
        **boards,
        "rules.yml": PROMETHEUS / "rules.yml",
        "alerts.yml": PROMETHEUS / "alerts.yml",
    }
    assert all(path.is_symlink() for path in links.values())


def without_lost(group: Object) -> Object:
    """A group without the one alert that the chart says otherwise, as it knows how many workers there should be."""
    return group | {"rules": [rule for rule in group["rules"] if rule.get("alert") != LOST]}


def test_rules_are_rendered_as_they_stand() -> None:
    found = of_kind(objects(WATCHED), "PrometheusRule")
    assert found.keys() == {"rules", "alerts"}
    for name, each in found.items():
        assert [without_lost(group) for group in each["spec"]["groups"]] == [
            without_lost(group) for group in yaml.safe_load((PROMETHEUS / f"{name}.yml").read_text())["groups"]
        ]


def test_rules_are_valid_as_they_are_rendered(tmp_path: Path) -> None:
    for name, each in of_kind(objects(WATCHED), "PrometheusRule").items():
        (tmp_path / name).write_text(json.dumps(each["spec"]))
        promtool("check", "rules", "--lint=all", "--lint-fatal", tmp_path / name)


def lost(values: Values) -> str | None:
    """What a lost worker is known by, where that is asked for."""
    groups = of_kind(objects(values), "PrometheusRule")["alerts"]["spec"]["groups"]
    return next((rule["expr"] for group in groups for rule in group["rules"] if rule["alert"] == LOST), None)


def fewer(role: str, than: int) -> str:
    return f'0 < role:afterimage_workers:max{{role="{role}"}} < {than}'


def test_a_worker_is_lost_where_there_are_fewer_than_there_should_be() -> None:
    assert lost(WATCHED) is None, "of one, none is left, which is another alert"
    several = {**MONITORED, "ingest": {"replicas": 5}, "recorder": {"replicas": 2}, "api": {"replicas": 3}}
    assert lost(several) == f"{fewer('ingest', 5)} or {fewer('recorder', 2)}"


def test_an_autoscalers_removals_alert_nobody_until_there_are_fewer_than_its_least() -> None:
    assert lost(VALUE_SETS["hpa"]) is None
    assert lost(VALUE_SETS["thirty machines"]) == f"{fewer('inference', 4)} or {fewer('ingest', 4)}"


def test_who_is_lost_is_missed_until_it_is_back_and_no_rollout_is_a_loss(tmp_path: Path) -> None:
    rendered = of_kind(objects({**MONITORED, "inference": {"replicas": 2}}), "PrometheusRule")
    for name, each in rendered.items():
        (tmp_path / f"{name}.yml").write_text(json.dumps(each["spec"]))
    text = {
        "summary": "inference has 1 workers, fewer than it should",
        "description": "A worker has gone and none has taken its place; the others carry its streams.",
        "runbook": "docs/runbook.md#afterimageworkerlost",
    }
    alert = {"exp_labels": {"severity": "warning", "role": "inference"}, "exp_annotations": text}
    cases: dict[str, dict[str, list[Object]]] = {
        "2x20 1x400": {"9m": [], "11m": [alert], "1h": [alert]},
        "2x20 3x8 2x400": {"6m": [], "8m": [], "20m": []},
    }
    tests = [
        {
            "interval": "15s",
            "input_series": [{"series": 'afterimage_workers{role="inference"}', "values": values}],
            "alert_rule_test": [
                {"eval_time": when, "alertname": LOST, "exp_alerts": alerts} for when, alerts in asked.items()
            ],
        }
        for values, asked in cases.items()
    ]
    (tmp_path / "tests.yml").write_text(
        json.dumps({"rule_files": [f"{name}.yml" for name in rendered], "tests": tests})
    )
    promtool("test", "rules", tmp_path / "tests.yml")


def test_dashboards_are_rendered_as_they_stand() -> None:
    found = of_kind(objects(WATCHED), "ConfigMap")
    boards = {path.stem: path for path in (GRAFANA / "dashboards").iterdir()}
    assert found.keys() == {f"dashboard-{name}" for name in boards}
    for name, path in boards.items():
        each = found[f"dashboard-{name}"]
        assert each["data"] == {f"afterimage-{name}.json": path.read_text()}
        assert each["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_jobs_are_named_after_the_roles_as_rules_and_dashboards_ask_for_them() -> None:
    rendered = objects(WATCHED)
    spec = of_kind(rendered, "ServiceMonitor")[RELEASE]["spec"]
    assert spec["jobLabel"] == JOB_LABEL
    services = of_kind(rendered, "Service")
    wanted = spec["selector"]["matchLabels"].items()
    scraped = {name: each for name, each in services.items() if wanted <= each["metadata"]["labels"].items()}
    jobs = {each["metadata"]["labels"][JOB_LABEL] for each in scraped.values()}
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    assert jobs == {job["job_name"] for job in config["scrape_configs"]} - {"prometheus"}
    assert {each["ports"][0]["name"] for each in (one["spec"] for one in scraped.values())} == {
        endpoint["port"] for endpoint in spec["endpoints"]
    }
    assert {endpoint["interval"] for endpoint in spec["endpoints"]} == {config["global"]["scrape_interval"]}
    assert all(each["spec"]["publishNotReadyAddresses"] for each in scraped.values())


def test_a_package_holds_the_files_themselves(tmp_path: Path) -> None:
    done = helm("package", str(CHART), "--destination", str(tmp_path))
    assert done.returncode == 0, done.stderr
    [archive] = tmp_path.iterdir()
    with tarfile.open(archive) as tar:
        packed = {each.name: each for each in tar.getmembers()}
        rules = tar.extractfile("afterimage/files/rules.yml")
        assert rules is not None
        assert rules.read() == (PROMETHEUS / "rules.yml").read_bytes()
    assert "afterimage/files/dashboards/overview.json" in packed
    assert all(each.isreg() for each in packed.values())
