"""The result of a target: files that the tests and ``doctor`` wrote into a directory, and their contents."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from exporter.model import ProbeState

_RUN = "run.json"
_LOG_LINES = 40


@dataclass(frozen=True)
class Outcome:
    """The outcome of one test."""

    module: str
    """Its file, without ``tests/`` and ``.py``."""
    name: str
    state: str
    """``passed``, ``failed`` or ``skipped``."""
    reason: str = ""
    measured: str = ""
    """A figure that the test recorded as the property ``measured``."""
    probes: tuple[str, ...] = ()
    """The probes whose counts the test compares with a known truth, by its marks (``tests/probes/conftest.py``)."""

    def __str__(self) -> str:
        return f"{self.module}::{self.name}: {self.reason}"


@dataclass(frozen=True)
class TargetResult:
    """Everything that was found out about a target."""

    name: str
    release: str
    """Release of its kernel, as ``uname -r`` prints it."""
    status: int
    """Exit status of pytest."""
    outcomes: tuple[Outcome, ...]
    probes: tuple[ProbeState, ...]
    checks: dict[str, str]
    """The findings of ``doctor``, by the name of the check."""
    seconds: float
    log: str
    """The last lines of pytest's output."""
    first_start: str = ""
    """Why the virtual machine was started a second time; empty where it was not."""

    def in_state(self, state: str) -> list[Outcome]:
        """The outcomes that are ``passed``, ``failed`` or ``skipped``."""
        return [outcome for outcome in self.outcomes if outcome.state == state]


def save_run(shared: Path, name: str, release: str, status: int, seconds: float, *, first_start: str = "") -> None:
    """Save what the files of pytest and doctor do not contain, and thereby mark the result as complete."""
    run = {"name": name, "release": release, "status": status, "seconds": seconds, "first_start": first_start}
    (shared / _RUN).write_text(json.dumps(run))


def result_exists(shared: Path) -> bool:
    """Whether the directory has a complete result."""
    return (shared / _RUN).exists()


def read_result(shared: Path) -> TargetResult:
    """Read the result from the directory."""
    run = json.loads((shared / _RUN).read_text())
    return TargetResult(
        name=run["name"],
        release=run["release"],
        status=run["status"],
        outcomes=tuple(read_outcomes(shared / "junit.xml")),
        probes=tuple(_probes(shared / "doctor.json")),
        checks=_checks(shared / "doctor.json"),
        seconds=run["seconds"],
        log=_tail(shared / "pytest.log"),
        first_start=run["first_start"],
    )


def read_outcomes(junit: Path) -> Iterator[Outcome]:
    """The outcomes in a JUnit file of pytest; none when pytest did not get so far as to write it."""
    if not junit.exists():
        return
    for case in ET.parse(junit).iter("testcase"):
        module = case.get("classname", "").removeprefix("tests.").replace(".", "/")
        name = case.get("name", "")
        problem = next((case.find(tag) for tag in ("failure", "error", "skipped") if case.find(tag) is not None), None)
        probes = tuple(dict.fromkeys(_properties(case, "probe")))
        if problem is None:
            yield Outcome(module, name, "passed", measured="; ".join(_properties(case, "measured")), probes=probes)
        else:
            state = "skipped" if problem.tag == "skipped" else "failed"
            yield Outcome(module, name, state, problem.get("message", "").split("\n")[0], probes=probes)


def _properties(case: ET.Element, name: str) -> list[str]:
    return [found.get("value", "") for found in case.findall(f"properties/property[@name='{name}']")]


def _doctor(path: Path) -> dict[str, list[dict[str, object]]]:
    report: dict[str, list[dict[str, object]]] = json.loads(path.read_text() or "{}") if path.exists() else {}
    return report


def _probes(path: Path) -> Iterator[ProbeState]:
    for row in _doctor(path).get("probes", []):
        yield ProbeState(**{field.name: row[field.name] for field in fields(ProbeState)})  # type: ignore[arg-type]


def _checks(path: Path) -> dict[str, str]:
    return {str(check["name"]): str(check["why"]) for check in _doctor(path).get("checks", [])}


def _tail(path: Path) -> str:
    if not path.exists():
        return "pytest did not start"
    return "\n".join(path.read_text(errors="replace").splitlines()[-_LOG_LINES:])
