"""``docs/kernels.md``: what was found on each kernel, as one table."""

from collections.abc import Sequence
from fnmatch import fnmatch

from exporter.loading.probes import PROBE_NAMES
from tests.support.requirements import NOT_IN_THIS_KERNEL

from .found import Examination, Outcome


def _levels(*tests: str) -> tuple[str, ...]:
    return tuple(f"probes/test_kernel_level::{test}" for test in tests)


TESTS_OF = {
    "syscalls": (
        "probes/test_endpoints::*",
        "probes/test_folders::*",
        "probes/test_failures::*",
        "probes/test_transfers::*",
        "probes/test_compat::*",
        "probes/test_against_strace::*",
        "probes/test_sockets::*",
        "probes/test_identity::*",
    ),
    "exits": ("probes/test_identity::*", "probes/test_churn::*"),
    "sendfile": ("probes/test_sendfile::*",),
    "sockets": ("probes/test_sockets::*kernel_copies*", "probes/test_sockets::*copied*"),
    "block": ("probes/test_block::*",),
    "io_uring": ("probes/test_io_uring::*",),
    "io_uring_multishot": ("probes/test_io_uring::*shot*",),
    "copy_time": ("probes/test_copy_time::*",),
    "copy_to_user": ("probes/test_usercopy::*",),
    "copy_from_user": ("probes/test_usercopy::*",),
    "filemap_read": (*_levels("*ext4*", "*xfs*", "*page_cache*", "*direct*"), *_levels("*sendfile*", "*splice*")),
    "shmem_file_read_iter": (*_levels("*tmpfs*", "*from_memory*"), "probes/test_missed_runs::*"),
    "generic_perform_write": _levels("*ext4*", "*tmpfs*", "*to_a_file*"),
    "iomap_file_buffered_write": _levels("*xfs*"),
    "tcp_sendmsg_locked": _levels("*tcp*", "*zero_copy*", "*io_uring*"),
    "pipe_read": _levels("*pipe*"),
    "pipe_write": _levels("*pipe*"),
}
"""The tests that hold what a probe counts against the truth, as patterns of ``module::name``."""

TOGETHER = {
    "three busy processes a CPU, and one that reads the maps": "probes/test_contention::*",
    "system calls and kernel copies agree": "probes/test_kernel_level::*",
    "the service, over HTTP": "service/*",
}
"""What is held of all probes together, as a pattern each."""

MISSED = "three threads a CPU read a file in memory: runs of `shmem_file_read_iter` skipped, all of them known"

CHECKS = ("loader", "reading maps without privileges")
"""What doctor finds that differs between kernels."""

_NAMED = 3
"""Of the tests that share a reason."""

HEAD = """\
# Kernels

Written by `make matrix`. Each cell says how a probe is attached on a kernel and what became of the ground-truth tests
of what it counts (`tests/probes`), run inside a virtual machine with that kernel: *exact* is the number of tests that
compared counts with a known truth and found them equal; *skipped* ones have a premise that this kernel lacks, which is
told below; *not attached* is what `doctor` says there. What is timed (`copy_time`) is not tested under emulation; on
arm64 only what differs between architectures is tested. The kernels run Debian 12 with BCC 0.26 and, where it can be
chosen, `preempt=full`; the columns of other BCCs are of the kernel that the matrix was run on.
"""


def render(examinations: Sequence[Examination]) -> str:
    """The whole document."""
    lines = [_row(["", *[f"{e.name}: {e.release}" for e in examinations]])]
    lines.append(_row(["---"] * (len(examinations) + 1)))
    lines += [_row([f"`{name}`", *[_probe(e, name) for e in examinations]]) for name in PROBE_NAMES]
    lines.append(_row([MISSED, *[_missed(e) for e in examinations]]))
    lines += [
        _row([what, *[_count(_matching(e, [pattern])) for e in examinations]]) for what, pattern in TOGETHER.items()
    ]
    lines += [_row([check, *[e.checks.get(check, "") for e in examinations]]) for check in CHECKS]
    return "\n".join([HEAD, *lines, "", *_details(examinations)])


def _probe(examination: Examination, name: str) -> str:
    probe = next((probe for probe in examination.probes if probe.name == name), None)
    if probe is None:
        return ""
    if not probe.attached:
        return f"not attached: {probe.reason}"
    return f"{probe.attach_method} {probe.hook}: {_count(outcomes_of(examination, name))}"


def _missed(examination: Examination) -> str:
    outcomes = _matching(examination, ["probes/test_missed_runs::*"])
    return "; ".join(outcome.measured for outcome in outcomes if outcome.measured) or _count(outcomes)


def outcomes_of(examination: Examination, probe: str) -> list[Outcome]:
    """The outcomes that speak of a probe."""
    return _matching(examination, TESTS_OF.get(probe, ()))


def _matching(examination: Examination, patterns: Sequence[str]) -> list[Outcome]:
    return [
        outcome
        for outcome in examination.outcomes
        if any(fnmatch(f"{outcome.module}::{outcome.name}", pattern) for pattern in patterns)
    ]


def _count(outcomes: Sequence[Outcome]) -> str:
    states = [outcome.state for outcome in outcomes]
    counts = (("exact", "passed"), ("**failed**", "failed"), ("skipped", "skipped"))
    return ", ".join(f"{states.count(state)} {word}" for word, state in counts if state in states) or "not tested"


def _details(examinations: Sequence[Examination]) -> list[str]:
    lines = []
    for examination in examinations:
        for state in ("failed", "skipped"):
            reasons: dict[str, list[str]] = {}
            for outcome in examination.are(state):
                why = outcome.why.removeprefix(f"{NOT_IN_THIS_KERNEL} ")
                reasons.setdefault(why, []).append(f"`{outcome.module.rpartition('/')[2]}::{outcome.name}`")
            tests = [f"- {why}: {_enumerated(names)}" for why, names in reasons.items()]
            lines += [f"## {examination.name}: {state}", "", *tests, ""] if tests else []
    return lines


def _enumerated(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + rest


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
