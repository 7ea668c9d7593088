"""What the probes counted of one transfer, and what follows from it: pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from exporter.model import Count, Endpoint, Operation, Row, RowKind, Rows

MODE_SWITCHES_PER_CALL = 2

_ON_THE_WAY = {Endpoint.DISK, Endpoint.PAGE_CACHE, Endpoint.USER, Endpoint.PIPE, Endpoint.TCP}
_CALLS = {RowKind.CPU_COPY, RowKind.ZERO_COPY, RowKind.ERROR}


class Setting(NamedTuple):
    """One run of the experiment."""

    method: str
    cold: bool
    """The file was not in the page cache."""

    def __str__(self) -> str:
        return f"{self.method}, {self.cache} cache"

    @property
    def cache(self) -> str:
        """As people say it."""
        return "cold" if self.cold else "warm"


@dataclass(frozen=True)
class Measurement:
    """One transfer. ``None`` where the probe that would know is not attached."""

    setting: Setting
    payload: int
    """Bytes of the file."""
    chunk: int
    """Bytes asked for by one call."""
    rows: Mapping[Row, Count]
    """What the probes counted of the sender between start and end, control traffic left out."""
    cached: int
    """Bytes of the file that were in the page cache before: all when warm, of a cold one what could not be dropped."""
    sees_disk: bool
    """The block probe is attached."""
    seconds: float
    """From the sender's start to the sink's last byte."""
    cpu_seconds: float
    """The sender's, in user and kernel mode."""
    remark: str = ""

    @property
    def chunks(self) -> int:
        """The last one may be smaller."""
        return -(-self.payload // self.chunk)

    @property
    def syscalls(self) -> int:
        """Those that move data, errors included."""
        return sum(count.events for row, count in self.rows.items() if row.kind in _CALLS)

    @property
    def syscalls_per_chunk(self) -> float:
        """See :attr:`syscalls`."""
        return self.syscalls / self.chunks

    @property
    def mode_switches_per_chunk(self) -> float:
        """Into the kernel and back for each call."""
        return MODE_SWITCHES_PER_CALL * self.syscalls_per_chunk

    @property
    def cpu_copies_per_byte(self) -> float:
        """How often the CPU copied each byte of the payload between kernel and user memory, or inside the kernel."""
        return self._bytes(RowKind.CPU_COPY) / self.payload

    @property
    def zero_copy_share(self) -> float:
        """Part of the payload that came into the socket by reference."""
        return self._bytes(RowKind.ZERO_COPY, Endpoint.TCP) / self.payload

    @property
    def dma_bytes(self) -> int | None:
        """From disk into the page cache."""
        return self._bytes(RowKind.DMA, Endpoint.PAGE_CACHE) if self.sees_disk else None

    @property
    def dma_per_uncached_byte(self) -> float | None:
        """How often each byte came from disk that was not in the page cache before; ``None`` when all were."""
        uncached = self.payload - self.cached
        return None if self.dma_bytes is None or uncached <= 0 else self.dma_bytes / uncached

    @property
    def cpu_seconds_per_gib(self) -> float:
        """The sender's."""
        return self.cpu_seconds / (self.payload / (1 << 30))

    @property
    def bytes_per_second(self) -> float:
        """Of payload."""
        return self.payload / self.seconds

    @property
    def gbit_per_cpu_second(self) -> float:
        """How fast a network one CPU of the sender could fill, in Gbit/s."""
        return self.payload * 8 / 1e9 / self.cpu_seconds if self.cpu_seconds else 0.0

    def _bytes(self, kind: RowKind, destination: Endpoint | None = None) -> int:
        return sum(
            count.amount
            for row, count in self.rows.items()
            if row.kind is kind and destination in (None, row.destination)
        )


def counted_between(before: Mapping[Row, Count], after: Mapping[Row, Count]) -> Rows:
    """The increase, of what can belong to the transfer: its endpoints, and errors, whose endpoints are not known."""
    nothing = Count(0, 0, 0)
    increase = {}
    for row, count in after.items():
        then = before.get(row, nothing)
        if count.events > then.events and _belongs(row):
            increase[row] = Count(count.events - then.events, count.amount - then.amount, count.since_ns)
    return increase


def _belongs(row: Row) -> bool:
    if row.kind is RowKind.DMA:
        return row.operation is Operation.NONE
    return row.kind is RowKind.ERROR or (
        row.kind in _CALLS and row.source in _ON_THE_WAY and row.destination in _ON_THE_WAY
    )
