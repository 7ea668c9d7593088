"""The probes as the tests see them: run something, get exactly that process's rows."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from platform import machine

from exporter.counting.maps import KernelMaps
from exporter.loading.handover import LOADER, LoadedProbes, LoadRequest, load
from exporter.loading.probes import DEFAULT_PROBE_NAMES
from exporter.model import DEFAULT_SAMPLING_RATE, Endpoint, Identity, Operation, Row, RowKind, Rows
from tests.support.requirements import skip_for_kernel
from tests.support.wait import wait_until

Counts = dict[Row, tuple[int, int]]
"""Events and amount: a count without its time."""


def cpu(call: Operation, source: Endpoint, destination: Endpoint, port: int = 0) -> Row:
    return Row(RowKind.CPU_COPY, call, source, destination, port, 0)


def zero_copy(call: Operation, source: Endpoint, destination: Endpoint, port: int = 0) -> Row:
    return Row(RowKind.ZERO_COPY, call, source, destination, port, 0)


def dma(call: Operation, source: Endpoint, destination: Endpoint) -> Row:
    return Row(RowKind.DMA, call, source, destination, 0, 0)


def error(call: Operation, number: int) -> Row:
    return Row(RowKind.ERROR, call, Endpoint.UNKNOWN, Endpoint.UNKNOWN, 0, number)


DISK_READS = dma(Operation.NONE, Endpoint.DISK, Endpoint.PAGE_CACHE)


def kernel_copy(source: Endpoint, destination: Endpoint) -> Row:
    return Row(RowKind.KERNEL_COPY, Operation.NONE, source, destination, 0, 0)


def socket_copy(source: Endpoint) -> Row:
    return kernel_copy(source, Endpoint.USER)


def syscalls(rows: Rows) -> Counts:
    """What was counted at system calls: everything but their durations and what deeper probes saw."""
    return {
        row: (count.events, count.amount)
        for row, count in rows.items()
        if row.operation is not Operation.NONE and row.kind is not RowKind.DURATION
    }


def amount(rows: Rows, row: Row) -> int:
    return rows[row].amount if row in rows else 0


def since(before: Rows, after: Rows) -> Counts:
    """What was added between two samples of one process."""
    added = {}
    for row, count in after.items():
        old = before.get(row)
        events = count.events - (old.events if old else 0)
        if events:
            added[row] = (events, count.amount - (old.amount if old else 0))
    return added


@dataclass(frozen=True)
class Ran:
    """A process that has ended."""

    pid: int
    identity: Identity | None
    """None when nothing was counted."""
    rows: Rows
    output: bytes

    @property
    def calls(self) -> Counts:
        return syscalls(self.rows)


class Ground:
    """One set of attached probes."""

    def __init__(self, handover: LoadedProbes) -> None:
        self.handover = handover
        self.reader = KernelMaps(handover.maps, handover.programs)
        self._exits: dict[Identity, str] = {}

    def needs(self, *probes: str) -> None:
        """Skip the test when this kernel does not let one of these probes attach."""
        for probe in self.handover.probes:
            if probe.name in probes and not probe.attached:
                skip_for_kernel(f"{probe.name}: {probe.reason}")

    def run(self, *argv: str | Path | int, **options: object) -> Ran:
        """Run a program to its end, which has to be a good one."""
        with self.start(*argv, **options) as process:
            output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, f"{argv} ended with status {process.returncode}"
        return self.result(process, output)

    def start(self, *argv: str | Path | int, **options: object) -> subprocess.Popen[bytes]:
        """Start a program; :meth:`result` when it has ended."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE} | options
        return subprocess.Popen([str(argument) for argument in argv], **options)  # type: ignore[call-overload]

    def result(self, process: subprocess.Popen[bytes], output: bytes = b"") -> Ran:
        return self.ran(process.pid, output)

    def ran(self, pid: int, output: bytes = b"") -> Ran:
        """The rows of the latest process with this id."""
        identity, rows = self.latest(pid)
        return Ran(pid, identity, rows, output)

    def latest(self, pid: int) -> tuple[Identity | None, Rows]:
        processes = self.reader.sample().processes
        identity = max((identity for identity in processes if identity.pid == pid), default=None)
        return identity, processes[identity] if identity else {}

    def rows(self, pid: int) -> Rows:
        return self.latest(pid)[1]

    def exits(self) -> dict[Identity, str]:
        """The names of all processes that have ended so far: what is taken from the kernel is kept for every test."""
        self._exits |= {ended.identity: ended.comm for ended in self.reader.take_exits()}
        return self._exits


def loaded(
    map_entries: Mapping[str, int] | None = None,
    command: Sequence[str] = LOADER,
    probes: Sequence[str] = DEFAULT_PROBE_NAMES,
    sampling_rate: int = DEFAULT_SAMPLING_RATE,
) -> Iterator[Ground]:
    """For a fixture: probes of its own, detached afterwards."""
    order = LoadRequest(probes=tuple(probes), map_entries=dict(map_entries or {}), sampling_rate=sampling_rate)
    handover = load(order, timeout=240, command=command)
    try:
        yield Ground(handover)
    finally:
        handover.close()


NUMBERS = {
    "x86_64": {"read": 0, "pread64": 17, "sendfile": 40},
    "aarch64": {"read": 63, "pread64": 67, "sendfile": 71},
}[machine()]


def blocked_in(pid: int, call: str, descriptor: int | None = None) -> None:
    """Come back when a process sleeps inside this system call, on a certain descriptor if one is given."""
    path = Path(f"/proc/{pid}/syscall")
    wanted = [str(NUMBERS[call])] + ([] if descriptor is None else [hex(descriptor)])
    wait_until(lambda: path.read_text().split()[: len(wanted)] == wanted, f"process {pid} to sleep in {call}")
