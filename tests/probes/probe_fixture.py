"""Attached probes for tests: run a program, get the rows of exactly that process."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from platform import machine

from exporter.counting.maps import KernelMaps
from exporter.loading.handover import LOADER, LoadedProbes, LoadRequest, load
from exporter.loading.probes import DEFAULT_PROBE_NAMES
from exporter.model import DEFAULT_SAMPLING_RATE, Endpoint, Identity, Operation, ProbeState, Row, RowKind, Rows
from tests.support.requirements import skip_for_kernel
from tests.support.wait import wait_until

Counts = dict[Row, tuple[int, int]]
"""Events and amount of each row, without the time of the first event."""


def cpu(operation: Operation, source: Endpoint, destination: Endpoint, port: int = 0) -> Row:
    return Row(RowKind.CPU_COPY, operation, source, destination, port, 0)


def zero_copy(operation: Operation, source: Endpoint, destination: Endpoint, port: int = 0) -> Row:
    return Row(RowKind.ZERO_COPY, operation, source, destination, port, 0)


def dma(operation: Operation, source: Endpoint, destination: Endpoint) -> Row:
    return Row(RowKind.DMA, operation, source, destination, 0, 0)


def error(operation: Operation, number: int) -> Row:
    return Row(RowKind.ERROR, operation, Endpoint.UNKNOWN, Endpoint.UNKNOWN, 0, number)


DISK_READS = dma(Operation.NONE, Endpoint.DISK, Endpoint.PAGE_CACHE)


def kernel_copy(source: Endpoint, destination: Endpoint) -> Row:
    return Row(RowKind.KERNEL_COPY, Operation.NONE, source, destination, 0, 0)


def socket_copy(source: Endpoint) -> Row:
    return kernel_copy(source, Endpoint.USER)


def syscalls(rows: Rows) -> Counts:
    """The counts of system calls and requests, without durations and without rows of other probes.

    Those of getrandom are left out, too: the C library of every program calls it at its start.
    """
    return {
        row: (count.events, count.amount)
        for row, count in rows.items()
        if row.operation not in (Operation.NONE, Operation.GETRANDOM) and row.kind is not RowKind.DURATION
    }


def amount(rows: Rows, row: Row) -> int:
    return rows[row].amount if row in rows else 0


def added_between(before: Rows, after: Rows) -> Counts:
    """What was added between two samples of one process."""
    added = {}
    for row, count in after.items():
        old = before.get(row)
        events = count.events - (old.events if old else 0)
        if events:
            added[row] = (events, count.amount - (old.amount if old else 0))
    return added


@dataclass(frozen=True)
class FinishedProcess:
    """A process that has ended, and what was counted of it."""

    pid: int
    identity: Identity | None
    """None when nothing was counted."""
    rows: Rows
    output: bytes

    @property
    def calls(self) -> Counts:
        return syscalls(self.rows)


class ProbeFixture:
    """A set of attached probes."""

    def __init__(self, loaded: LoadedProbes) -> None:
        self.loaded = loaded
        self.maps = KernelMaps(loaded.maps, loaded.programs, loaded.free_slots)
        self._exits: dict[Identity, str] = {}

    def state(self, name: str) -> ProbeState:
        return next(probe for probe in self.loaded.probes if probe.name == name)

    def require(self, *names: str) -> None:
        """Skip the test if one of these probes could not be attached."""
        for probe in map(self.state, names):
            if not probe.attached:
                skip_for_kernel(f"{probe.name}: {probe.reason}")

    def run(self, *argv: str | Path | int, **options: object) -> FinishedProcess:
        """Run a program to its end. It must exit with status 0."""
        with self.start(*argv, **options) as process:
            output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, f"{argv} exited with status {process.returncode}"
        return self.result(process, output)

    def start(self, *argv: str | Path | int, **options: object) -> subprocess.Popen[bytes]:
        """Start a program; :meth:`result` when it has ended."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE} | options
        return subprocess.Popen([str(argument) for argument in argv], **options)  # type: ignore[call-overload]

    def result(self, process: subprocess.Popen[bytes], output: bytes = b"") -> FinishedProcess:
        return self.finished(process.pid, output)

    def finished(self, pid: int, output: bytes = b"") -> FinishedProcess:
        """The rows of the latest process with this id."""
        identity, rows = self.latest(pid)
        return FinishedProcess(pid, identity, rows, output)

    def latest(self, pid: int) -> tuple[Identity | None, Rows]:
        processes = self.maps.sample().processes
        identity = max((identity for identity in processes if identity.pid == pid), default=None)
        return identity, processes[identity] if identity else {}

    def rows(self, pid: int) -> Rows:
        return self.latest(pid)[1]

    def exits(self) -> dict[Identity, str]:
        """The names of all processes that have ended so far: what is taken from the map is kept for every test."""
        self._exits |= {ended.identity: ended.comm for ended in self.maps.take_exits()}
        return self._exits

    def free_rows(self) -> None:
        """Delete the rows of all processes that have ended: on a busy host they fill the maps within minutes."""
        ended = self.exits()
        sample = self.maps.sample()
        self.maps.forget(sample, sample.processes.keys() & ended.keys())
        self.maps.reclaim()


ATTACHED: list[ProbeFixture] = []
"""All that are attached at present."""


@contextmanager
def attached_probes(
    map_entries: Mapping[str, int] | None = None,
    command: Sequence[str] = LOADER,
    probes: Sequence[str] = DEFAULT_PROBE_NAMES,
    sampling_rate: int = DEFAULT_SAMPLING_RATE,
) -> Iterator[ProbeFixture]:
    """Load and attach probes, and detach them afterwards."""
    request = LoadRequest(probes=tuple(probes), map_entries=dict(map_entries or {}), sampling_rate=sampling_rate)
    loaded = load(request, timeout=240, command=command)
    attached = ProbeFixture(loaded)
    ATTACHED.append(attached)
    try:
        yield attached
    finally:
        ATTACHED.remove(attached)
        loaded.close()


NUMBERS = {
    "x86_64": {"read": 0, "pread64": 17, "sendfile": 40},
    "aarch64": {"read": 63, "pread64": 67, "sendfile": 71},
}[machine()]


def wait_until_blocked(pid: int, call: str, descriptor: int | None = None) -> None:
    """Wait until a process sleeps inside this system call, on a certain descriptor if one is given."""
    path = Path(f"/proc/{pid}/syscall")
    wanted = [str(NUMBERS[call])] + ([] if descriptor is None else [hex(descriptor)])
    wait_until(lambda: path.read_text().split()[: len(wanted)] == wanted, f"process {pid} to sleep in {call}")
