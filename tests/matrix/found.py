"""What comes back from an examination: files in a directory, and what they say."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_RUN = "run.json"


@dataclass(frozen=True)
class Outcome:
    """What became of one test."""

    module: str
    """Its file, without ``tests/`` and ``.py``."""
    name: str
    state: str
    """``passed``, ``failed`` or ``skipped``."""
    why: str = ""
    measured: str = ""
    """What it recorded beside its verdict."""

    def __str__(self) -> str:
        return f"{self.module}::{self.name}: {self.why}"


@dataclass(frozen=True)
class Probe:
    """What doctor says of a probe."""

    name: str
    hook: str
    attach_method: str
    attached: bool
    reason: str


@dataclass(frozen=True)
class Examination:
    """All that was found out in one place."""

    name: str
    """The head of its column."""
    release: str
    """Of the kernel, as ``uname -r`` has it."""
    status: int
    """Exit status of pytest."""
    outcomes: tuple[Outcome, ...]
    probes: tuple[Probe, ...]
    checks: dict[str, str]
    """What doctor found, by the names of its checks."""
    seconds: float
    log: str

    def are(self, state: str) -> list[Outcome]:
        """The tests in a state."""
        return [outcome for outcome in self.outcomes if outcome.state == state]


def record(shared: Path, name: str, release: str, status: int, seconds: float) -> None:
    """Keep what the files of the tests do not tell: the examination is done with that."""
    (shared / _RUN).write_text(json.dumps({"name": name, "release": release, "status": status, "seconds": seconds}))


def is_done(shared: Path) -> bool:
    """Whether there is an examination to read."""
    return (shared / _RUN).exists()


def read(shared: Path) -> Examination:
    """The examination that left its files there."""
    run = json.loads((shared / _RUN).read_text())
    return Examination(
        name=run["name"],
        release=run["release"],
        status=run["status"],
        outcomes=tuple(read_outcomes(shared / "junit.xml")),
        probes=tuple(_probes(shared / "doctor.json")),
        checks=_checks(shared / "doctor.json"),
        seconds=run["seconds"],
        log=_tail(shared / "pytest.log"),
    )


def read_outcomes(junit: Path) -> Iterator[Outcome]:
    """Of a file that pytest wrote; nothing when it did not come to that."""
    if not junit.exists():
        return
    for case in ET.parse(junit).iter("testcase"):
        module = case.get("classname", "").removeprefix("tests.").replace(".", "/")
        name = case.get("name", "")
        problem = next((case.find(tag) for tag in ("failure", "error", "skipped") if case.find(tag) is not None), None)
        if problem is None:
            measured = case.find("properties/property[@name='measured']")
            yield Outcome(module, name, "passed", measured="" if measured is None else measured.get("value", ""))
        else:
            state = "skipped" if problem.tag == "skipped" else "failed"
            yield Outcome(module, name, state, problem.get("message", "").split("\n")[0])


def _doctor(path: Path) -> dict[str, list[dict[str, object]]]:
    said: dict[str, list[dict[str, object]]] = json.loads(path.read_text() or "{}") if path.exists() else {}
    return said


def _probes(path: Path) -> Iterator[Probe]:
    for row in _doctor(path).get("probes", []):
        yield Probe(
            str(row["name"]), str(row["hook"]), str(row["attach_method"]), bool(row["attached"]), str(row["reason"])
        )


def _checks(path: Path) -> dict[str, str]:
    return {str(check["name"]): str(check["why"]) for check in _doctor(path).get("checks", [])}


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-40:]) if path.exists() else "pytest did not start"
