"""One kernel examined: the tests that ran inside, and what doctor said there."""

import json
import os
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import boot
from .fetch import REPOSITORY, cache_directory, fetch
from .kernels import Kernel

GUEST = Path(__file__).with_name("guest")
DEADLINE_SECONDS = 2700.0
TESTS = (
    "tests/kernel",
    "--ignore=tests/kernel/test_loader.py",
    "--ignore=tests/kernel/test_slower_ways.py",
    "--deselect=tests/kernel/test_churn.py::test_a_full_map",
    "tests/test_realtime.py",
    "tests/service/test_privileges.py::test_nobody_without_a_capability",
    "tests/service/test_privileges.py::test_every_thread_gave_up_the_same",
    "tests/service/test_privileges.py::test_the_loader_is_gone",
    "tests/service/test_exactness.py::test_end_between_and_after_scrapes",
)
"""What asks the kernel, not what asks the exporter's own code: under emulation each new load of the probes takes 15 s.
The slower ways of reading are what older kernels have anyway."""


@dataclass(frozen=True)
class Outcome:
    """What became of one test."""

    module: str
    """Its file, without ``tests/`` and ``.py``."""
    name: str
    state: str
    """``passed``, ``failed`` or ``skipped``."""
    why: str = ""

    def __str__(self) -> str:
        return f"{self.module}::{self.name}: {self.why}"


@dataclass(frozen=True)
class Probe:
    """What doctor says of a probe."""

    name: str
    hook: str
    mechanism: str
    attached: bool
    reason: str


@dataclass(frozen=True)
class Examination:
    """All that was found out about a kernel."""

    kernel: Kernel
    release: str
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


def examine(kernel: Kernel, shared: Path) -> Examination:
    """Fetch, boot, test. ``shared`` is an empty directory that keeps all that came back."""
    installed = fetch(kernel, cache_directory())
    tests = (argument for argument in (os.environ.get("COPY_EXPORTER_VM_TESTS") or " ".join(TESTS)).split())
    started = time.monotonic()
    status = boot.run(installed, [GUEST, sys.executable, REPOSITORY, shared, *tests], shared, DEADLINE_SECONDS)
    return Examination(
        kernel=kernel,
        release=installed.release,
        status=status,
        outcomes=tuple(read_outcomes(shared / "junit.xml")),
        probes=tuple(_probes(shared / "doctor.json")),
        checks=_checks(shared / "doctor.json"),
        seconds=time.monotonic() - started,
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
            yield Outcome(module, name, "passed")
        else:
            state = "skipped" if problem.tag == "skipped" else "failed"
            yield Outcome(module, name, state, problem.get("message", "").split("\n")[0])


def _doctor(path: Path) -> dict[str, list[dict[str, object]]]:
    said: dict[str, list[dict[str, object]]] = json.loads(path.read_text() or "{}") if path.exists() else {}
    return said


def _probes(path: Path) -> Iterator[Probe]:
    for row in _doctor(path).get("probes", []):
        yield Probe(
            str(row["name"]), str(row["hook"]), str(row["mechanism"]), bool(row["attached"]), str(row["reason"])
        )


def _checks(path: Path) -> dict[str, str]:
    return {str(check["name"]): str(check["why"]) for check in _doctor(path).get("checks", [])}


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-40:]) if path.exists() else "pytest did not start"
