"""What dashboards and rules ask for exists, and what the exporter has is shown."""

import re

import yaml

from dashboards.fleet import ALERTS
from dashboards.health import PROCESS_METRICS
from exporter.metrics.catalog import FAMILIES

from .documents import DOCUMENTS, RULES, targets, variables
from .promql import labels, selectors

OF_TARGETS = {"instance", "job"}
HISTOGRAM = ("_bucket", "_sum", "_count")
OF_PROMETHEUS = {"up": OF_TARGETS, "ALERTS": {"alertname", "alertstate", "severity", "instance", "name", "port"}}
NOT_SHOWN: dict[str, str] = {}
"""Metrics that are deliberately on no panel, and why."""
PANEL_METRICS = {
    **OF_PROMETHEUS,
    **dict.fromkeys(PROCESS_METRICS, OF_TARGETS),
    **{metric.name: OF_TARGETS | set(metric.labels) for metric in FAMILIES if metric.type != "histogram"},
    **{
        f"{metric.name}{end}": OF_TARGETS | set(metric.labels) | {"le"}
        for metric in FAMILIES
        if metric.type == "histogram"
        for end in HISTOGRAM
    },
}
"""Names that an expression may have, and the labels that it may choose by."""


def rules() -> list[dict[str, str]]:
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


RECORDED = {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}


def base(name: str) -> str:
    return next((name.removesuffix(end) for end in HISTOGRAM if name.endswith(end)), name)


def shown(names: set[str]) -> set[str]:
    """Metrics behind these names, those behind recorded ones too."""
    recorded = names & set(RECORDED)
    behind = {one.name for name in recorded for one in selectors(RECORDED[name])}
    return names | (shown(behind) if behind else set())


EXPRESSIONS = {**{str(target): target.expression for target in targets()}, **RECORDED}


def test_metrics_exist_with_the_labels_that_they_are_chosen_by():
    for name, expression in EXPRESSIONS.items():
        for one in selectors(expression):
            assert one.name in PANEL_METRICS or one.name in RECORDED, f"{name}: no metric {one.name}"
            assert one.matched <= PANEL_METRICS.get(one.name, one.matched), f"{name}: {one}"


def test_labels_that_expressions_group_by_exist():
    known = {label for labels_of_one in PANEL_METRICS.values() for label in labels_of_one} | {"mechanism", "direction"}
    assert not [(name, labels(text) - known) for name, text in EXPRESSIONS.items() if labels(text) - known]


def test_every_metric_is_on_a_panel_or_left_out_on_purpose():
    named = {one.name for target in targets() for one in selectors(target.expression)}
    on_panels = {base(name) for name in shown(named)}
    assert {metric.name for metric in FAMILIES} - on_panels == set(NOT_SHOWN)


def test_variables_ask_for_what_exists():
    for document in DOCUMENTS:
        for variable in variables(document).values():
            if variable["type"] == "query":
                found = re.fullmatch(r"label_values\((?P<series>.+), (?P<label>\w+)\)", variable["query"]["query"])
                assert found, variable
                series, label = found["series"], found["label"]
                names = _matching(series)
                assert names, series
                assert all(label in PANEL_METRICS[name] for name in names)


def _matching(series: str) -> list[str]:
    by_pattern = re.search(r'__name__=~"([^"]+)"', series)
    if by_pattern:
        return [name for name in PANEL_METRICS if re.fullmatch(by_pattern[1], name)]
    return [series.split("{", maxsplit=1)[0]]


def test_the_fleet_lists_every_alert():
    assert set(ALERTS) == {rule["alert"] for rule in rules() if "alert" in rule}
