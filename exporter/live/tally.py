"""Sums over what was counted of a process or of the host. Pure: no input or output."""

from dataclasses import dataclass

from exporter.live.increase import Additions
from exporter.live.rates import Mechanisms
from exporter.model import MECHANISMS, Endpoint, Operation, RowKind

_SOCKETS = (Endpoint.TCP, Endpoint.UDP, Endpoint.UNIX, Endpoint.SOCKET)
_NETWORK = (Endpoint.TCP, Endpoint.UDP)
_NS_PER_SECOND = 1e9
_MAX_COPIES_PER_BYTE_SENT = 100
"""Above, a process does something else than send: the quotient would say nothing."""


def is_io_uring(operation: Operation) -> bool:
    """Return whether it is a request of io_uring: it switches no modes."""
    return Operation.IO_URING_READ <= operation <= Operation.IO_URING_TEE


@dataclass
class Tally:
    """Sums of rows; bytes, calls and nanoseconds."""

    cpu: int = 0
    zero_copy: int = 0
    dma: int = 0
    moved_by_calls: int = 0
    """The part of them that a system call or a request of io_uring moved."""
    sent_to_sockets: int = 0
    sent_to_network: int = 0
    """By TCP or UDP."""
    calls: int = 0
    system_calls: int = 0
    """Failed ones included."""
    copy_ns: int = 0

    @property
    def moved(self) -> int:
        """All bytes, once per hop."""
        return self.cpu + self.zero_copy + self.dma

    @property
    def bytes_per_call(self) -> float | None:
        """None without calls."""
        return self.moved_by_calls / self.calls if self.calls > 0 else None

    @property
    def copies_per_byte_sent(self) -> float | None:
        """Bytes copied by the CPU per byte that reaches a socket; None for a process that hardly sends."""
        is_sender = self.sent_to_sockets > 0 and self.cpu <= _MAX_COPIES_PER_BYTE_SENT * self.sent_to_sockets
        return self.cpu / self.sent_to_sockets if is_sender else None

    def mechanisms(self, seconds: float) -> Mechanisms:
        """Return bytes per second."""
        return Mechanisms(cpu=self.cpu / seconds, zero_copy=self.zero_copy / seconds, dma=self.dma / seconds)

    def mode_switches(self, seconds: float) -> float:
        """Return mode switches per second."""
        return 2 * self.system_calls / seconds

    def copying_cpus(self, seconds: float) -> float:
        """Return how many CPUs the kernel's copy routines keep busy."""
        return self.copy_ns / _NS_PER_SECOND / seconds


def tally(additions: Additions) -> Tally:
    """Add up the rows."""
    sums = Tally()
    for row, (events, amount) in additions.items():
        if row.kind is RowKind.COPY_TIME:
            sums.copy_ns += amount
        elif row.kind is RowKind.ERROR or row.kind in MECHANISMS:
            if row.operation and not is_io_uring(row.operation):
                sums.system_calls += events
            if row.kind is not RowKind.ERROR:
                _add_hop(sums, row.kind, amount)
                if row.operation:
                    sums.calls += events
                    sums.moved_by_calls += amount
                if row.destination in _SOCKETS:
                    sums.sent_to_sockets += amount
                if row.destination in _NETWORK:
                    sums.sent_to_network += amount
    return sums


def _add_hop(sums: Tally, kind: RowKind, amount: int) -> None:
    if kind is RowKind.CPU_COPY:
        sums.cpu += amount
    elif kind is RowKind.ZERO_COPY:
        sums.zero_copy += amount
    else:
        sums.dma += amount
