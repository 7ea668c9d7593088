"""One small change for each recipe of CONTRIBUTING.md: the edit of each file, and what then has to work."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tests.recipes.checkout_copy import Edit


@dataclass(frozen=True)
class Change:
    """A change that follows a recipe."""

    recipe: str
    """The heading in CONTRIBUTING.md."""
    edits: Mapping[str, Edit]
    """By file."""
    test: str
    """The test that the recipe adds."""
    name: str = ""
    """What ``NAME`` in the recipe stands for."""
    program: str = ""
    """A Python program that checks the change with real probes, unless the test that the recipe adds does."""


def insert(after: str, addition: str) -> Edit:
    """Insert text behind every match of a pattern."""
    return lambda text: re.sub(after, lambda match: match[0] + addition, text)


def insert_each(after: str, *additions: str) -> Edit:
    """Insert a text of its own behind each match of a pattern."""

    def edit(text: str) -> str:
        remaining = list(additions)
        changed = re.sub(after, lambda match: match[0] + remaining.pop(0), text)
        assert remaining == [], f"too few matches of {after}"
        return changed

    return edit


def replace_first(old: str, new: str) -> Edit:
    return lambda text: text.replace(old, new, 1)


def append(addition: str) -> Edit:
    return lambda text: text + addition


def both(*edits: Edit) -> Edit:
    """Several edits of one file."""

    def edit(text: str) -> str:
        for each in edits:
            changed = each(text)
            assert changed != text
            text = changed
        return text

    return edit


def add_member(enumeration: str, member: str) -> Edit:
    """Add a member with the next number to an enumeration."""

    def edit(text: str) -> str:
        body = re.search(rf"^class {enumeration}\(IntEnum\):\n(.*?)\n\n\n", text, re.DOTALL | re.MULTILINE)
        assert body, enumeration
        number = max(map(int, re.findall(r"^    \w+ = (\d+)$", body[1], re.MULTILINE))) + 1
        return text[: body.end(1)] + f"\n    {member} = {number}" + text[body.end(1) :]

    return edit


_SYSTEM_CALL_TEST = '''

GET = """
import os, sys
file = os.open(sys.argv[1], os.O_RDONLY)
os.setxattr(file, "user.test", bytes(100))
for _ in range(2):
    assert len(os.getxattr(file, "user.test")) == 100
"""


def test_an_attribute_by_fgetxattr(probes: ProbeFixture, disk: Path) -> None:
    import sys

    (disk / "attributes").write_bytes(b"")
    counted = probes.run(sys.executable, "-I", "-S", "-B", "-c", GET, disk / "attributes").calls
    assert counted[cpu(Operation.FGETXATTR, Endpoint.PAGE_CACHE, Endpoint.USER)] == (2, 200)
'''
SYSTEM_CALL = Change(
    recipe="Add a system call",
    edits={
        "exporter/model.py": add_member("Operation", "FGETXATTR"),
        "probes/syscall_table.h": both(
            insert(r"#define NATIVE_CALLS\(X\) *\\\n", "    X(__NR_fgetxattr, FGETXATTR, READ) \\\n"),
            insert_each(
                r"#define COMPAT_CALLS\(X\) *\\\n",
                "    X(231, FGETXATTR, READ) \\\n",
                "    X(231, FGETXATTR, READ) \\\n",
            ),
        ),
        "tests/probes/test_endpoints.py": append(_SYSTEM_CALL_TEST),
        "docs/accounting.md": both(
            insert(
                r"\| call \| file descriptors \|.*\n\|[-|]+\n", "| fgetxattr | file | page_cache → user | CPU copy |\n"
            ),
            replace_first(" fgetxattr,", ""),
        ),
    },
    test="tests/probes/test_endpoints.py::test_an_attribute_by_fgetxattr",
)

_PROBE = """\
/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * Processes and threads that a process starts: their page tables are copied. */

#include "counts.h"

