"""The groups that series are kept in: those of one process each, and those that processes share by name.

Every group ends some day, and then is never shown again: no byte moves from it to another.
"""

from collections.abc import Iterator
from itertools import islice

from exporter.counting.series import Limits, SeriesGroup
from exporter.model import Count, Identity, Row, Rows

OTHER = "other"
RESET_SHOWN_NS = 60_000_000_000
"""How long series that take the labels of earlier ones stay at zero: every Prometheus has to see the reset."""
IDLE_NS = 3_600_000_000_000
"""A name that has not moved for this time gives way to another."""

_Labels = tuple[int, str]
"""Process id and name."""


class TrackedGroups:
    """The groups of one process each: at most ``process_max``, those that linger included; brokers may exceed it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._groups: dict[int, dict[str, SeriesGroup]] = {}
        self._count = 0
        self._lingering: dict[_Labels, SeriesGroup] = {}
        """Those whose process has left them, in this order."""
        self._ended_rows: dict[_Labels, tuple[Row, ...]] = {}
        """What was shown with labels that may be taken again; at most as many as there are groups."""
        self._at_zero_until_ns: dict[_Labels, int] = {}
        self.evicted = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[SeriesGroup]:
        for by_comm in self._groups.values():
            yield from by_comm.values()

    @property
    def lingering(self) -> int:
        """How many have been left by their process."""
        return len(self._lingering)

    def get_or_open(
        self, identity: Identity, comm: str, since_ns: int, now_ns: int, *, is_broker: bool
    ) -> SeriesGroup | None:
        """Return the group of a process under its present name, opened if it is new.

        None when there is no room, while an earlier process with the same id has series, and while the group is kept
        at zero. Groups that linger give way, the oldest first.
        """
        by_comm = self._groups.get(identity.pid, {})
        if any(group.owner != identity for group in by_comm.values()):
            return None
        labels = (identity.pid, comm)
        if comm not in by_comm:
            if not self._make_room(self._limits.process_max + (self._limits.brokers_max if is_broker else 0)):
                return None
            self._open(labels, identity, since_ns, now_ns)
        if self._at_zero_until_ns.get(labels, now_ns) > now_ns:
            return None
        self._at_zero_until_ns.pop(labels, None)
        group = self._groups[identity.pid][comm]
        self._lingering.pop(labels, None)
        group.left_ns = None
        return group

    def leave(self, group: SeriesGroup, now_ns: int) -> None:
        """Note that the process of a group does not count in it any more."""
        if group.owner and not group.is_ended:
            labels = (group.owner.pid, group.comm)
            self._lingering.pop(labels, None)
            self._lingering[labels] = group
            group.left_ns = now_ns
            group.is_final_shown = False

    def leave_all(self, identity: Identity, now_ns: int) -> None:
        """Note that a process has exited."""
        for group in self._groups.get(identity.pid, {}).values():
            if group.owner == identity and group.left_ns is None:
                self.leave(group, now_ns)

    def note_shown(self) -> None:
        """Note that a scrape has shown all groups: those that linger may end now."""
        for group in self._lingering.values():
            group.is_final_shown = True

    def expire(self, now_ns: int) -> None:
        """End the series of processes that left them more than the linger time ago, and that a scrape has shown."""
        oldest_ns = now_ns - self._limits.linger_ns
        while self._lingering:
            labels, group = next(iter(self._lingering.items()))
            if not group.is_final_shown or (group.left_ns is not None and group.left_ns >= oldest_ns):
                return
            self._end(labels)

    def _make_room(self, limit: int) -> bool:
        needed = max(0, self._count + 1 - limit)
        oldest = list(islice(self._lingering.items(), needed))
        if len(oldest) < needed or not all(group.is_final_shown for _, group in oldest):
            return False
        for labels, _ in oldest:
            self._end(labels)
        self.evicted += needed
        return True

    def _open(self, labels: _Labels, identity: Identity, since_ns: int, now_ns: int) -> None:
        pid, comm = labels
        group = SeriesGroup(str(pid), comm, since_ns, identity)
        if ended := self._ended_rows.pop(labels, None):
            group.since_ns = now_ns
            group.carried_over = {row: Count(0, 0, now_ns) for row in ended}
            self._at_zero_until_ns[labels] = now_ns + RESET_SHOWN_NS
        self._groups.setdefault(pid, {})[comm] = group
        self._count += 1

    def _end(self, labels: _Labels) -> None:
        pid, comm = labels
        group = self._groups[pid].pop(comm)
        if not self._groups[pid]:
            del self._groups[pid]
        self._count -= 1
        self._lingering.pop(labels, None)
        self._at_zero_until_ns.pop(labels, None)
        group.is_ended = True
        self._ended_rows.pop(labels, None)
        self._ended_rows[labels] = tuple(group.carried_over)
        while len(self._ended_rows) > self._limits.process_max + self._limits.brokers_max:
            del self._ended_rows[next(iter(self._ended_rows))]


class SharedGroups:
    """The groups that all processes of a name share: at most ``comms_max`` names, and one for all others."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._groups: dict[str, SeriesGroup] = {}
        self._shown: dict[str, tuple[Rows, int]] = {}
        """What each name last showed, and since when."""
        self._refused: set[str] = set()
        """Names that found no place; at most as many as there are places."""
        self._last_end_ns = 0

    def __iter__(self) -> Iterator[SeriesGroup]:
        return iter(self._groups.values())

    def get_or_open(self, comm: str, since_ns: int) -> SeriesGroup:
        """Return the group of a name, opened if it is new; that of all others when there is no room."""
        name = comm
        if comm not in self._groups and len(self._groups.keys() - {OTHER}) >= self._limits.comms_max:
            if len(self._refused) < self._limits.comms_max:
                self._refused.add(comm)
            name = OTHER
        if name not in self._groups:
            pid = "" if self._limits.by_comm else OTHER
            self._groups[name] = SeriesGroup(pid, name, max(since_ns, self._last_end_ns))
        return self._groups[name]

    def end_idle(self, rows: dict[str, Rows], now_ns: int) -> bool:
        """Note what each name shows now, and end as many that have not moved for an hour as found no place before.

        Those that have not moved for longest end first. Returns whether any has ended.
        """
        for name, present in rows.items():
            before = self._shown.get(name)
            if before is None or before[0] != present:
                self._shown[name] = (present, now_ns)
        idle = sorted((since_ns, name) for name, (_, since_ns) in self._shown.items() if since_ns <= now_ns - IDLE_NS)
        ending = [name for _, name in idle if name != OTHER][: len(self._refused)]
        self._refused.clear()
        for name in ending:
            self._groups.pop(name).is_ended = True
            del self._shown[name]
            self._last_end_ns = now_ns
        return bool(ending)
