"""Agreement with other counters: /proc/PID/io and strace."""

import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.model import Operation, Row, RowKind, Rows
from tests.support.filesystems import command
from tests.support.wait import wait_until

from .probe_fixture import Counts, ProbeFixture, added_between, wait_until_blocked

pytestmark = pytest.mark.probe("syscalls")

READS = {Operation.READ, Operation.READV, Operation.PREAD64, Operation.PREADV, Operation.PREADV2}
WRITES = {Operation.WRITE, Operation.WRITEV, Operation.PWRITE64, Operation.PWRITEV, Operation.PWRITEV2}
BOTH = {Operation.SENDFILE, Operation.COPY_FILE_RANGE}
"""What the kernel's own accounting (task_io_accounting) counts: not send, receive and splice."""

SCRIPT = """
import os, socket
os.read(0, 1)
a, b = socket.socketpair()
with open("/proc/version", "rb") as f: f.read()
file = os.open({path!r}, os.O_RDWR)
for n in range(100):
    os.pwrite(file, bytes(n), 0)
    os.readv(file, [bytearray(10), bytearray(n)])
    a.send(bytes(100)); b.recv(1000)
    os.write(a.fileno(), bytes(7)); os.read(b.fileno(), 100)
    os.sendfile(a.fileno(), file, 0, 50); b.recv(1000)
os.read(0, 1)
"""


def total(counts: Counts, calls: set[Operation]) -> tuple[int, int]:
    """Calls and bytes."""
    rows = [count for row, count in counts.items() if row.operation in calls and row.kind is not RowKind.DURATION]
    return sum(events for events, _ in rows), sum(amount for _, amount in rows)


def look(probes: ProbeFixture, pid: int) -> tuple[Rows, dict[str, int]]:
    """The counts of the probes and of the kernel, while the process sleeps in a read."""
    wait_until_blocked(pid, "read", 0)  # a read of something else may sleep as well
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return probes.rows(pid), {key: int(value) for key, value in (line.split(": ") for line in lines)}


def test_proc_pid_io(probes: ProbeFixture, disk: Path) -> None:
    """Between two moments of a process: at its start the kernel's reads of the program file count too."""
    path = disk / "witnessed"
    path.write_bytes(bytes(1000))
    argv = ("/usr/bin/python3", "-c", SCRIPT.format(path=str(path)))
    with probes.start(*argv, stdin=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin
        rows, witness = look(probes, process.pid)
        process.stdin.write(b"1")
        wait_until(lambda: probes.rows(process.pid) != rows, "the first counts of the process")
        later, witness_later = look(probes, process.pid)
        process.stdin.write(b"2")
        assert process.wait(30) == 0
    counts = added_between(rows, later)
    added = {key: witness_later[key] - witness[key] for key in witness}
    assert total(counts, READS | BOTH) == (added["syscr"], added["rchar"])
    assert total(counts, WRITES | BOTH) == (added["syscw"], added["wchar"])
    assert added["rchar"] > 100 * (10 + 7 + 50)


def counted(rows: Rows) -> dict[str, tuple[int, int]]:
    """Calls, and errors among them, by the name that strace uses."""
    calls: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for row, count in rows.items():
        if _is_call(row):
            calls[row.operation.name.lower()] += count.events
            errors[row.operation.name.lower()] += count.events if row.kind is RowKind.ERROR else 0
    return {name: (calls[name], errors[name]) for name in calls}


def _is_call(row: Row) -> bool:
    return row.operation is not Operation.NONE and row.kind is not RowKind.DURATION


def strace_summary(text: str) -> dict[str, tuple[int, int]]:
    """Lines of ``% time, seconds, usecs/call, calls, [errors,] syscall``."""
    ours = {call.name.lower() for call in Operation}
    lines = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:(\d+) +)?(\w+)$", text, re.MULTILINE)
    return {name: (int(calls), int(errors or 0)) for calls, errors, name in lines if name in ours}


@pytest.mark.parametrize(
    "argv",
    [
        ("failures", "errors"),
        ("sockets", "families", "tcp4"),
        ("sockets", "many", "udp4", "100"),
        ("endpoints", "pipes"),
        ("endpoints", "reads", "/dev/zero"),
        ("transfers", "between_pipes"),
        ("processes", "threads"),
    ],
)
def test_strace_counts_the_same_calls(
    probes: ProbeFixture, workload: Callable[..., Path], tmp_path: Path, argv: tuple[str, ...]
) -> None:
    """strace is another process: its own reads and writes do not count for the workload."""
    summary = tmp_path / "summary"
    pidfile = tmp_path / "pid"
    # The shell prints its id, which the workload keeps after exec.
    shell = ["sh", "-c", 'echo $$ >"$0"; exec "$@"', pidfile, workload(argv[0]), *argv[1:]]
    command("strace", "-f", "-c", "-o", summary, *shell)
    pid = int(pidfile.read_text())
    assert counted(probes.rows(pid)) == strace_summary(summary.read_text())
