"""The rule files that are shipped, and what can be read from them without a Prometheus."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from exporter.metrics import catalog
from tests.support.paths import ROOT

RULES = ROOT / "dashboards" / "prometheus"
RECORDING = RULES / "recording.rules.yml"
ALERTS = RULES / "alerts.rules.yml"
CASES = sorted((RULES / "tests").glob("*.test.yml"))
PAGE = ROOT / "docs" / "alerts.md"
RUNBOOKS = ROOT / "docs" / "runbooks"

_METRIC = re.compile(r"(?<![\w:])(?:[a-z_]+:)?copy_[a-z0-9_]+(?::[a-z0-9_]+)?")
_SELECTOR = re.compile(r"(?<![\w:])(copy_[a-z0-9_]+)\{([^}]*)\}")
_VALUE = re.compile(r'(?<=[=~])"[^"]*"')
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_PROMQL = re.compile(r"```promql\n(.*?)```", re.DOTALL)
_SUFFIX = re.compile(r"_(?:bucket|sum|count)$")
_OF_TARGET = {"instance", "job"}


@dataclass(frozen=True)
class Rule:
    """One rule as it stands in the file."""

    name: str
    text: dict[str, Any]

    @property
    def all_text(self) -> str:
        """The expression and, of an alert, what its annotations ask."""
        return "\n".join([self.text["expr"], *self.text.get("annotations", {}).values()])


def rules(path: Path) -> list[Rule]:
    """Every rule of a file, in its order."""
    groups = yaml.safe_load(path.read_text())["groups"]
    return [Rule(rule.get("alert") or rule["record"], rule) for group in groups for rule in group["rules"]]


def alert_names() -> list[str]:
    """Each name once, in the file's order."""
    return list(dict.fromkeys(rule.name for rule in rules(ALERTS)))


def recorded_names() -> set[str]:
    return {rule.name for rule in rules(RECORDING)}


def queries(runbook: str) -> list[str]:
    """The PromQL of a runbook."""
    return _PROMQL.findall((RUNBOOKS / f"{runbook}.md").read_text())


def metrics_in(text: str) -> set[str]:
    """Names of metrics and of recorded series; a histogram's parts under its own name."""
    histograms = {metric.name for metric in catalog.FAMILIES if metric.type == "histogram"}
    found = set(_METRIC.findall(_without_values(text)))
    return {_SUFFIX.sub("", name) if _SUFFIX.sub("", name) in histograms else name for name in found}


def unknown_labels(text: str) -> Iterator[str]:
    """Labels that a selector asks for and the contract does not give to that metric."""
    labels = {metric.name: {*metric.labels, *_OF_TARGET} for metric in catalog.FAMILIES}
    for name, matchers in _SELECTOR.findall(_without_values(text)):
        for label in _LABEL.findall(matchers):
            if name in labels and label not in labels[name]:
                yield f"{name} has no label {label}"


def _without_values(text: str) -> str:
    """Without what matchers compare with; annotations have it in escaped quotes."""
    return _VALUE.sub("", text.replace('\\"', '"'))


def promtool(*arguments: str | Path) -> str:
    """Run it; what it said, which is part of the complaint when it is not content."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, timeout=120)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said
