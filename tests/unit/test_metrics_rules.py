"""Prometheus' configuration, by its own checker; every alert tested, and answered by the runbook."""

import re

import pytest
from promtool import PROMETHEUS, promtool

from shared.service.settings import PROJECT_ROOT

ALERT_TESTS = PROJECT_ROOT / "tests" / "prometheus" / "alerts.yml"
ALERTS = re.findall(r"- alert: (\w+)", (PROMETHEUS / "alerts.yml").read_text())
RULE_FILES = (PROMETHEUS / "rules.yml", PROMETHEUS / "alerts.yml")


def test_the_configuration_is_valid() -> None:
    promtool("check", "config", PROMETHEUS / "prometheus.yml")


def test_the_rules_are_valid() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)


def test_alerts_fire_when_they_should_and_only_then() -> None:
    promtool("test", "rules", ALERT_TESTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tested_and_says_what_to_do(alert: str) -> None:
    tests = ALERT_TESTS.read_text().split("- name: ")
    assert any(f"alertname: {alert}\n" in test and "exp_alerts" in test for test in tests)
    text = (PROMETHEUS / "alerts.yml").read_text()
    [rule] = [part for part in text.split("- alert: ") if part.startswith(f"{alert}\n")]
    assert f"runbook: docs/runbook.md#{alert.lower()}\n" in rule
    entry = (PROJECT_ROOT / "docs" / "runbook.md").read_text().split(f"\n## {alert}\n")
    assert len(entry) == 2, "one entry"
    for part in ("**Means**", "**Look**", "**Do**"):
        assert part in entry[1].split("\n## ")[0]


def test_the_runbook_knows_no_alert_that_is_not_there() -> None:
    known = re.findall(r"^## (Afterimage\w+)$", (PROJECT_ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    assert known == ALERTS
