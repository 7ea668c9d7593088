"""The committed dashboards as their JSON has them: panels, queries, variables, and what Grafana makes of a query."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.paths import ROOT

FOLDER = ROOT / "dashboards" / "grafana"
RULES = sorted((ROOT / "dashboards" / "prometheus").glob("*.rules.yml"))
DOCUMENTS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
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
    """All but the headings."""
    return (panel for panel in DOCUMENTS[document]["panels"] if panel["type"] != "row")


def targets(*documents: str) -> list[Target]:
    """The queries of these dashboards, or of all."""
    return [
        Target(document, panel["title"], target["refId"], target["expr"], bool(target.get("instant")))
        for document in documents or sorted(DOCUMENTS)
        for panel in panels(document)
        for target in panel["targets"]
    ]


def variables(document: str) -> dict[str, dict[str, Any]]:
    """By name."""
    return {variable["name"]: variable for variable in DOCUMENTS[document]["templating"]["list"]}


@dataclass(frozen=True)
class Viewer:
    """What someone has chosen who looks at dashboards: how Grafana fills queries in for them."""

    chosen: Mapping[str, tuple[str, ...]]
    """Values of variables; of the others, all."""
    scrape_seconds: int = 3
    """The scrape interval that the data source is told: longer than it is, as a busy machine misses some."""
    step_seconds: int = 1
    range_seconds: int = 60
    window: str = ""
    """Of rates, in the place of Grafana's."""

    def query(self, expression: str, document: str) -> str:
        """The expression as Prometheus gets it."""
        for name, value in self._windows().items():
            expression = re.sub(rf"\${name}\b", value, expression)
        for name, variable in variables(document).items():
            if variable["type"] == "query":
                value = self._matcher(name, variable["allValue"])
                expression = re.sub(rf"\${name}\b", lambda _, value=value: value, expression)  # type: ignore[misc]
        assert "$" not in expression, expression
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