int process_fork(void *context) {
    struct row row = ROW_OF_TASK(CURRENT_TASK());
    row.kind = ROW_KIND_FORK;
    add_to_row(&row, 0);
    return 0;
}
"""
_PROBE_ROW = """
    Probe(
        name="forks",
        source="forks.c",
        hooks=(Hook("raw_tracepoint", "sched_process_fork", "process_fork"),),
        counts="processes and threads that a process starts",
        missing="copy_forks_total",
        by_default=False,
    ),"""
_FAMILY = """FORKS = RowFamily(
    name="copy_forks_total",
    type="counter",
    labels=PROCESS,
    help="Processes and threads that the process started.",
    probe="forks",
    kinds=(RowKind.FORK,),
    number="events",
)

"""
_PROBE_TEST = '''\
"""Forks: as many as a program makes."""

import sys

import pytest

from exporter.model import RowKind

from .probe_fixture import attached_probes

pytestmark = pytest.mark.probe("forks")
FORK = """
import os
for _ in range(7):
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
"""


def test_forks_are_those_of_the_program(bpf: None) -> None:
    with attached_probes(probes=("exits", "forks")) as probes:
        probes.require("forks")
        rows = probes.run(sys.executable, "-I", "-S", "-c", FORK).rows
    assert [count.events for row, count in rows.items() if row.kind is RowKind.FORK] == [7]
'''
PROBE = Change(
    recipe="Add a probe with a metric",
    name="forks",
    edits={
        "probes/forks.c": append(_PROBE),
        "exporter/model.py": add_member("RowKind", "FORK"),
        "exporter/loading/probes.py": insert(r"\nPROBES = \(", _PROBE_ROW),
        "exporter/metrics/catalog/copies.py": both(
            replace_first("ROW_FAMILIES = (", f"{_FAMILY}ROW_FAMILIES = ("),
            insert(r"\nROW_FAMILIES = \(", "\n    FORKS,"),
        ),
        "tests/probes/test_forks.py": append(_PROBE_TEST),
        "docs/kernel-level.md": insert(
            r"\| metric \| probes \|.*\n\|[-|]+\n", "| `copy_forks_total` | `forks` | no: `--probe.forks` |\n"
        ),
    },
    test="tests/probes/test_forks.py::test_forks_are_those_of_the_program",
)

_LABEL_TEST = """

def test_calls_of_two_users_are_two_series():
    host = small_host()
    host.count(host.alive(JAVA), READ._replace(uid=1000), 5, events=3)
    registry = registry_of(host)
    labels = {"pid": str(JAVA), "syscall": "read"}
    assert values(registry, "copy_syscalls_total", uid="", **labels) == [1]
    assert values(registry, "copy_syscalls_total", uid="1000", **labels) == [3]
"""
_LABEL_PROGRAM = """
from exporter.counting.series import Series
from exporter.metrics.catalog.copies import SYSCALLS
from exporter.metrics.rows import RowMetrics
from tests.probes.probe_fixture import attached_probes

with attached_probes(probes=("syscalls", "exits")) as probes:
    for user, label in ((0, ""), (65534, "65534")):
        rows = probes.run("/bin/cat", "/proc/version", user=user).rows
        (metric,) = RowMetrics([SYSCALLS]).metrics([Series("1", "cat", 0, rows)])
        found = {sample.labels["uid"] for sample in metric.samples}
        assert found == {label}, (user, found)
"""
LABEL = Change(
    recipe="Add a label",
    edits={
        "probes/types.h": replace_first("    u32 padding;", "    u32 uid; /* of the process */"),
        "exporter/model.py": both(
            replace_first('"padding": "4x",', '"uid": "I",'),
            insert(r'"""Errno of an error, bucket of a duration, .*, else 0."""\n', "    uid: int = 0\n"),
        ),
        "probes/syscalls.c": insert(
            r"struct row row = ROW_OF_TASK\(task\);\n", "    row.uid = bpf_get_current_uid_gid();\n"
        ),
        "exporter/metrics/catalog/copies.py": replace_first(
            'labels=(*PROCESS, "syscall", *_HOP, "port"),', 'labels=(*PROCESS, "syscall", *_HOP, "port", "uid"),'
        ),
        "tests/unit/metrics/test_collector.py": append(_LABEL_TEST),
    },
    test="tests/unit/metrics/test_collector.py::test_calls_of_two_users_are_two_series",
    program=_LABEL_PROGRAM,
)

CHANGES = (SYSTEM_CALL, PROBE, LABEL)
