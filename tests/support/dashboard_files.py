"""The dashboards as they are shipped: panels, queries, variables; and queries as Grafana sends them to Prometheus."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.paths import ROOT

FOLDER = ROOT / "dashboards" / "grafana"
DOCUMENTS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
LISTED = ".+"
"""Stands for "All" of a variable whose "All" is the list of its values: all of them exist here."""
_ESCAPED = re.compile(r"[\\^$*+?.()|\[\]{}]")


@dataclass(frozen=True)
class Target:
    """One query of a panel."""

    document: str
    panel: str
    letter: str
    expression: str
    instant: bool

    def __str__(self) -> str:
        return f"{self.document}: {self.panel} ({self.letter})"


def panels(document: str) -> Iterator[dict[str, Any]]:
    """All panels but the titles of rows."""
    return (panel for panel in DOCUMENTS[document]["panels"] if panel["type"] != "row")


def targets(*documents: str) -> list[Target]:
    """The queries of these dashboards; without arguments, of all."""
    return [
        Target(document, panel["title"], target["refId"], target["expr"], bool(target.get("instant")))
        for document in documents or sorted(DOCUMENTS)
        for panel in panels(document)
        for target in panel["targets"]
    ]


def variables(document: str) -> dict[str, dict[str, Any]]:
    """The variables by name."""
    return {variable["name"]: variable for variable in DOCUMENTS[document]["templating"]["list"]}


@dataclass(frozen=True)
class Viewer:
    """A user's choices, by which Grafana fills in the variables of a query."""

    chosen: Mapping[str, tuple[str, ...]]
    """Values by variable; the others are set to all."""
    scrape_seconds: int = 3
    """The scrape interval of the data source: longer than the real one, because a busy machine misses scrapes."""
    step_seconds: int = 1
    range_seconds: int = 60
    window: str = ""
    """The window of rates; if empty, the one that Grafana would use."""

    def query(self, expression: str, document: str) -> str:
        """The expression that Prometheus receives."""
        for name, value in self._windows().items():
            expression = re.sub(rf"\${name}\b", value, expression)
        for name, variable in variables(document).items():
            if variable["type"] == "query":
                value = self._matcher(name, variable.get("allValue", LISTED))
                expression = re.sub(rf"\${name}\b", lambda _, value=value: value, expression)  # type: ignore[misc]
        assert not re.search(r"\$(?!\d)", expression), expression
        return expression

    def _windows(self) -> dict[str, str]:
        rate = max(self.step_seconds + self.scrape_seconds, 4 * self.scrape_seconds)
        return {
            "__rate_interval": self.window or f"{rate}s",
            "__interval": f"{self.step_seconds}s",
            "__range": f"{self.range_seconds}s",
        }

    def _matcher(self, name: str, everything: str) -> str:
        values = [_ESCAPED.sub(r"\\\\\g<0>", value) for value in self.chosen.get(name, ())]
        if not values:
            return everything
        return values[0] if len(values) == 1 else f"({'|'.join(values)})"
