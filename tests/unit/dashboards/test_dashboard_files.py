"""The JSON is what the code generates, matches Grafana's schema, and is complete and consistent for its readers."""

import json
import re
from itertools import combinations, pairwise
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.frame import TAG
from dashboards.generate import documents
from tests.support.dashboard_files import DOCUMENTS, FOLDER, panels, targets, variables
from tests.support.promql import selectors

WIDTH = 24
MIN_DESCRIPTION = 40
"""Characters of the shortest text that can describe a panel."""
WINDOWS = re.compile(r"\[([^\]]+)\]")
RATES = re.compile(r"\brate\([^\[]*\[([^\]]+)\]")
COUNTERS = ("_total", "_bucket", "_sum", "_count")
every_document = pytest.mark.parametrize("document", sorted(DOCUMENTS))


def test_the_files_are_what_the_code_generates():
    assert {path.name: path.read_text() for path in FOLDER.iterdir()} == documents(), "run make dashboards"


@every_document
def test_it_matches_grafanas_schema(document):
    """The SDK reads and writes it without a change: it has no unknown member, and no value of the wrong type."""
    plain = DOCUMENTS[document]
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(plain)))
    assert again == plain


@every_document
def test_panels_fill_the_grid_and_do_not_overlap(document):
    places = [panel["gridPos"] for panel in DOCUMENTS[document]["panels"]]
    assert [(first, second) for first, second in combinations(places, 2) if overlap(first, second)] == []
    assert max(place["x"] + place["w"] for place in places) == WIDTH
    widths: dict[int, int] = {}
    for place in places:
        widths[place["y"]] = widths.get(place["y"], 0) + place["w"]
    assert set(widths.values()) == {WIDTH}


def overlap(first: dict[str, int], second: dict[str, int]) -> bool:
    return all(
        first[start] < second[start] + second[size] and second[start] < first[start] + first[size]
        for start, size in (("x", "w"), ("y", "h"))
    )


@every_document
def test_every_panel_is_described(document):
    for panel in panels(document):
        title = panel["title"]
        assert title, panel
        assert len(panel["description"]) >= MIN_DESCRIPTION, f"{title}: describe what it means and what to do"
        assert panel["fieldConfig"]["defaults"]["unit"], title
        assert panel["fieldConfig"]["defaults"]["noValue"], title
        assert panel["targets"], title


@every_document
def test_titles_are_unique(document):
    titles = [panel["title"] for panel in panels(document)]
    assert sorted(titles) == sorted(set(titles))


@every_document
def test_every_query_goes_to_the_chosen_data_source(document):
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert variables(document)["datasource"]["query"] == "prometheus"
    asking = [*panels(document), *(target for panel in panels(document) for target in panel["targets"])]
    asking += [variable for variable in variables(document).values() if variable["type"] == "query"]
    assert [element for element in asking if element["datasource"] != chosen] == []


@every_document
def test_letters_of_queries_are_unique(document):
    for panel in panels(document):
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == sorted(set(letters)), panel["title"]


def test_identifiers_are_unique():
    assert len({document["uid"] for document in DOCUMENTS.values()}) == len(DOCUMENTS)
    assert len({document["title"] for document in DOCUMENTS.values()}) == len(DOCUMENTS)
    for document in DOCUMENTS.values():
        numbers = [panel["id"] for panel in document["panels"]]
        assert numbers == list(range(1, len(numbers) + 1))


def test_links_have_a_target_and_keep_the_choices():
    for name, document in DOCUMENTS.items():
        assert document["tags"] == [TAG]
        (link,) = document["links"]
        assert (link["type"], link["tags"], link["includeVars"], link["keepTime"]) == ("dashboards", [TAG], True, True)
        for panel in panels(name):
            for link in links_of(panel):
                if link["title"] == "Runbook":
                    check_runbook_link(link, panel)
                else:
                    check_link(link, panel)


