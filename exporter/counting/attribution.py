"""Turns samples into per-process series that never decrease, whatever processes come and go.

No clock, no kernel, no /proc: plain data goes in and comes out. Each process whose rows are in a sample counts in at
most one :class:`SeriesGroup`. When it leaves the group (because it ended, or took another name), what it has counted so
far is *carried over*: it stays in that group for good, and the process starts from zero in its next group. So no byte
is ever in two groups, and none moves from one to another.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field

from exporter.counting.maps import Sample
from exporter.counting.rows import add_rows, first_ns
from exporter.counting.series import Limits, SeriesGroup, Snapshot, TrackedGroups
from exporter.host.procfs import ProcessInfo, Stat
from exporter.model import Exit, Identity, Rows

OTHER = "other"
UNKNOWN = "unknown"
_UNSEEN_SCRAPES = 3
"""After so many scrapes without a sight of it in /proc, a process counts under an unknown name."""
_LATE_NS = 10_000_000_000
"""How long rows may still come of a process that has ended: its exit reads pages after its last system call."""

Describe = Callable[[int, str], ProcessInfo]
"""Describes the process with this id and this name."""


@dataclass(frozen=True)
class Presence:
    """What /proc showed of the live processes in a sample, after it was taken."""

    alive: Mapping[Identity, Stat]
    gone: Set[Identity]
    """Processes that certainly do not exist any more. A process in neither is hidden."""


@dataclass(frozen=True)
class LiveSample:
    """A sample without the processes that have exited."""

    processes: Mapping[Identity, Rows]
    finalized_keys: list[bytes]
    """Map keys of exited processes. Delete them before the next sample is taken, and soon: what is added to these rows
    after the sample is lost."""


@dataclass
class _Assignment:
    """The group that a process counts in, from ``base`` on; None: in the host's totals alone."""

    group: SeriesGroup | None
    base: Rows = field(default_factory=dict)


