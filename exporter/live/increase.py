"""How much each process has counted from one snapshot to the next. Pure: no input or output."""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from exporter.counting.rows import without_port
from exporter.live.snapshot import Snapshot
from exporter.model import MECHANISMS, Identity, Row, Rows

Additions = dict[Row, tuple[int, int]]
"""How much was added to rows: events and amount, as in :class:`exporter.model.Count`."""


@dataclass(frozen=True)
class Increase:
    """What was counted between two snapshots."""

    total: Additions
    """Of the whole host."""
    processes: Mapping[Identity, Additions]
    """Of the processes that are in the later snapshot, have not ended, and have counted something."""
    ended: Mapping[str, Additions] = field(default_factory=dict)
    """Of the processes that ended in between, by name."""

    def busiest(self, number: int) -> list[Identity]:
        """Return the ``number`` processes that moved most bytes, or made most calls where bytes are equal."""
        return heapq.nlargest(number, self.processes, key=lambda identity: _size(self.processes[identity]))

    def busiest_ended(self, number: int) -> list[str]:
        """Return the same for names of ended processes."""
        return heapq.nlargest(number, self.ended, key=lambda comm: _size(self.ended[comm]))

    def without(self, parts: Iterable[Additions]) -> Additions:
        """Return the total less these parts of it."""
        rest = dict(self.total)
        for part in parts:
            for row, (events, amount) in part.items():
                rest_events, rest_amount = rest.get(row, (0, 0))
                rest[row] = rest_events - events, rest_amount - amount
        return {row: addition for row, addition in rest.items() if any(addition)}


def increase(before: Snapshot, now: Snapshot) -> Increase:
    """Return what was counted from ``before`` to ``now``.

    What a process counts at its end moves from its rows to those of the exited processes, so these are compared as a
    whole: the total is exact whatever processes come and go. The same is true of rows whose port has stopped to be
    watched.
    """
    total = _difference(before.exited, now.exited)
    processes = {}
    for identity, rows in now.processes.items():
        earlier = before.processes.get(identity, {})
        if rows is not earlier and (additions := _difference(earlier, rows)):
            _add_all(total, additions)
            if added := {row: addition for row, addition in additions.items() if row in rows}:
                processes[identity] = added
    for identity in before.processes.keys() - now.processes.keys():
        _add_all(total, _difference(before.processes[identity], {}))
    ended = _ended(before, now, processes)
    return Increase({row: addition for row, addition in total.items() if any(addition)}, processes, ended)


def _ended(before: Snapshot, now: Snapshot, processes: dict[Identity, Additions]) -> dict[str, Additions]:
    """Return what ended processes have counted, by name; takes those whose rows are in the map out of ``processes``."""
    by_name: dict[str, Additions] = {}
    for identity, comm in now.exits.items():
        if identity in processes:
            _add_all(by_name.setdefault(comm, {}), processes.pop(identity))
    for identity, gone in now.ended.items():
        earlier = without_port(before.processes.get(identity, {}))
        _add_all(by_name.setdefault(gone.comm, {}), _difference(earlier, without_port(gone.rows)))
    return {comm: additions for comm, additions in by_name.items() if any(map(any, additions.values()))}


def _difference(before: Rows, now: Rows) -> Additions:
    additions = {}
    for row, count in now.items():
        earlier = before.get(row)
        if earlier is None:
            additions[row] = count.events, count.amount
        elif earlier is not count:
            events, amount, _ = count  # by position: names cost twice as much
            earlier_events, earlier_amount, _ = earlier
            if events != earlier_events or amount != earlier_amount:
                additions[row] = events - earlier_events, amount - earlier_amount
    if not before.keys() <= now.keys():
        for row in before.keys() - now.keys():
            additions[row] = -before[row].events, -before[row].amount
    return additions


def _add_all(total: Additions, additions: Additions) -> None:
    for row, (events, amount) in additions.items():
        before = total.get(row)
        total[row] = (before[0] + events, before[1] + amount) if before else (events, amount)


def _size(additions: Additions) -> tuple[int, int]:
    moved = sum([amount for row, (_, amount) in additions.items() if row.kind in MECHANISMS])
    return moved, sum([events for events, _ in additions.values()])
