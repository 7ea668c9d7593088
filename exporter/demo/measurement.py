"""Counts of one transfer, and the figures that follow from them. Pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from exporter.model import Count, Endpoint, Operation, Row, RowKind, Rows

MODE_SWITCHES_PER_CALL = 2

_TRANSFER_ENDPOINTS = {Endpoint.DISK, Endpoint.PAGE_CACHE, Endpoint.USER, Endpoint.PIPE, Endpoint.TCP}
_CALLS = {RowKind.CPU_COPY, RowKind.ZERO_COPY, RowKind.ERROR}


class Setting(NamedTuple):
    """One run of the experiment."""

    method: str
    cold: bool
    """Whether the file was dropped from the page cache first."""

    def __str__(self) -> str:
        return f"{self.method}, {self.cache} cache"

    @property
    def cache(self) -> str:
        """``cold`` or ``warm``."""
        return "cold" if self.cold else "warm"


@dataclass(frozen=True)
class Measurement:
    """One transfer. A figure is None if the probe for it is not attached."""

    setting: Setting
    payload: int
    """Bytes of the file."""
    chunk: int
    """Bytes requested per call."""
    rows: Mapping[Row, Count]
    """The sender's counts between start and end, without its control traffic."""
    cached: int
    """Bytes of the file that were in the page cache before: all if warm, else those that could not be dropped."""
    sees_disk: bool
    """Whether the block probe is attached."""
    seconds: float
    """From the sender's start to the sink's last byte."""
    cpu_seconds: float
    """The sender's, in user and kernel mode."""
    note: str = ""

    @property
    def chunks(self) -> int:
        """Number of chunks; the last one may be smaller."""
        return -(-self.payload // self.chunk)

    @property
    def syscalls(self) -> int:
        """System calls that move data, errors included."""
        return sum(count.events for row, count in self.rows.items() if row.kind in _CALLS)

    @property
    def syscalls_per_chunk(self) -> float:
        """System calls that move data, per chunk."""
        return self.syscalls / self.chunks

    @property
    def mode_switches_per_chunk(self) -> float:
        """Two per call: into the kernel and back."""
        return MODE_SWITCHES_PER_CALL * self.syscalls_per_chunk

    @property
    def cpu_copies_per_byte(self) -> float:
        """CPU copies of each byte of the payload, between kernel and user memory or inside the kernel."""
        return self._bytes(RowKind.CPU_COPY) / self.payload

    @property
    def zero_copy_share(self) -> float:
        """Part of the payload that reached the socket by reference."""
        return self._bytes(RowKind.ZERO_COPY, Endpoint.TCP) / self.payload

    @property
    def dma_bytes(self) -> int | None:
        """Bytes moved from disk into the page cache."""
        return self._bytes(RowKind.DMA, Endpoint.PAGE_CACHE) if self.sees_disk else None

    @property
    def dma_per_uncached_byte(self) -> float | None:
        """Reads from disk of each byte that was not in the page cache; None if all were."""
        uncached = self.payload - self.cached
        return None if self.dma_bytes is None or uncached <= 0 else self.dma_bytes / uncached

    @property
    def cpu_seconds_per_gib(self) -> float:
        """CPU time of the sender per GiB of payload."""
        return self.cpu_seconds / (self.payload / (1 << 30))

    @property
    def bytes_per_second(self) -> float:
        """Bytes of payload per second."""
        return self.payload / self.seconds

    @property
    def gbit_per_cpu_second(self) -> float:
        """Speed of a network that one CPU of the sender could fill, in Gbit/s."""
        return self.payload * 8 / 1e9 / self.cpu_seconds if self.cpu_seconds else 0.0

    def _bytes(self, kind: RowKind, destination: Endpoint | None = None) -> int:
        return sum(
            count.amount
            for row, count in self.rows.items()
            if row.kind is kind and destination in (None, row.destination)
        )


def counted_between(before: Mapping[Row, Count], after: Mapping[Row, Count]) -> Rows:
    """The increase of the rows that can belong to the transfer: by their endpoints, or errors, which have none."""
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
        row.kind in _CALLS and row.source in _TRANSFER_ENDPOINTS and row.destination in _TRANSFER_ENDPOINTS
    )
