"""What one live reading has read, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.host.network_devices import Link, Traffic
from exporter.host.procfs import ProcessInfo
from exporter.kafka.broker import Broker
from exporter.kafka.zero_copy_loss import Loss
from exporter.model import Folder, Identity, ProbeState, Rows


@dataclass(frozen=True)
class Host:
    """What does not change while the exporter runs."""

    name: str
    kernel: str
    started_seconds: float
    """Start of the exporter, in seconds since the epoch."""
    metrics_path: str
    probes: tuple[ProbeState, ...] = ()

    @property
    def samples_copy_time(self) -> bool:
        """Whether the CPU time of copies is known."""
        return any(probe.name == "copy_time" and probe.attached for probe in self.probes)


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    comm: str
    rows: Rows
    """All that it has counted."""


@dataclass(frozen=True)
class Snapshot:
    """All counts at one moment."""

    time_seconds: float
    """Since the epoch."""
    clock_ns: int
    """CLOCK_BOOTTIME."""
    processes: Mapping[Identity, Rows]
    """Of processes whose rows are in the map. Two snapshots share the rows of a process that has not counted since."""
    exited: Rows
    """What all other processes have counted."""
    ended: Mapping[Identity, Ended] = field(default_factory=dict)
    """Those of the other processes that have ended since the snapshot before."""
    exits: Mapping[Identity, str] = field(default_factory=dict)
    """Names of processes that have ended, and whose rows are in the map."""
    devices: Mapping[str, Traffic] = field(default_factory=dict)
    links: Mapping[str, Link] = field(default_factory=dict)
    cpus: int = 1
    """CPUs that are online."""
    dropped_updates: int = 0
    missed_runs: int = 0
    stalled_probes: tuple[str, ...] = ()
    brokers: tuple[Broker, ...] = ()
    folders: Mapping[bytes, Folder] = field(default_factory=dict)
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True)
class Description:
    """What /proc shows of a process."""

    comm: str
    info: ProcessInfo
    cpu_seconds: float | None
    """CPU time since the snapshot before; None when the process was not looked at then."""
