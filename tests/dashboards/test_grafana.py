"""What users see: Grafana's own code puts answers of a real Prometheus into cells, legends and numbers of panels.

`make dashboards-check` installs that code (@grafana/data) and runs these tests.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.dashboard_files import DOCUMENTS, Viewer, panels
from tests.support.panel_answers import panel_answers

from .conftest import Scene

pytestmark = pytest.mark.grafana
HERE = Path(__file__).parent / "grafana"
LONGEST_CELL = 40
IDENTIFIERS = {"Port": {"9092", "9093", "9094"}, "Process id": {"815", "4711"}, "Broker": {"1"}}
"""Of the constant series, by heading. A unit would change them."""
EMPTY, TRANSPARENT = "-", "#00000000"
every_document = pytest.mark.parametrize("document", sorted(DOCUMENTS))


@pytest.fixture(scope="module")
def shown(scene: Scene) -> dict[str, dict[str, dict[str, Any]]]:
    """What each panel shows of the host with constant rates, by dashboard and title."""
    viewer = Viewer({"instance": (scene.constant,)})
    return {document: of_document(scene, document, viewer) for document in DOCUMENTS}


def of_document(scene: Scene, document: str, viewer: Viewer) -> dict[str, dict[str, Any]]:
    asked = panel_answers(scene.prometheus, document, viewer, scene.times.end)
    program = ["node", HERE / "display.cjs"]
    done = subprocess.run(program, input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return {one["panel"]["title"]: seen for one, seen in zip(asked, json.loads(done.stdout), strict=True)}


def tables(seen: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The tables with rows by the titles of their panels."""
    return {title: panel["table"][0] for title, panel in seen.items() if panel.get("table")}


@every_document
def test_identifiers_are_shown_as_they_are(shown, document: str):
    for title, table in tables(shown[document]).items():
        for heading, known in IDENTIFIERS.items():
            if heading in table["headings"]:
                column = table["headings"].index(heading)
                texts = {row[column]["text"] for row in table["rows"]} - {EMPTY}
                assert texts <= known, (title, heading)


@every_document
def test_cells_and_headings_are_for_readers(shown, document: str):
    for title, table in tables(shown[document]).items():
        assert [name for name in table["headings"] if name == "Time" or name.startswith("Value")] == [], title
        texts = [cell["text"] for row in table["rows"] for cell in row]
        assert texts, title
        assert [text for text in texts if not text or text.startswith("No data") or len(text) > LONGEST_CELL] == [], (
            title
        )


@every_document
def test_no_text_has_two_spaces_or_punctuation_of_something_absent(shown, document: str):
    """HTML shows several spaces between words as one; between a number and its unit Grafana shows both."""
    for title, panel in shown[document].items():
        numbers = [value["text"] for value in panel.get("values", [])]
        numbers += [text for line in panel.get("lines", []) if "numbers" in line for text in line["numbers"].values()]
        assert [text for text in numbers if "  " in text] == [], title
        names = [line["name"] for line in panel.get("lines", []) if "numbers" in line]
        assert [name for name in names if re.search(r"\s[,:]|[,:]$|^[,:]|\bbroker\s*$", name)] == [], title


@every_document
def test_legends_are_sorted_by_a_number_that_they_show(shown, document: str):
    of_document = {panel["title"]: panel for panel in panels(document)}
    for title, panel in shown[document].items():
        if of_document[title]["type"] == "timeseries":
            column = of_document[title]["options"]["legend"]["sortBy"]
            assert [line for line in panel["lines"] if column not in line["numbers"]] == [], title


def test_what_is_1_or_0_is_shown_in_words(shown):
    probes = tables(shown["host"])["Probes"]
    assert {row[probes["headings"].index("Attached")]["text"] for row in probes["rows"]} == {"yes", "no"}
    assert [value["text"] for value in shown["host"]["Collectors succeed"]["values"]] == ["yes"]


def test_bars_begin_with_the_largest(shown):
    texts = [value["text"] for value in shown["host"]["Hops, now"]["values"]]
    numbers = [float(text.removesuffix(" MiB/s")) for text in texts]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) > 1


def test_a_listener_that_encrypts_or_hardly_sends_is_not_in_red(shown):
    table = tables(shown["kafka"])["Listeners"]
    rows = {
        row[table["headings"].index("Port")]["text"]: dict(zip(table["headings"], row, strict=True))
        for row in table["rows"]
    }
    assert rows["9093"]["Zero copy"] == {"text": EMPTY, "color": TRANSPARENT}
    assert rows["9094"]["Zero copy"] == rows["9093"]["Zero copy"]
    assert re.fullmatch(r"\d+(\.\d+)?%", rows["9092"]["Zero copy"]["text"])
    assert re.fullmatch(r"[\d.]+ MiB/s", rows["9093"]["Sent"]["text"])
    reasons = tables(shown["kafka"])["Why zero copy is lost"]
    assert [row[reasons["headings"].index("Reason")]["text"] for row in reasons["rows"]] == ["tls (expected)"]


def test_the_largest_line_is_first_and_its_unit_is_right(shown):
    lines = shown["process"]["CPU time"]["lines"]
    means = [float(line["numbers"]["Mean"].removesuffix(" cores")) for line in lines]
    assert means == sorted(means, reverse=True)
    assert len(means) > 1
