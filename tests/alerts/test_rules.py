"""The shipped rules: valid, each alert tested where it fires and where it must not, each with its runbook."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from exporter.loading import probes
from exporter.metrics import catalog

from .rulefiles import (
    ALERTS,
    CASES,
    RECORDING,
    ROOT,
    RULES,
    RUNBOOKS,
    alert_names,
    metrics_in,
    promtool,
    queries,
    recorded_names,
    rules,
    unknown_labels,
)

SEVERITIES = {"info", "warning"}
LEVELS = {"host", "host_hop", "host_port", "process", "process_port", "topic", "device"}
ON_EVERY_KERNEL = {probe.name for probe in probes.PROBES if probe.by_default and not probe.since}
"""Probes that are on by default and that every supported kernel can attach."""


def alert_tests() -> Iterator[dict[str, Any]]:
    for path in CASES:
        for test in yaml.safe_load(path.read_text())["tests"]:
            yield from test.get("alert_rule_test", [])


@pytest.mark.parametrize("path", [RECORDING, ALERTS], ids=lambda path: path.stem)
def test_promtool_accepts_the_rules(path):
    assert f"{len(rules(path))} rules found" in promtool("check", "rules", path)


def test_no_other_rule_files_are_shipped():
    assert set(RULES.glob("*.y*ml")) == {RECORDING, ALERTS}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem.removesuffix(".test"))
def test_promtool_passes_the_cases(path):
    assert "SUCCESS" in promtool("test", "rules", path)


@pytest.mark.parametrize("name", alert_names())
def test_each_alert_has_cases_that_fire_and_cases_that_stay_silent(name):
    assert RULES / "tests" / f"{name}.test.yml" in CASES
    assert {bool(case["exp_alerts"]) for case in alert_tests() if case["alertname"] == name} == {True, False}


def test_every_rule_of_an_alert_fires_in_some_case():
    reasons = {rule.text["labels"].get("reason") for rule in rules(ALERTS) if rule.name == "ExporterBlind"}
    fired = [alert["exp_labels"] for case in alert_tests() for alert in case["exp_alerts"]]
    assert {labels.get("reason") for labels in fired if "reason" in labels} == reasons


@pytest.mark.parametrize("name", sorted(recorded_names()))
def test_each_recorded_series_has_a_case(name):
    tests = yaml.safe_load((RULES / "tests" / "recording.test.yml").read_text())["tests"]
    asked = [case["expr"] for test in tests for case in test["promql_expr_test"] if case["exp_samples"]]
    assert any(name in metrics_in(expression) for expression in asked)


def test_recorded_series_are_named_by_level_metric_and_operations():
    for rule in rules(RECORDING):
        level, metric, operations = rule.name.split(":")
        assert level in LEVELS, rule.name
        assert metric.startswith("copy_"), rule.name
        assert re.fullmatch(r"((ratio_|p50_|p99_)?rate(5m|1h)|info)", operations), rule.name


@pytest.mark.parametrize("rule", rules(ALERTS), ids=lambda rule: rule.text["labels"].get("reason", rule.name))
def test_each_alert_says_what_it_has_to(rule):
    assert rule.text["labels"]["severity"] in SEVERITIES
    assert re.fullmatch(r"\d+m", rule.text["for"])
    assert set(rule.text["annotations"]) == {"summary", "description", "runbook_url"}
    assert "$labels.instance" in rule.text["annotations"]["summary"]
    assert "Next: " in rule.text["annotations"]["description"]
    assert (ROOT / rule.text["annotations"]["runbook_url"]) == RUNBOOKS / f"{rule.name}.md"


def test_each_alert_has_its_runbook_and_each_runbook_its_alert():
    assert {path.stem for path in RUNBOOKS.glob("*")} == set(alert_names())


def texts() -> dict[str, str]:
    """All PromQL that is shipped here, by where it stands."""
    of_rules = {f"{path.name}: {rule.name}": rule.all_text for path in (RECORDING, ALERTS) for rule in rules(path)}
    return of_rules | {f"{name}.md": "\n".join(queries(name)) for name in alert_names()}


def test_every_metric_that_is_named_is_of_the_contract_or_recorded():
    known = {metric.name for metric in catalog.FAMILIES} | recorded_names()
    unknown = {where: sorted(metrics_in(text) - known) for where, text in texts().items()}
    assert {where: names for where, names in unknown.items() if names} == {}


def test_every_label_that_is_asked_for_is_of_the_contract():
    assert [f"{where}: {problem}" for where, text in texts().items() for problem in unknown_labels(text)] == []


def test_the_probes_whose_absence_alarms_are_those_that_every_kernel_has():
    (rule,) = [rule for rule in rules(ALERTS) if rule.text["labels"].get("reason") == "probe_not_attached"]
    (named,) = re.findall(r'probe=~"([^"]+)"', rule.text["expr"])
    assert set(named.split("|")) == ON_EVERY_KERNEL
