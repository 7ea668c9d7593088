"""The rules and runbooks as they are shipped, read without Prometheus."""

import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.paths import ROOT

RULES = ROOT / "dashboards" / "prometheus"
RECORDING = RULES / "recording.rules.yml"
ALERTS = RULES / "alerts.rules.yml"
RULE_FILES = (RECORDING, ALERTS)
CASES = sorted((RULES / "tests").glob("*.test.yml"))
ALERTS_PAGE = ROOT / "docs" / "alerts.md"
RUNBOOKS = ROOT / "docs" / "runbooks"

_PROMQL_BLOCK = re.compile(r"```promql\n(.*?)```", re.DOTALL)
_ANNOTATION_QUERY = re.compile(r'query \(printf "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Rule:
    """One rule of a file."""

    name: str
    content: dict[str, Any]

    @property
    def expression(self) -> str:
        return str(self.content["expr"])

    @property
    def reason(self) -> str:
        """The label that distinguishes several rules of one alert."""
        return str(self.content.get("labels", {}).get("reason", ""))

    @property
    def annotation_queries(self) -> list[str]:
        """The PromQL of an alert's annotations."""
        texts = "\n".join(self.content.get("annotations", {}).values())
        return [found.replace('\\"', '"').replace("%q", '""') for found in _ANNOTATION_QUERY.findall(texts)]


@cache
def rules(path: Path) -> list[Rule]:
    """Every rule of a file, in its order."""
    groups = yaml.safe_load(path.read_text())["groups"]
    return [Rule(rule.get("alert") or rule["record"], rule) for group in groups for rule in group["rules"]]


def alert_names() -> list[str]:
    """Each name once, in the file's order."""
    return list(dict.fromkeys(rule.name for rule in rules(ALERTS)))


def recorded() -> dict[str, str]:
    """The expressions of the recorded series by name."""
    return {rule.name: rule.expression for rule in rules(RECORDING)}


def runbook_queries(alert: str) -> list[str]:
    """The PromQL of a runbook."""
    return _PROMQL_BLOCK.findall((RUNBOOKS / f"{alert}.md").read_text())


def promtool(*arguments: str | Path) -> str:
    """Run promtool, which must succeed; its output."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, timeout=120)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output
