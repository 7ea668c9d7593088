"""The JSON is what the code makes, Grafana's schema takes it, and a person can find their way in it."""

import json
import re
from itertools import combinations, pairwise
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import recording
from dashboards.frame import TAG
from dashboards.generate import RECORDING_RULES, documents

from .documents import DOCUMENTS, FOLDER, panels, targets, variables
from .promql import selectors

WIDTH = 24
SENTENCES = 40
"""Characters of the shortest text that can say what a panel means."""
WINDOWS = re.compile(r"\[([^\]]+)\]")
RATES = re.compile(r"\brate\([^\[]*\[([^\]]+)\]")
COUNTERS = ("_total", "_bucket", "_sum", "_count")
every_document = pytest.mark.parametrize("document", sorted(DOCUMENTS))


def test_the_files_are_what_the_code_makes():
    assert {path.name: path.read_text() for path in FOLDER.iterdir()} == documents(), "run make dashboards"
    assert RECORDING_RULES.read_text() == recording.text(), "run make dashboards"


@every_document
def test_grafanas_schema_takes_it_whole(document):
    """What the SDK reads, and writes again, is the same: no member that it does not know, no value of another kind."""
    plain = DOCUMENTS[document]
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(plain)))
    assert again == plain


@every_document
def test_panels_fill_the_grid_and_do_not_overlap(document):
    places = [panel["gridPos"] for panel in DOCUMENTS[document]["panels"]]
    assert not [(one, other) for one, other in combinations(places, 2) if overlap(one, other)]
    assert all(place["x"] + place["w"] <= WIDTH for place in places)
    widths: dict[int, int] = {}
    for place in places:
        widths[place["y"]] = widths.get(place["y"], 0) + place["w"]
    assert set(widths.values()) == {WIDTH}


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in (("x", "w"), ("y", "h"))
    )


@every_document
def test_every_panel_says_what_it_is(document):
    for panel in panels(document):
        title = panel["title"]
        assert title, panel
        assert len(panel["description"]) >= SENTENCES, f"{title}: what does it mean, and what is to be done?"
        assert panel["fieldConfig"]["defaults"]["unit"], title
        assert panel["fieldConfig"]["defaults"]["noValue"], title
        assert panel["targets"], title


@every_document
def test_titles_are_not_used_twice(document):
    titles = [panel["title"] for panel in panels(document)]
    assert sorted(titles) == sorted(set(titles))


@every_document
def test_every_query_goes_to_the_chosen_data_source(document):
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert variables(document)["datasource"]["query"] == "prometheus"
    asking = [*panels(document), *(target for panel in panels(document) for target in panel["targets"])]
    asking += [variable for variable in variables(document).values() if variable["type"] == "query"]
    assert all(one["datasource"] == chosen for one in asking)


@every_document
def test_letters_of_queries_are_not_used_twice(document):
    for panel in panels(document):
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == sorted(set(letters)), panel["title"]


def test_identifiers_are_unique():
    assert len({document["uid"] for document in DOCUMENTS.values()}) == len(DOCUMENTS)
    assert len({document["title"] for document in DOCUMENTS.values()}) == len(DOCUMENTS)
    for document in DOCUMENTS.values():
        numbers = [panel["id"] for panel in document["panels"]]
        assert numbers == list(range(1, len(numbers) + 1))


def test_links_lead_somewhere_and_keep_what_was_chosen():
    for name, document in DOCUMENTS.items():
        assert document["tags"] == [TAG]
        (link,) = document["links"]
        assert (link["type"], link["tags"], link["includeVars"], link["keepTime"]) == ("dashboards", [TAG], True, True)
        for panel in panels(name):
            for link in panel["fieldConfig"]["defaults"].get("links", []):
                _leads(link, panel)


def _leads(link: dict[str, Any], panel: dict[str, Any]) -> None:
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
                assert all(re.search(rf"\b{label}\b", one["expr"]) for one in panel["targets"][-1:]), (
                    panel["title"],
                    label,
                )
            assert {one["matcher"]["options"] for one in panel["fieldConfig"]["overrides"]} <= set(names.values())


@every_document
def test_thresholds_go_up(document):
    for panel in panels(document):
        steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
        assert [step["value"] for step in steps[:1]] in ([], [None])
        assert all(low["value"] < high["value"] for low, high in pairwise(steps[1:]))


@every_document
def test_rates_use_grafanas_window(document):
    """``$__rate_interval`` has four scrapes in it, whatever the time range; increases are over a time that is named."""
    for target in targets(document):
        assert set(WINDOWS.findall(target.expression)) <= {"$__rate_interval", "$__range", "1h", "1d"}, target
        assert set(RATES.findall(target.expression)) <= {"$__rate_interval"}, target


@every_document
def test_counters_are_never_shown_raw(document):
    for target in targets(document):
        counters = [one for one in selectors(target.expression) if one.name.endswith(COUNTERS)]
        assert {one.function for one in counters} <= {"rate", "increase", "last_over_time"}, target


@every_document
def test_every_metric_is_asked_of_the_chosen_hosts_alone(document):
    for target in targets(document):
        assert all("instance" in one.matched for one in selectors(target.expression)), target


@every_document
def test_every_variable_is_used(document):
    text = json.dumps([DOCUMENTS[document]["panels"], [one.get("query") for one in variables(document).values()]])
    assert not [name for name in variables(document) if not re.search(rf"\$(\{{)?{name}\b", text)]
