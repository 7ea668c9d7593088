"""A host in memory whose processes start, count, are renamed and exit, behind the interfaces of the maps and /proc."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field

from exporter.counting.maps import Sample
from exporter.counting.rows import add_rows, remove_ports
from exporter.host.procfs import OwnProcess, ProcessInfo, Stat
from exporter.model import Count, Endpoint, Exit, Identity, MapUse, Operation, ProbeRuns, Row, RowKind, Rows

TICK_NS = 10_000_000
SECOND_NS = 1_000_000_000

READ = Row(RowKind.CPU_COPY, Operation.READ, Endpoint.PAGE_CACHE, Endpoint.USER, 0, 0)
SENDFILE = Row(RowKind.ZERO_COPY, Operation.SENDFILE, Endpoint.PAGE_CACHE, Endpoint.TCP, 9092, 0)
EAGAIN = Row(RowKind.ERROR, Operation.RECVFROM, Endpoint.UNKNOWN, Endpoint.UNKNOWN, 0, 11)
DISK = Row(RowKind.DMA, Operation.NONE, Endpoint.DISK, Endpoint.PAGE_CACHE, 0, 0)
DIRECT = Row(RowKind.DMA, Operation.PREAD64, Endpoint.DISK, Endpoint.USER, 0, 0)
RECEIVED = Row(RowKind.KERNEL_COPY, Operation.NONE, Endpoint.TCP, Endpoint.USER, 0, 0)
COPYING = Row(RowKind.COPY_TIME, Operation.NONE, Endpoint.UNKNOWN, Endpoint.UNKNOWN, 0, 0)
SLOW = Row(RowKind.DURATION, Operation.SENDFILE, Endpoint.UNKNOWN, Endpoint.UNKNOWN, 0, 3)


@dataclass
class SampleHost:
    """Stands for both :class:`exporter.counting.maps.KernelMaps` and :class:`exporter.host.procfs.Procfs`."""

    now_ns: int = 1000 * SECOND_NS
    comms: dict[Identity, str] = field(default_factory=dict)
    rows: dict[Identity, Rows] = field(default_factory=dict)
    exits: list[Exit] = field(default_factory=list)
    truth: Rows = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    program: str = ""
    """What every process runs, whatever its name."""
    described: int = 0
    """How often a process was described."""
    in_pid_namespace: bool = False
    """Whether /proc is that of another pid namespace."""
    own_pid: int = 0
    """The process id of the exporter itself, when it is one of these processes."""

    def start(self, pid: int, comm: str) -> Identity:
        self.now_ns += TICK_NS
        identity = Identity(self.now_ns, pid)
        self.comms[identity] = comm
        return identity

    def alive(self, pid: int) -> Identity | None:
        return next((identity for identity in self.comms if identity.pid == pid), None)

    def count(self, identity: Identity, row: Row = READ, amount: int = 1, events: int = 1) -> None:
        for rows in (self.rows.setdefault(identity, {}), self.truth):
            before = rows.get(row, Count(0, 0, self.now_ns))
            rows[row] = Count(before.events + events, before.amount + amount, before.since_ns)

    def end(self, identity: Identity, *, event: bool = True) -> None:
        comm = self.comms.pop(identity)
        if event:
            self.exits.append(Exit(identity, comm))

    def take_exits(self) -> list[Exit]:
        exits, self.exits = self.exits, []
        return exits

    def sample(self) -> Sample:
        return Sample({identity: dict(rows) for identity, rows in self.rows.items()})

    def forget(self, sample: Sample, identities: Iterable[Identity], ports: Set[int] | None = None) -> None:
        for identity in identities:
            if ports is not None:
                remove_ports(self.rows[identity], ports)
                continue
            late: Rows = {}
            add_rows(late, self.rows.pop(identity), sample.processes[identity])
            if late:
                self.rows[identity] = late

    def reclaim(self) -> None:
        pass

    def watch_ports(self, ports: Iterable[int]) -> None:
        raise AssertionError(f"attribution must not watch ports: {ports}")

    def dropped(self) -> dict[str, int]:
        return {"counts": 0}

    def map_use(self) -> list[MapUse]:
        return [MapUse("counts", sum(map(len, self.rows.values())), 65536)]

    def runs(self) -> list[ProbeRuns]:
        return [ProbeRuns("syscalls", 0, 0.0, 0)]

    def stat(self, pid: int) -> Stat | None:
        identity = self.alive(pid)
        if identity is None or pid in self.hidden:
            return None
        return Stat(self.comms[identity], identity.start // TICK_NS, 1.5, 0.5)

    @property
    def shows_host(self) -> bool:
        return not self.in_pid_namespace

    def own(self) -> OwnProcess | None:
        identity = self.alive(self.own_pid)
        return OwnProcess(self.own_pid, Stat("exporter", identity.start // TICK_NS, 0, 0)) if identity else None

    def exists(self, pid: int) -> bool:
        return self.alive(pid) is not None

    def describe(self, pid: int, comm: str) -> ProcessInfo:
        self.described += 1
        return ProcessInfo(self.program or f"{comm} of {pid}")
