"""The chart watches with what compose watches with: the same rules, alerts and dashboards, out of the same files."""

import json
import tarfile
from pathlib import Path

import yaml
from dashboards import GRAFANA
from helm_chart import CHART, RELEASE, VALUE_SETS, helm, objects, of_kind
from promtool import PROMETHEUS, promtool

WATCHED = VALUE_SETS["watched"]
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


def test_rules_are_rendered_as_they_stand() -> None:
    found = of_kind(objects(WATCHED), "PrometheusRule")
    assert found.keys() == {"rules", "alerts"}
    for name, each in found.items():
        assert each["spec"] == yaml.safe_load((PROMETHEUS / f"{name}.yml").read_text())


def test_rules_are_valid_as_they_are_rendered(tmp_path: Path) -> None:
    for name, each in of_kind(objects(WATCHED), "PrometheusRule").items():
        (tmp_path / name).write_text(json.dumps(each["spec"]))
        promtool("check", "rules", "--lint=all", "--lint-fatal", tmp_path / name)


def alerts(values: dict[str, object]) -> set[str]:
    groups = of_kind(objects(values), "PrometheusRule")["alerts"]["spec"]["groups"]
    return {rule["alert"] for group in groups for rule in group["rules"]}


def test_an_autoscalers_removals_alert_nobody() -> None:
    assert alerts(WATCHED) - alerts(VALUE_SETS["keda"]) == {"AfterimageWorkerLost"}
    assert alerts(VALUE_SETS["keda"]) < alerts(WATCHED)


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
