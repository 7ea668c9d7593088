"""Per-process series: their limits, the groups that they are kept in, and what a scrape shows of them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from exporter.counting.rows import add_rows
from exporter.host.procfs import ProcessInfo, Stat
from exporter.model import Identity, Rows


@dataclass(frozen=True)
class Limits:
    """What bounds the series; `copy-exporter serve --help` explains each."""

    process_max: int = 500
    brokers_max: int = 16
    """Brokers that have series of their own even when ``process_max`` is reached."""
    comms_max: int = 200
    linger_ns: int = 120_000_000_000
    by_comm: bool = False
    include: re.Pattern[str] | None = None
    exclude: re.Pattern[str] | None = None

    def leave_out(self, comm: str) -> bool:
        """Return whether a process of this name counts in the host's totals alone."""
        included = self.include is None or self.include.search(comm)
        return not included or bool(self.exclude and self.exclude.search(comm))


@dataclass(frozen=True)
class Series:
    """What a scrape shows of one group."""

    pid: str
    comm: str
    since_ns: int
    rows: Rows
    info: ProcessInfo | None = None
    """None when the group is not that of one process; so is ``stat``."""
    stat: Stat | None = None


@dataclass(frozen=True)
class Snapshot:
    """What one scrape shows."""

    host: Rows
    series: list[Series]
    tracked: int
    """Processes with series of their own."""
    exited: int
    """Processes that have ended and whose series linger."""
    aggregated: int
    """Processes that count in a series that they share by name."""
    by_comm: bool = False
    """Whether series have no ``pid``."""
    hidden: int = 0
    """Processes that have counted and that /proc does not show."""
    evicted: int = 0
    """Series of ended processes that gave way before the linger time was over."""

    def pid_label(self, pid: int) -> str:
        """Return the label ``pid`` of a process; empty where series have none."""
        return "" if self.by_comm else str(pid)


@dataclass
class SeriesGroup:
    """One set of per-process series: of one process (its ``pid`` and ``comm``), or of all that share a name."""

    pid: str
    """Empty with ``--process.labels=comm``."""
    comm: str
    since_ns: int
    """CLOCK_BOOTTIME of its first count."""
    owner: Identity | None = None
    """The process, when it is the group of one."""
    carried_over: Rows = field(default_factory=dict)
    """The counts of processes that have left the group."""
    left_ns: int | None = None
    """When its process left it."""
    is_final_shown: bool = False
    """Whether a scrape has shown it since its process left it."""
    is_ended: bool = False
    """Whether it is not shown any more. What its processes count from now on belongs to other series."""
    info: ProcessInfo | None = None
    stat: Stat | None = None

    def series(self, live: Iterable[tuple[Rows, Rows]]) -> Series:
        """Return the series with the present counts of its live processes, each less its base."""
        present = list(live)
        if not self.carried_over and len(present) == 1 and not present[0][1]:
            rows = present[0][0]
        else:
            rows = dict(self.carried_over)
            for counted, base in present:
                add_rows(rows, counted, base)
        return Series(self.pid, self.comm, self.since_ns, rows, self.info, self.stat)
