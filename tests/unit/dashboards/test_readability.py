"""A user can read the panels: units, cells without a value, legends, titles that fit, links and annotations."""

import re
from typing import Any

import pytest

from tests.support.dashboard_files import DOCUMENTS, panels, variables

every_document = pytest.mark.parametrize("document", sorted(DOCUMENTS))
NARROW, NARROW_CHARACTERS = 8, 24
"""Of 24 columns, and what fits into the title of a panel that is a quarter of 800 pixels wide."""
NARROWEST = 6
HALF, HALF_CHARACTERS = 12, 46
"""And what fits into half of 800 pixels."""
LONGEST_CELL = 8
OPTIONAL_LABELS = {"pid", "cluster_id", "node_id", "broker", "listener", "protocol", "partition"}
"""Absent with --process.labels=comm, without --kafka and without --kafka.partitions."""
TARGET_VARIABLES = ["datasource", "job", "cluster", "instance"]
PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


def of_type(document: str, kind: str) -> list[dict[str, Any]]:
    return [panel for panel in panels(document) if panel["type"] == kind]


def overrides(panel: dict[str, Any], matcher: str) -> dict[str, dict[str, Any]]:
    """Properties by what the overrides of this kind match."""
    found: dict[str, dict[str, Any]] = {}
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["id"] == matcher:
            properties = {item["id"]: item["value"] for item in override["properties"]}
            found.setdefault(override["matcher"]["options"], {}).update(properties)
    return found


@every_document
def test_units_of_tables_are_those_of_their_columns(document: str):
    """Labels are text: a port with the unit of a rate would be shown as 9.09 K."""
    for panel in of_type(document, "table"):
        assert panel["fieldConfig"]["defaults"]["unit"] == "string", panel["title"]
        organized = panel["transformations"][1]["options"]
        numbers = {
            heading
            for name, heading in organized["renameByName"].items()
            if name.startswith("Value") and name not in organized["excludeByName"]
        }
        columns = overrides(panel, "byName")
        assert [name for name in numbers if "unit" not in columns.get(name, {})] == [], panel["title"]


@every_document
def test_cells_without_a_value_are_short(document: str):
    for panel in of_type(document, "table"):
        assert len(overrides(panel, "byRegexp")[".*"]["noValue"]) <= LONGEST_CELL, panel["title"]


@every_document
def test_legends_begin_with_the_largest(document: str):
    for panel in of_type(document, "timeseries"):
        legend = panel["options"]["legend"]
        assert (legend.get("sortBy"), legend.get("sortDesc")) == ("Mean", True), panel["title"]


@every_document
def test_legends_of_narrow_panels_have_one_number(document: str):
    """The names beside two numbers have four letters when the window is 800 pixels wide."""
    for panel in of_type(document, "timeseries"):
        if panel["gridPos"]["w"] <= NARROW:
            assert panel["options"]["legend"]["calcs"] == ["mean"], panel["title"]


@every_document
def test_no_unit_adds_a_space(document: str):
    """Grafana itself puts a space between a number and its suffix."""
    units = {panel["fieldConfig"]["defaults"]["unit"] for panel in panels(document)}
    assert [unit for unit in units if re.search(r":\s", unit)] == []


@every_document
def test_titles_and_legends_fit_into_narrow_panels(document: str):
    for panel in panels(document):
        assert panel["gridPos"]["w"] >= NARROWEST, panel["title"]
        if panel["gridPos"]["w"] <= NARROW:
            assert len(panel["title"]) <= NARROW_CHARACTERS, panel["title"]
            words = [PLACEHOLDER.sub("", target["legendFormat"]) for target in panel["targets"]]
            assert [text for text in words if len(text) > NARROW_CHARACTERS] == []


@every_document
def test_titles_of_half_a_row_fit(document: str):
    titles = [panel["title"] for panel in panels(document) if panel["gridPos"]["w"] <= HALF]
    assert [title for title in titles if len(title) > HALF_CHARACTERS] == []


@every_document
def test_legends_read_well_without_optional_labels(document: str):
    for panel in panels(document):
        for target in panel["targets"]:
            legend = PLACEHOLDER.sub(
                lambda found: "" if found[1] in OPTIONAL_LABELS else "x", target.get("legendFormat") or ""
            )
            shown = " ".join(legend.split())
            assert not re.search(r"\s[,:]|[,:]\s*[,:]|[,:]$|^[,:]|\bbroker\b(?! x)", shown), (panel["title"], shown)


@every_document
def test_variables_are_visible_and_choose_the_target(document: str):
    found = variables(document)
    assert list(found)[: len(TARGET_VARIABLES)] == TARGET_VARIABLES
    assert {name: variable.get("hide") for name, variable in found.items()} == dict.fromkeys(found, 0)


def test_the_broker_has_variables_for_what_it_has():
    assert {"broker", "listener", "port", "topic", "partition"} <= set(variables("kafka"))
    assert {"process", "pid"} <= set(variables("process"))


@every_document
def test_restarts_and_alerts_are_annotated(document: str):
    found = {annotation["name"]: annotation for annotation in DOCUMENTS[document]["annotations"]["list"]}
    assert set(found) == {"Exporter starts", "Alerts"}
    assert found["Exporter starts"]["useValueForTime"] is True
    assert "process_start_time_seconds" in found["Exporter starts"]["expr"]
    assert "ALERTS" in found["Alerts"]["expr"]


@every_document
def test_cells_link_to_what_they_name(document: str):
    """A process leads to it, a host to the host, a runbook to that page; numbers are no links."""
    for panel in of_type(document, "table"):
        columns = set(panel["transformations"][1]["options"]["renameByName"].values())
        linked = {
            name: item["links"][0]["title"] for name, item in overrides(panel, "byName").items() if "links" in item
        }
        assert "links" not in panel["fieldConfig"]["defaults"], panel["title"]
        if "Process id" in columns and document != "process":
            assert linked["Process"] == "This process in depth", panel["title"]
        if "Host" in columns and document != "host":
            assert linked["Host"] == "This host", panel["title"]
        if "Runbook" in columns:
            assert linked["Runbook"] == "Runbook"


@every_document
def test_columns_fit_into_their_panel(document: str):
    """At 1,500 pixels. Grafana gives a column at least this width, and scrolls to those that do not fit."""
    for panel in of_type(document, "table"):
        organized = panel["transformations"][1]["options"]
        shown = [name for name in organized["renameByName"] if name not in organized["excludeByName"]]
        width = len(shown) * panel["fieldConfig"]["defaults"]["custom"]["minWidth"]
        assert width <= panel["gridPos"]["w"] * 1500 / 24, panel["title"]
