"""The shipped rules: valid, each alert tested where it fires and where it must not, each with its runbook."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from exporter.loading import probes
from exporter.metrics.catalog import FAMILIES
from tests.support.paths import ROOT
from tests.support.promql import aggregated, selectors
from tests.support.rule_files import (
    ALERTS,
    CASES,
    RECORDING,
    RULE_FILES,
    RULES,
    RUNBOOKS,
    alert_names,
    promtool,
    recorded,
    rules,
    runbooks,
)

SEVERITIES = {"info", "warning"}
RECORDING_CASES = RULES / "tests" / "recording.test.yml"
PORTABLE = {
    "else",
    "end",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "print",
    "query",
    "range",
}
PORTABLE |= {"reReplaceAll", "with"}
"""Words of templates that Prometheus, vmalert and Nightingale have in common, and understand alike."""
_ACTION = re.compile(r"{{-?(.*?)-?}}")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`')
_WORD = re.compile(r"(?<![.$\w])[A-Za-z]\w*")
ON_EVERY_KERNEL = {probe.name for probe in probes.PROBES if probe.by_default and not probe.since}
"""Probes that are on by default and that every supported kernel can attach."""


def alert_cases() -> Iterator[dict[str, Any]]:
    for path in CASES:
        for test in yaml.safe_load(path.read_text())["tests"]:
            yield from test.get("alert_rule_test", [])


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.stem)
def test_promtool_accepts_the_rules(path):
    assert f"{len(rules(path))} rules found" in promtool("check", "rules", "--lint=all", "--lint-fatal", path)


def test_no_other_rule_files_are_shipped():
    assert set(RULES.glob("*.y*ml")) == set(RULE_FILES)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem.removesuffix(".test"))
def test_promtool_passes_the_cases(path):
    assert "SUCCESS" in promtool("test", "rules", path)


@pytest.mark.parametrize("name", alert_names())
def test_each_alert_has_cases_that_fire_and_cases_that_stay_silent(name):
    assert {bool(case["exp_alerts"]) for case in alert_cases() if case["alertname"] == name} == {True, False}


@pytest.mark.parametrize("name", sorted(recorded()))
def test_each_recorded_series_has_a_case(name):
    tests = yaml.safe_load(RECORDING_CASES.read_text())["tests"]
    asked = [case["expr"] for test in tests for case in test["promql_expr_test"] if case["exp_samples"]]
    assert name in {selector.name for expression in asked for selector in selectors(expression)}


@pytest.mark.parametrize("rule", rules(ALERTS), ids=lambda rule: rule.name)
def test_each_alert_is_complete(rule):
    content = rule.content
    assert content["labels"]["severity"] in SEVERITIES
    assert re.fullmatch(r"\d+m", content["for"])
    assert set(content["annotations"]) == {"summary", "description", "runbook_url"}
    assert "$labels.instance" in content["annotations"]["summary"]
    assert "Next: " in content["annotations"]["description"]
    assert (ROOT / content["annotations"]["runbook_url"]) == RUNBOOKS / f"{rule.runbook}.md"


def test_each_alert_has_its_runbook_and_cases_and_no_runbook_is_left():
    assert {path.stem for path in RUNBOOKS.glob("*")} == set(runbooks())
    assert {RULES / "tests" / f"{name}.test.yml" for name in runbooks()} == set(CASES) - {RECORDING_CASES}


def test_names_are_unique():
    """An engine that stores rules by name, such as Nightingale, would keep one of several."""
    for names in (alert_names(), [rule.name for rule in rules(RECORDING)]):
        assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("rule", rules(ALERTS), ids=lambda rule: rule.name)
def test_templates_use_what_every_engine_has(rule):
    """Nightingale's ``printf`` takes one value, and its functions of numbers take strings."""
    actions = [action for text in rule.content["annotations"].values() for action in _ACTION.findall(text)]
    words = {word for action in actions for word in _WORD.findall(_STRING.sub("", action))}
    assert words <= PORTABLE
    assert [action for action in actions if re.search(r"(?<!print )\.Value", action)] == []


@pytest.mark.parametrize("rule", rules(ALERTS), ids=lambda rule: rule.name)
def test_an_alert_aggregates_recorded_series_only(rule):
    """Lists of a family's labels are in the recording rules, where they are generated."""
    for family in FAMILIES:
        for label in family.labels:
            assert family.name not in {selector.name for selector in aggregated(rule.expression, label)}


def test_the_probes_whose_absence_raises_an_alert_are_those_that_every_kernel_supports():
    (rule,) = [rule for rule in rules(ALERTS) if rule.name == "ExporterBlindProbeNotAttached"]
    (selector,) = selectors(rule.expression)
    named = selector.matchers["probe"].removeprefix('=~"').removesuffix('"')
    assert set(named.split("|")) == ON_EVERY_KERNEL
