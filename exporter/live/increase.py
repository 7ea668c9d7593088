"""How much each process has counted from one snapshot to the next. Pure: no input or output."""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from exporter.live.snapshot import Snapshot
from exporter.model import MECHANISMS, Count, Identity, Row, Rows


class Addition(NamedTuple):
    """How much of a row was added; as the numbers of :class:`Count`."""

    events: int
    amount: int


Additions = dict[Row, Addition]
_NOTHING = Count(0, 0, 0)


@dataclass(frozen=True)
class Increase:
    """What was counted between two snapshots."""

    total: Additions
    """Of the whole host."""
    processes: Mapping[Identity, Additions]
    """Of the processes that are in the later snapshot and have counted something."""

    def busiest(self, number: int) -> list[Identity]:
        """Return the ``number`` processes that moved most bytes, or made most calls where bytes are equal."""
        return heapq.nlargest(number, self.processes, key=lambda identity: _size(self.processes[identity]))

    def without(self, identities: Iterable[Identity]) -> Additions:
        """Return the total less what these processes have counted."""
        rest = dict(self.total)
        for identity in identities:
            for row, addition in self.processes[identity].items():
                _add(rest, row, -addition.events, -addition.amount)
        return {row: addition for row, addition in rest.items() if any(addition)}


def increase(before: Snapshot, now: Snapshot) -> Increase:
    """Return what was counted from ``before`` to ``now``.

    What a process counts at its end moves from its rows to those of the exited processes, so these are compared as a
    whole: the total is exact whatever processes come and go.
    """
    total = _difference(before.exited, now.exited)
    processes = {}
    for identity, rows in now.processes.items():
        earlier = before.processes.get(identity, {})
        if rows is not earlier and (additions := _difference(earlier, rows)):
            processes[identity] = additions
            _add_all(total, additions)
    for identity in before.processes.keys() - now.processes.keys():
        _add_all(total, _difference(before.processes[identity], {}))
    return Increase({row: addition for row, addition in total.items() if any(addition)}, processes)


def _difference(before: Rows, now: Rows) -> Additions:
    changed = {row: count for row, count in now.items() if before.get(row) != count}
    additions = {row: _subtract(count, before.get(row, _NOTHING)) for row, count in changed.items()}
    if not before.keys() <= now.keys():
        additions |= {row: _subtract(_NOTHING, before[row]) for row in before.keys() - now.keys()}
    return additions


def _subtract(count: Count, before: Count) -> Addition:
    return Addition(count.events - before.events, count.amount - before.amount)


def _add_all(total: Additions, additions: Additions) -> None:
    for row, addition in additions.items():
        _add(total, row, *addition)


def _add(total: Additions, row: Row, events: int, amount: int) -> None:
    before = total.get(row)
    total[row] = Addition(before.events + events, before.amount + amount) if before else Addition(events, amount)


def _size(additions: Additions) -> tuple[int, int]:
    moved = sum(addition.amount for row, addition in additions.items() if row.kind in MECHANISMS)
    return moved, sum(addition.events for addition in additions.values())
