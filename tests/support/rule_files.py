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
_ANNOTATION_QUERY = re.compile(r"query \(print (.*?)\) -}}")
_VARIABLE = re.compile(r"{{ (\$\w+) := print (.*?) -}}")
_ARGUMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|\(.*\)|(\$[\w.]+)')
"""Of ``print``: a string, a call, or a variable."""
DURATION = re.compile(r"(?<=\[)\d+[mhd](?=\])|(?<=for: )\d+[mhd]|(?<=offset )\d+[mhd]")
"""A duration in the rules."""
_MINUTES = {"m": 1, "h": 60, "d": 1440}


@dataclass(frozen=True)
class Rule:
    """One rule of a file."""

    name: str
    content: dict[str, Any]

    @property
    def expression(self) -> str:
        return str(self.content["expr"])

    @property
    def runbook(self) -> str:
        """The name of an alert's runbook, which several alerts may share, and of the file with its cases."""
        return Path(self.content["annotations"]["runbook_url"]).stem

    @property
    def annotation_queries(self) -> list[str]:
        """The PromQL of an alert's annotations, in which every label is empty."""
        annotations: dict[str, str] = self.content.get("annotations", {})
        return [query for text in annotations.values() for query in _queries(text)]


def _queries(annotation: str) -> list[str]:
    """The PromQL of its queries: what ``print`` writes when every label is empty."""
    variables: dict[str, str] = {}

    def printed(arguments: str) -> str:
        found = _ARGUMENT.finditer(arguments)
        return "".join(variables.get(part[2], "") if part[2] else (part[1] or "").replace('\\"', '"') for part in found)

    for name, arguments in _VARIABLE.findall(annotation):
        variables[name] = printed(arguments)
    return [printed(arguments) for arguments in _ANNOTATION_QUERY.findall(annotation)]


@cache
def rules(path: Path) -> list[Rule]:
    """Every rule of a file, in its order."""
    groups = yaml.safe_load(path.read_text())["groups"]
    return [Rule(rule.get("alert") or rule["record"], rule) for group in groups for rule in group["rules"]]


def alert_names() -> list[str]:
    """In the file's order."""
    return [rule.name for rule in rules(ALERTS)]


def runbooks() -> list[str]:
    """The names of the runbooks, in the order of their alerts."""
    return list(dict.fromkeys(rule.runbook for rule in rules(ALERTS)))


def recorded() -> dict[str, str]:
    """The expressions of the recorded series by name."""
    return {rule.name: rule.expression for rule in rules(RECORDING)}


def runbook_queries(name: str) -> list[str]:
    """The PromQL of a runbook."""
    return _PROMQL_BLOCK.findall((RUNBOOKS / f"{name}.md").read_text())


def shortened(rules: str) -> str:
    """The rules with seconds in the place of minutes."""
    return DURATION.sub(lambda found: f"{int(found[0][:-1]) * _MINUTES[found[0][-1]]}s", rules)


def shortened_files(directory: Path) -> list[Path]:
    """The files of :data:`RULE_FILES`, :func:`shortened`, in ``directory``."""
    files = [directory / file.name for file in RULE_FILES]
    for file, shipped in zip(files, RULE_FILES, strict=True):
        file.write_text(shortened(shipped.read_text()))
    return files


def promtool(*arguments: str | Path, program: str | Path = "promtool") -> str:
    """Run promtool, which must succeed; its output."""
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=120)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


def job_of_exporter_down() -> str:
    """The job that the alert for an exporter that cannot be scraped selects."""
    (rule,) = (rule for rule in rules(ALERTS) if rule.name == "ExporterDown")
    (job,) = re.findall(r'up{job="([^"]+)"}', rule.expression)
    return str(job)
