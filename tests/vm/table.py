"""``docs/kernels.md``: what was found on each kernel, as one table."""

from collections.abc import Sequence
from fnmatch import fnmatch

from exporter.probe_table import PROBE_NAMES

from .examine import Examination, Outcome, Probe

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

HEAD = """\
# Kernels

Written by `make matrix`: each cell is the outcome of the ground-truth tests of one probe (`tests/kernel`), run inside a
virtual machine with that kernel, and how the probe was attached there. *n exact* is the number of tests that compared
counts with a known truth and found them equal; *skipped* ones have a premise that the kernel or the machine lacks.
"""


def render(examinations: Sequence[Examination]) -> str:
    """The whole document."""
    names = [*PROBE_NAMES]
    header = ["kernel", *names, "service", "map reads without privileges", "kernel structures by"]
    lines = [_row(header), _row(["---"] * len(header))]
    lines += [_row([f"{e.kernel.name} ({e.release})", *_cells(e, names)]) for e in examinations]
    return "\n".join([HEAD, *lines, "", *_details(examinations)])


def _cells(examination: Examination, names: Sequence[str]) -> list[str]:
    probes = {probe.name: probe for probe in examination.probes}
    cells = [_cell(probes.get(name), tests_of(examination, name)) for name in names]
    service = _count([outcome for outcome in examination.outcomes if outcome.module.startswith("service/")])
    reading = examination.checks.get("reading maps without privileges", "")
    loader = examination.checks.get("loader", "").rpartition("reads with ")[2]
    return [*cells, service, reading, loader]


def tests_of(examination: Examination, probe: str) -> list[Outcome]:
    """The outcomes that speak of a probe."""
    patterns = TESTS_OF.get(probe, ())
    return [
        outcome
        for outcome in examination.outcomes
        if any(fnmatch(f"{outcome.module}::{outcome.name}", pattern) for pattern in patterns)
    ]


def _cell(probe: Probe | None, outcomes: Sequence[Outcome]) -> str:
    if probe is None:
        return ""
    if not probe.attached:
        return f"not attached: {probe.reason}"
    return f"{probe.mechanism}: {_count(outcomes)}"


def _count(outcomes: Sequence[Outcome]) -> str:
    states = [outcome.state for outcome in outcomes]
    counts = (("exact", "passed"), ("**failed**", "failed"), ("skipped", "skipped"))
    return ", ".join(f"{states.count(state)} {word}" for word, state in counts if state in states) or "no test"


def _details(examinations: Sequence[Examination]) -> list[str]:
    lines = []
    for examination in examinations:
        for state in ("failed", "skipped"):
            found = examination.are(state)
            if found:
                lines += [
                    f"## {examination.kernel.name}: {state}",
                    "",
                    *[f"- `{o.module}::{o.name}`: {o.why}" for o in found],
                    "",
                ]
    return lines


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