class Attribution:
    """The groups, from one sample to the next. Times are nanoseconds of CLOCK_BOOTTIME."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._host: Rows = {}
        """What processes have counted that have ended."""
        self._assignments: dict[Identity, _Assignment] = {}
        self._unseen_scrapes: dict[Identity, int] = {}
        self._vanished: set[Identity] = set()
        self._ended: dict[Identity, tuple[SeriesGroup | None, int]] = {}
        self._tracked = TrackedGroups(limits)
        self._shared: dict[str, SeriesGroup] = {}

    @property
    def awaits_exits(self) -> bool:
        """Whether processes had gone from /proc at the last update, before their exits were taken."""
        return bool(self._vanished)

    @property
    def exited_rows(self) -> Rows:
        """A copy of what exited processes have counted, those without series included."""
        return dict(self._host)

    def finalize_exited(self, sample: Sample, exits: Collection[Exit], now_ns: int) -> LiveSample:
        """Carry over the last counts of exited processes, and return the sample without them.

        ``exits`` must have been taken before ``sample``: then the rows of those processes in it are final.
        """
        exited = [*exits, *self._lost_exits(exits, sample.processes)]
        identities = self._identities_to_finalize(exited, sample.processes)
        for identity in identities & self._ended.keys():
            self._carry_over(self._ended[identity][0], sample.processes[identity], {})
        for gone in exited:
            if gone.identity not in self._ended:  # its last two threads may both have reported the exit
                self._end(gone, sample.processes.get(gone.identity, {}), now_ns)
        self._expire(now_ns)
        return LiveSample(
            {identity: rows for identity, rows in sample.processes.items() if identity not in identities},
            [key for identity in identities for key in sample.keys[identity]],
        )

    def update(self, live: LiveSample, presence: Presence, now_ns: int, describe: Describe) -> Snapshot:
        """Assign each process to the group of its present name, and return what a scrape shows."""
        for identity, rows in live.processes.items():
            stat = presence.alive.get(identity)
            if stat:
                self._assign(identity, stat, rows, now_ns, describe)
            else:
                self._note_unseen(identity, rows, now_ns)
        self._vanished = set(presence.gone)
        return self._snapshot(live.processes)

    def _lost_exits(self, exits: Collection[Exit], processes: Mapping[Identity, Rows]) -> list[Exit]:
        """Return the processes that had gone at the last update, and whose exit has not come since: it was lost."""
        lost = (self._vanished & processes.keys()) - {gone.identity for gone in exits}
        self._vanished = set()
        return [Exit(identity, self._comm_of(identity)) for identity in lost]

    def _identities_to_finalize(self, exited: Iterable[Exit], processes: Mapping[Identity, Rows]) -> set[Identity]:
        """Return the processes in the sample that exit now, and those whose rows come late."""
        return processes.keys() & ({gone.identity for gone in exited} | self._ended.keys())

    def _comm_of(self, identity: Identity) -> str:
        assignment = self._assignments.get(identity)
        return assignment.group.comm if assignment and assignment.group else UNKNOWN

    def _end(self, gone: Exit, rows: Rows, now_ns: int) -> None:
        """Finalize a process. If no scrape saw it alive, it counts in the group that its name shares."""
        assignment = self._assignments.pop(gone.identity, None)
        if assignment is None and not rows:
            return  # most processes that end have counted nothing: they must not take up a name
        group = assignment.group if assignment else self._shared_group(gone.comm, rows, now_ns)
        self._carry_over(group, rows, assignment.base if assignment else {})
        if group and group.owner:
            group.left_ns = now_ns
        self._unseen_scrapes.pop(gone.identity, None)
        self._ended[gone.identity] = (group, now_ns)

    def _carry_over(self, group: SeriesGroup | None, rows: Rows, base: Rows) -> None:
        add_rows(self._host, rows)
        if group:
            add_rows(group.carried_over, rows, base)

    def _assign(self, identity: Identity, stat: Stat, rows: Rows, now_ns: int, describe: Describe) -> None:
        """Let a process count in the group of its present name."""
        self._unseen_scrapes.pop(identity, None)
        assignment = self._assignments.get(identity)
        group = None if self._limits.leave_out(stat.comm) else self._group(identity, stat.comm, rows, now_ns)
        if assignment is None:
            self._assignments[identity] = _Assignment(group)
        elif assignment.group is not group:
            _reassign(assignment, group, rows, now_ns)
        if group and group.owner:
            group.left_ns = None
            group.stat = stat
            group.info = group.info or describe(identity.pid, stat.comm)

    def _group(self, identity: Identity, comm: str, rows: Rows, now_ns: int) -> SeriesGroup | None:
        if self._limits.by_comm:
            return self._shared_group(comm, rows, now_ns)
        since_ns = now_ns if identity in self._assignments else first_ns(rows, now_ns)
        return self._tracked.get_or_open(identity, comm, since_ns) or self._shared_group(comm, rows, now_ns)

    def _note_unseen(self, identity: Identity, rows: Rows, now_ns: int) -> None:
        if identity in self._assignments:
            return
        self._unseen_scrapes[identity] = self._unseen_scrapes.get(identity, 0) + 1
        if self._unseen_scrapes[identity] >= _UNSEEN_SCRAPES:
            self._assignments[identity] = _Assignment(self._shared_group(UNKNOWN, rows, now_ns))

    def _shared_group(self, comm: str, rows: Rows, now_ns: int) -> SeriesGroup | None:
        """Return the group that all processes of a name share; None when they are left out."""
        if self._limits.leave_out(comm):
            return None
        name = comm if comm in self._shared or len(self._shared) < self._limits.comms_max else OTHER
        if name not in self._shared:
            pid = "" if self._limits.by_comm else OTHER
            self._shared[name] = SeriesGroup(pid, name, first_ns(rows, now_ns))
        return self._shared[name]

    def _expire(self, now_ns: int) -> None:
        self._tracked.expire(now_ns)
        while self._ended:
            identity, (_, ended_ns) = next(iter(self._ended.items()))
            if now_ns - ended_ns <= _LATE_NS:
                return
            del self._ended[identity]

    def _snapshot(self, processes: Mapping[Identity, Rows]) -> Snapshot:
        host = dict(self._host)
        live: dict[int, list[tuple[Rows, Rows]]] = {}
        for identity, rows in processes.items():
            add_rows(host, rows)
            assignment = self._assignments.get(identity)
            if assignment and assignment.group:
                live.setdefault(id(assignment.group), []).append((rows, assignment.base))
        groups = [*self._tracked, *self._shared.values()]
        tracked = sum(group.left_ns is None for group in self._tracked)
        return Snapshot(
            host=host,
            series=[group.series(live.get(id(group), ())) for group in groups],
            tracked=tracked,
            exited=len(self._tracked) - tracked,
            aggregated=sum(len(live.get(id(group), ())) for group in self._shared.values()),
            by_comm=self._limits.by_comm,
        )


def _reassign(assignment: _Assignment, group: SeriesGroup | None, rows: Rows, now_ns: int) -> None:
    """Carry over what a process has counted, and let it start from zero in another group."""
    if assignment.group:
        add_rows(assignment.group.carried_over, rows, assignment.base)
        if assignment.group.owner:
            assignment.group.left_ns = now_ns
    assignment.group = group
    assignment.base = rows
