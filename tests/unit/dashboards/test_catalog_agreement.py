"""Queries ask for metrics and labels that exist, and every metric is shown."""

import re

from dashboards.frame import ALERTS
from dashboards.health import PROCESS_METRICS
from exporter.metrics.catalog import FAMILIES
from tests.support.dashboard_files import DOCUMENTS, targets, variables
from tests.support.promql import labels, selectors
from tests.support.rule_files import alert_names, recorded
from tests.support.shipped_queries import selectors_behind, shipped_queries

TARGET_LABELS = {"instance", "job", "cluster"}
HISTOGRAM_SUFFIXES = ("_bucket", "_sum", "_count")
OF_PROMETHEUS = {
    "up": TARGET_LABELS,
    "ALERTS": TARGET_LABELS | {"alertname", "alertstate", "severity", "name", "port"},
    "process_start_time_seconds": TARGET_LABELS,
}


def labels_by_series() -> dict[str, set[str]]:
    """The labels of each series that a query may select; those of recorded series are in the rules."""
    found = {**OF_PROMETHEUS, **dict.fromkeys(PROCESS_METRICS, TARGET_LABELS)}
    for family in FAMILIES:
        known = TARGET_LABELS | set(family.labels)
        if family.type == "histogram":
            found |= dict.fromkeys((family.name + suffix for suffix in HISTOGRAM_SUFFIXES), known | {"le"})
        else:
            found[family.name] = known
    return found


LABELS = labels_by_series()


def test_metrics_exist_with_the_labels_that_select_them():
    for name, expression in shipped_queries().items():
        for selector in selectors(expression):
            assert selector.name in LABELS or selector.name in recorded(), f"{name}: no metric {selector.name}"
            assert set(selector.matchers) <= LABELS.get(selector.name, set(selector.matchers)), f"{name}: {selector}"


def test_labels_that_queries_group_by_exist():
    known = set().union(*LABELS.values())
    unknown = {name: labels(text) - known for name, text in shipped_queries().items()}
    assert {name: found for name, found in unknown.items() if found} == {}


def test_every_metric_is_on_a_panel():
    shown = {selector.base_name for target in targets() for selector in selectors_behind(target.expression)}
    assert {family.name for family in FAMILIES} - shown == set()


def test_variables_ask_for_labels_that_exist():
    asked = [
        variable for document in DOCUMENTS for variable in variables(document).values() if variable["type"] == "query"
    ]
    assert asked
    for variable in asked:
        found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
        assert found, variable
        for name in names(found[1]):
            assert name in recorded() or found[2] in LABELS[name]


def names(selector: str) -> list[str]:
    """The metrics that a selector selects, by its name or by a matcher of names."""
    alternatives = re.search(r'__name__=~"([^"]+)"', selector)
    return alternatives[1].split("|") if alternatives else [found.name for found in selectors(selector)]


def test_the_annotations_name_every_alert():
    assert list(ALERTS) == alert_names()
