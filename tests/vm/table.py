"""``docs/kernels.md``: what was found on each kernel, as one table."""

from collections.abc import Sequence
from fnmatch import fnmatch

from exporter.probe_table import PROBE_NAMES

from .found import Examination, Outcome

TESTS_OF = {
    "syscalls": (
        "kernel/test_endpoints::*",
        "kernel/test_failures::*",
        "kernel/test_transfers::*",
        "kernel/test_compat::*",
        "kernel/test_witnesses::*",
        "kernel/test_sockets::*",
        "kernel/test_identity::*",
    ),
    "exits": ("kernel/test_identity::*", "kernel/test_churn::*"),
    "sendfile": ("kernel/test_sendfile::*",),
    "sockets": ("kernel/test_sockets::*kernel_copies*", "kernel/test_sockets::*copied*"),
    "block": ("kernel/test_block::*",),
}
"""The tests that hold what a probe counts against the truth, as patterns of ``module::name``."""

CHECKS = ("loader", "reading maps without privileges")
"""What doctor finds that differs between kernels."""

HEAD = """\
# Kernels

Written by `make matrix`. Each cell says how a probe is attached on a kernel and what became of the ground-truth tests
of what it counts (`tests/kernel`), run inside a virtual machine with that kernel: *exact* is the number of tests that
compared counts with a known truth and found them equal; *skipped* ones have a premise that the kernel or the machine
lacks.
"""


def render(examinations: Sequence[Examination]) -> str:
    """The whole document."""
    lines = [_row(["", *[f"{e.name}: {e.release}" for e in examinations]])]
    lines.append(_row(["---"] * (len(examinations) + 1)))
    lines += [_row([f"`{name}`", *[_probe(e, name) for e in examinations]]) for name in PROBE_NAMES]
    lines.append(_row(["the service", *[_service(e) for e in examinations]]))
    lines += [_row([check, *[e.checks.get(check, "") for e in examinations]]) for check in CHECKS]
    return "\n".join([HEAD, *lines, "", *_details(examinations)])


def _probe(examination: Examination, name: str) -> str:
    probe = next((probe for probe in examination.probes if probe.name == name), None)
    if probe is None:
        return ""
    if not probe.attached:
        return f"not attached: {probe.reason}"
    return f"{probe.mechanism} {probe.hook}: {_count(outcomes_of(examination, name))}"


def _service(examination: Examination) -> str:
    return _count([outcome for outcome in examination.outcomes if outcome.module.startswith("service/")])


def outcomes_of(examination: Examination, probe: str) -> list[Outcome]:
    """The outcomes that speak of a probe."""
    patterns = TESTS_OF.get(probe, ())
    return [
        outcome
        for outcome in examination.outcomes
        if any(fnmatch(f"{outcome.module}::{outcome.name}", pattern) for pattern in patterns)
    ]


def _count(outcomes: Sequence[Outcome]) -> str:
    states = [outcome.state for outcome in outcomes]
    counts = (("exact", "passed"), ("**failed**", "failed"), ("skipped", "skipped"))
    return ", ".join(f"{states.count(state)} {word}" for word, state in counts if state in states) or "no test"


def _details(examinations: Sequence[Examination]) -> list[str]:
    lines = []
    for examination in examinations:
        for state in ("failed", "skipped"):
            tests = [f"- `{outcome.module}::{outcome.name}`: {outcome.why}" for outcome in examination.are(state)]
            lines += [f"## {examination.name}: {state}", "", *tests, ""] if tests else []
    return lines


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