def links_of(panel: dict[str, Any]) -> list[dict[str, Any]]:
    """Links of the panel's lines, and of columns."""
    properties = [item for override in panel["fieldConfig"]["overrides"] for item in override["properties"]]
    of_columns = [link for item in properties if item["id"] == "links" for link in item["value"]]
    return [*panel["fieldConfig"]["defaults"].get("links", []), *of_columns]


def check_runbook_link(link: dict[str, Any], panel: dict[str, Any]) -> None:
    """The column has the name of the runbook's page."""
    assert link["url"] == '${runbooks:raw}/${__data.fields["Runbook"]:percentencode}.md'
    assert "Runbook" in panel["transformations"][1]["options"]["renameByName"].values()


def check_link(link: dict[str, Any], panel: dict[str, Any]) -> None:
    by_uid = {document["uid"]: name for name, document in DOCUMENTS.items()}
    uid = re.fullmatch(r"/d/([\w-]+)\?(.+)", link["url"])
    assert uid, link
    assert uid[1] in by_uid, link
    assert {"${__url_time_range}", "${datasource:queryparam}"} <= set(uid[2].split("&"))
    assert set(re.findall(r"var-(\w+)=", uid[2])) <= set(variables(by_uid[uid[1]]))
    queries = " ".join(target["expr"] for target in panel["targets"])
    for label in re.findall(r"__field\.labels\.(\w+)", uid[2]):
        assert re.search(rf"\b{label}\b", queries), f"{panel['title']}: no label {label}"
    for column in re.findall(r'__data\.fields\["([^"]+)"\]', uid[2]):
        headings = panel["transformations"][1]["options"]["renameByName"].values()
        assert column in headings, f"{panel['title']}: no column {column}"


@every_document
def test_columns_of_tables_are_labels_of_their_queries(document):
    for panel in panels(document):
        if panel["type"] == "table":
            names = panel["transformations"][1]["options"]["renameByName"]
            for label in (name for name in names if not name.startswith("Value")):
                last = panel["targets"][-1]["expr"]
                assert re.search(rf"\b{label}\b", last), f"{panel['title']}: no label {label}"
            named = [item["matcher"] for item in panel["fieldConfig"]["overrides"] if item["matcher"]["id"] == "byName"]
            overridden = {matcher["options"] for matcher in named}
            assert overridden <= set(names.values())


@every_document
def test_thresholds_go_up(document):
    for panel in panels(document):
        steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
        assert [step["value"] for step in steps[:1]] in ([], [None])
        assert [(low, high) for low, high in pairwise(steps[1:]) if low["value"] >= high["value"]] == []


@every_document
def test_rates_use_grafanas_window(document):
    """``$__rate_interval`` is at least four scrapes long; increases are over a named time.

    What stands for a recorded series has the window of its rule.
    """
    for target in targets(document):
        windows = {"$__rate_interval"} | ({"5m"} if "$recorded" in target.expression else set())
        assert set(WINDOWS.findall(target.expression)) <= windows | {"$__range", "1h", "1d"}, target
        assert set(RATES.findall(target.expression)) <= windows, target


@every_document
def test_counters_are_never_shown_raw(document):
    for target in targets(document):
        counters = [selector for selector in selectors(target.expression) if selector.name.endswith(COUNTERS)]
        assert {selector.function for selector in counters} <= {"rate", "increase", "last_over_time", "group"}, target


@every_document
def test_every_query_selects_the_chosen_hosts(document):
    for target in targets(document):
        found = selectors(target.expression)
        assert found, target
        assert [selector for selector in found if "instance" not in selector.matchers] == [], target


@every_document
def test_every_variable_is_used(document):
    text = json.dumps(
        [DOCUMENTS[document]["panels"], [variable.get("query") for variable in variables(document).values()]]
    )
    assert [name for name in variables(document) if not re.search(rf"\$(\{{)?{name}\b", text)] == []
