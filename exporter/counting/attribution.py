"""Turns samples into per-process series that never decrease, whatever processes come and go.

No clock, no kernel, no /proc: plain data goes in and comes out. Each process whose rows are in a sample counts in at
most one :class:`SeriesGroup`. When it leaves the group (because it ended, or took another name), what it has counted so
far is *carried over*: it stays in that group for good, and the process starts from zero in its next group. So no byte
is ever in two groups, and none moves from one to another.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field

from exporter.counting.groups import SharedGroups, TrackedGroups
from exporter.counting.maps import Sample
from exporter.counting.rows import add_rows, first_ns, remove_ports, with_ports, without_port
from exporter.counting.series import Limits, SeriesGroup, Snapshot
from exporter.counting.unwatched_ports import UnwatchedPorts
from exporter.host.procfs import ProcessInfo, Stat
from exporter.model import KERNEL, Exit, Identity, Rows

UNKNOWN = "unknown"
_UNSEEN_NS = 5_000_000_000
"""After so long without a sight of it, a process counts under an unknown name."""
_DESCRIBED_PER_SCRAPE = 25
"""How many processes are described again at each scrape, in turn: 50 reads of /proc."""
_LATE_NS = 10_000_000_000
"""How long rows may still come of a process that has ended: its exit reads pages after its last system call."""

Describe = Callable[[Identity, str], ProcessInfo | None]
"""Describes a process with this name; None when it cannot be seen now."""


@dataclass(frozen=True)
class Presence:
    """What was seen of the live processes in a sample, after it was taken."""

    alive: Mapping[Identity, Stat]
    gone: Set[Identity]
    """Processes that certainly do not exist any more. A process in neither is hidden."""
    brokers: Set[tuple[int, int]] = frozenset()
    """Process ids of brokers, with their starts in clock ticks."""


@dataclass(frozen=True)
class LiveSample:
    """A sample without the processes that have exited."""

    processes: Mapping[Identity, Rows]
    finalized: Set[Identity]
    """Exited processes, whose rows in the sample must be forgotten before the next one is taken."""


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
        """What processes have counted that have ended, without ports, and with ports whose series have ended."""
        self._assignments: dict[Identity, _Assignment] = {}
        self._unseen_since_ns: dict[Identity, int] = {}
        self._vanished: set[Identity] = set()
        self._ended: dict[Identity, tuple[SeriesGroup | None, int]] = {}
        self._tracked = TrackedGroups(limits)
        self._shared = SharedGroups(limits)
        self._unwatched_ports = UnwatchedPorts(limits.linger_ns)
        self._to_describe: list[Identity] = []

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
            self._carry_over_late(identity, sample.processes[identity], now_ns)
        for gone in exited:
            if gone.identity not in self._ended:  # its last two threads may both have reported the exit
                self._end(gone, sample.processes.get(gone.identity, {}), now_ns)
        self._expire(now_ns)
        live = {identity: rows for identity, rows in sample.processes.items() if identity not in identities}
        return LiveSample(live, identities)

    def end_ports(self, live: LiveSample, watched: Set[int], now_ns: int) -> Set[int]:
        """End the series of ports that have not been watched for a while.

        Returns these ports. The rows in the sample that have them must be forgotten before the next one is taken.
        """
        groups = [*self._tracked, *self._shared]
        shown = [*live.processes.values(), *(group.carried_over for group in groups)]
        ended = self._unwatched_ports.end(shown, watched, now_ns)
        if ended:
            for identity, rows in live.processes.items():
                add_rows(self._host, without_port(with_ports(rows, ended)))
                if assignment := self._assignments.get(identity):
                    remove_ports(assignment.base, ended)
            for rows in shown:
                remove_ports(rows, ended)
        return ended

    def update(self, live: LiveSample, presence: Presence, now_ns: int, describe: Describe) -> Snapshot:
        """Assign each process to the group of its present name, and return what a scrape shows."""
        for identity, rows in live.processes.items():
            stat = presence.alive.get(identity)
            if stat:
                is_broker = (identity.pid, identity.start_ticks) in presence.brokers
                self._assign(identity, stat, rows, now_ns, is_broker=is_broker)
            elif identity != KERNEL:
                self._note_unseen(identity, rows, now_ns)
        self._describe(describe)
        self._vanished = set(presence.gone)
        hidden = live.processes.keys() - presence.alive.keys() - presence.gone - {KERNEL}
        return self._snapshot(live.processes, len(hidden), now_ns)

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
        self._unseen_since_ns.pop(gone.identity, None)
        self._tracked.leave_all(gone.identity, now_ns)
        assignment = self._assignments.pop(gone.identity, None)
        if assignment is None and not rows:
            return  # most processes that end have counted nothing: they must not take up a name
        base = assignment.base if assignment else {}
        if assignment and not (assignment.group and assignment.group.is_ended):
            group = assignment.group
        else:
            group = (
                self._shared_group(gone.comm, rows, base, now_ns)
                if rows != base or not assignment
                else assignment.group
            )
        self._carry_over(group, rows, base)
        self._ended[gone.identity] = (group, now_ns)

    def _carry_over_late(self, identity: Identity, rows: Rows, now_ns: int) -> None:
        """Carry over what a process counted while it exited."""
        group, ended_ns = self._ended[identity]
        if group and group.is_ended:
            group = self._shared_group(group.comm, rows, {}, now_ns)
            self._ended[identity] = (group, ended_ns)
        self._carry_over(group, rows, {})

    def _carry_over(self, group: SeriesGroup | None, rows: Rows, base: Rows) -> None:
        add_rows(self._host, without_port(rows))
        if group:
            add_rows(group.carried_over, rows, base)

    def _assign(self, identity: Identity, stat: Stat, rows: Rows, now_ns: int, *, is_broker: bool) -> None:
        """Let a process count in the group of its present name."""
        self._unseen_since_ns.pop(identity, None)
        assignment = self._assignments.get(identity)
        group = self._group(identity, stat.comm, rows, now_ns, is_broker=is_broker)
        if assignment is None:
            self._assignments[identity] = _Assignment(group)
        elif assignment.group and assignment.group.is_ended:
            assignment.group = group  # its base is what it had counted when its series ended
        elif assignment.group is not group:
            if assignment.group:
                self._tracked.leave(assignment.group, now_ns)
            _reassign(assignment, group, rows)
        if group and group.owner:
            group.stat = stat

    def _group(self, identity: Identity, comm: str, rows: Rows, now_ns: int, *, is_broker: bool) -> SeriesGroup | None:
        if self._limits.leave_out(comm):
            return None
        assignment = self._assignments.get(identity)
        if not self._limits.by_comm:
            since_ns = now_ns if assignment else first_ns(rows, now_ns)
            if group := self._tracked.get_or_open(identity, comm, since_ns, now_ns, is_broker=is_broker):
                return group
        if assignment and assignment.group and assignment.group.is_ended and assignment.base == rows:
            return assignment.group  # a name that does not move takes no place
        return self._shared_group(comm, rows, assignment.base if assignment else {}, now_ns)

    def _note_unseen(self, identity: Identity, rows: Rows, now_ns: int) -> None:
        assignment = self._assignments.get(identity)
        if assignment is None:
            if now_ns - self._unseen_since_ns.setdefault(identity, now_ns) >= _UNSEEN_NS:
                self._assignments[identity] = _Assignment(self._shared_group(UNKNOWN, rows, {}, now_ns))
        elif assignment.group and assignment.group.is_ended and assignment.base != rows:
            assignment.group = self._shared_group(assignment.group.comm, rows, assignment.base, now_ns)

    def _shared_group(self, comm: str, rows: Rows, base: Rows, now_ns: int) -> SeriesGroup | None:
        """Return the group that all processes of a name share; None when they are left out."""
        if self._limits.leave_out(comm):
            return None
        return self._shared.get_or_open(comm, now_ns if base else first_ns(rows, now_ns))

    def _describe(self, describe: Describe) -> None:
        """Describe new processes, and some of the others in turn: an exec or a move leave the name as it is."""
        groups = {group.owner: group for group in self._tracked if group.owner and group.left_ns is None}
        self._to_describe = [identity for identity in self._to_describe if identity in groups] or list(groups)
        due = set(self._to_describe[:_DESCRIBED_PER_SCRAPE])
        del self._to_describe[:_DESCRIBED_PER_SCRAPE]
        for identity, group in groups.items():
            if group.info is None or identity in due:
                group.info = describe(identity, group.comm) or group.info or ProcessInfo(name=group.comm)

    def _expire(self, now_ns: int) -> None:
        self._tracked.expire(now_ns)
        while self._ended:
            identity, (_, ended_ns) = next(iter(self._ended.items()))
            if now_ns - ended_ns <= _LATE_NS:
                return
            del self._ended[identity]

    def _snapshot(self, processes: Mapping[Identity, Rows], hidden: int, now_ns: int) -> Snapshot:
        host = dict(self._host)
        live: dict[int, list[tuple[Rows, Rows]]] = {}
        for identity, rows in processes.items():
            add_rows(host, rows)
            assignment = self._assignments.get(identity)
            if assignment and assignment.group:
                live.setdefault(id(assignment.group), []).append((rows, assignment.base))
        tracked = [group.series(live.get(id(group), ())) for group in self._tracked]
        self._tracked.note_shown()
        shared = [group.series(live.get(id(group), ())) for group in self._shared]
        aggregated = sum(len(live.get(id(group), ())) for group in self._shared)
        if self._shared.end_idle({series.comm: series.rows for series in shared}, now_ns):
            self._rebase(processes)
        return Snapshot(
            host=host,
            series=[*tracked, *shared],
            tracked=len(self._tracked) - self._tracked.lingering,
            exited=self._tracked.lingering,
            aggregated=aggregated,
            hidden=hidden,
            evicted=self._tracked.evicted,
            by_comm=self._limits.by_comm,
        )

    def _rebase(self, processes: Mapping[Identity, Rows]) -> None:
        """Let processes whose group has just ended count from zero, once they count again."""
        for identity, rows in processes.items():
            assignment = self._assignments.get(identity)
            if assignment and assignment.group and assignment.group.is_ended:
                assignment.base = rows


def _reassign(assignment: _Assignment, group: SeriesGroup | None, rows: Rows) -> None:
    """Carry over what a process has counted, and let it start from zero in another group."""
    if assignment.group:
        add_rows(assignment.group.carried_over, rows, assignment.base)
    assignment.group = group
    assignment.base = rows
