"""The recording rules: what is generated, and that a new label of a family changes no recorded series."""

import re

import pytest

from dashboards import promql, recording
from dashboards.generate import RECORDING_RULES
from tests.support.promql import aggregated, selectors
from tests.support.rule_files import recorded


def test_the_file_is_what_the_code_generates():
    assert RECORDING_RULES.read_text() == recording.text(), "run make dashboards"
    assert list(recorded()) == [rule.name for rule in recording.rules()]


@pytest.mark.parametrize("rule", recording.rules(), ids=lambda rule: rule.name)
def test_a_recorded_series_is_named_by_level_metric_and_operations(rule: recording.Rule):
    level, metric, operations = rule.name.split(":")
    assert metric.startswith("copy_")
    assert re.fullmatch(r"(ratio_|p50_|p99_)?rate(5m|1h)|info", operations)
    assert set(recording.LEVELS[level]) <= set(rule.value.labels)
    assert set(rule.value.labels) <= set(recording.LEVELS[level]) | recording.EXTRA_LABELS


def test_a_new_label_of_every_family_is_aggregated_away(monkeypatch: pytest.MonkeyPatch):
    before = {rule.name: rule.value.labels for rule in recording.rules()}
    for name, labels in promql.LABELS.items():
        monkeypatch.setitem(promql.LABELS, name, (*labels, "tier"))
    assert {rule.name: rule.value.labels for rule in recording.rules()} == before
    for rule in recording.rules():
        families = [selector for selector in selectors(rule.value.expression) if selector.name in promql.LABELS]
        assert aggregated(rule.value.expression, "tier") == families, rule.name
