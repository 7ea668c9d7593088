"""How a metric family is declared. The declarations are in :mod:`exporter.metrics.catalog`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

from exporter.model import RowKind

PROCESS = ("pid", "comm")
HOST_PREFIX = "copy_host_"
NOT_OF_HOST = frozenset((*PROCESS, "port"))
"""Labels that host totals do not have: a host total never decreases, and processes and ports come and go."""
NS_PER_SECOND = 1_000_000_000

T = TypeVar("T")
Values = Iterable[tuple[tuple[str, ...], float]]
"""Samples of one family: label values, in the order of the family's labels, and the number."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """One metric family."""

    name: str
    """As it is exposed, with ``_total``."""
    type: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...] = ()
    help: str
    unit: str = ""
    """Base unit of the value, by which the name ends; empty for plain numbers."""
    probe: str = ""
    """The probe that counts it (:mod:`exporter.loading.probes`); empty when no probe does."""
    flag: str = ""
    """The flag that the family needs beside its probe; empty when it is on by default."""


@dataclass(frozen=True, kw_only=True)
class RowFamily(Family):
    """A counter with one series for each process and set of labels, summed up from rows."""

    kinds: tuple[RowKind, ...]
    """The kinds of rows that it takes."""
    number: Literal["events", "amount"]
    """Which number of a row it adds up."""
    scale: int = 1
    """That number is divided by this."""
    has_operation: bool = False
    """Take only rows of a system call or of a request, not those of the block layer."""
    has_copy_reason: bool = False
    """Take only copies that have a :class:`CopyReason`."""
    has_host_total: bool = False
    """Whether the host has the same family without the labels :data:`NOT_OF_HOST`."""

    def host_total(self) -> "RowFamily":
        """The family that sums this one up over the host."""
        return replace(
            self,
            name=self.name.replace("copy_", HOST_PREFIX, 1),
            labels=tuple(label for label in self.labels if label not in NOT_OF_HOST),
            help=f"{self.help} Total of the host.",
        )


@dataclass(frozen=True, kw_only=True)
class RowHistogram(Family):
    """A histogram for each process: ``errno_or_bucket`` of a row is the bucket, ``amount`` goes into the sum."""

    kind: RowKind
    bounds: tuple[int, ...]
    """Upper bounds of the buckets, inclusive, in the unit of ``amount``; one more bucket holds the rest."""
    scale: int = 1
    """Bounds and amounts are divided by this."""


@dataclass(frozen=True, kw_only=True)
class ValueFamily(Family, Generic[T]):
    """A family whose samples are computed at each scrape from what a collector has read."""

    values: Callable[[T], Values]
