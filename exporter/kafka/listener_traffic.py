"""Add up the bytes of brokers' listeners, in totals that never decrease. Pure: no input or output.

The totals continue when a broker restarts, and end some time after the brokers that they are of have exited.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from exporter.kafka.broker import Broker, Node
from exporter.model import MECHANISMS, Count, Endpoint, Identity, Row, RowKind, Rows

OTHER = "other"
SENT, RECEIVED = "sent", "received"
_LINGER_NS = 300_000_000_000
"""Totals continue if a broker restarts within this time."""
_MAX_LISTENERS = 100
"""That have totals of their own: programs that look like brokers can have a new name for each start."""
_KINDS = (RowKind.CPU_COPY, RowKind.ZERO_COPY)


class ListenerKey(NamedTuple):
    """What the totals are kept by: the labels of a listener's series."""

    node: Node
    listener: str
    port: str


class Traffic(NamedTuple):
    """What went over a listener, one way and by one mechanism."""

    direction: str
    mechanism: str


class Amount(NamedTuple):
    """Numbers of a total."""

    bytes: int = 0
    calls: int = 0

    def plus(self, increase: "Amount") -> "Amount":
        """The sum."""
        return Amount(*(mine + more for mine, more in zip(self, increase, strict=True)))


ListenerTotals = Mapping[ListenerKey, Mapping[Traffic, Amount]]
_ZEROS = {
    Traffic(SENT, MECHANISMS[RowKind.CPU_COPY]): Amount(),
    Traffic(SENT, MECHANISMS[RowKind.ZERO_COPY]): Amount(),
    Traffic(RECEIVED, MECHANISMS[RowKind.CPU_COPY]): Amount(),
}
_OTHER_KEY = ListenerKey(Node(OTHER, OTHER), OTHER, "")


class ListenerCounter:
    """Totals by listener."""

    def __init__(self) -> None:
        self._brokers: dict[tuple[int, int], Broker] = {}
        self._counted: dict[Identity, dict[Row, Count]] = {}
        """What each broker had counted at the last reading, of the rows that are in the totals."""
        self._totals: dict[ListenerKey, dict[Traffic, Amount]] = {}
        self._last_ns: dict[Node, int] = {}

    def count(
        self,
        processes: Mapping[Identity, Rows],
        finalized: Collection[Identity],
        brokers: Iterable[Broker],
        now_ns: int,
    ) -> None:
        """Add the increase of each broker's rows. ``finalized``: processes whose rows begin at zero from now on.

        ``now_ns``: of any clock that never decreases.
        """
        running = {(broker.pid, broker.start_ticks): broker for broker in brokers}
        self._brokers |= running
        self._last_ns |= dict.fromkeys((broker.node for broker in running.values()), now_ns)
        for broker in running.values():
            self._begin(broker)
        present = {_process(identity): identity for identity in processes}
        for process, broker in self._brokers.items():
            if identity := present.get(process):
                self._count_broker(identity, broker, processes[identity])
        for identity in finalized:
            self._counted.pop(identity, None)
        self._counted = {identity: rows for identity, rows in self._counted.items() if identity in processes}
        self._brokers = {
            process: broker for process, broker in self._brokers.items() if self._may_count(broker, now_ns)
        }

    def end_totals(self, now_ns: int) -> None:
        """End the totals of brokers that have exited a while ago. Should one return, it starts from zero."""
        self._last_ns = {node: last for node, last in self._last_ns.items() if now_ns - last <= _LINGER_NS}
        self._totals = {
            key: totals for key, totals in self._totals.items() if key.node in self._last_ns or key == _OTHER_KEY
        }

    def totals(self) -> ListenerTotals:
        """The totals by listener."""
        return {key: dict(totals) for key, totals in self._totals.items()}

    def _may_count(self, broker: Broker, now_ns: int) -> bool:
        """Whether rows may still come: those of an exited broker are read after discovery has missed it."""
        return now_ns - self._last_ns.get(broker.node, now_ns) <= _LINGER_NS

    def _begin(self, broker: Broker) -> None:
        """A series begins at zero: a rate needs its first value."""
        for listener in broker.facts.listeners:
            self._totals_of(ListenerKey(broker.node, listener.name, str(listener.port)))

    def _totals_of(self, key: ListenerKey) -> dict[Traffic, Amount]:
        if key not in self._totals and len(self._totals) >= _MAX_LISTENERS:
            return self._totals.setdefault(_OTHER_KEY, {})
        return self._totals.setdefault(key, dict(_ZEROS))

    def _count_broker(self, identity: Identity, broker: Broker, rows: Rows) -> None:
        names = {listener.port: listener.name for listener in broker.facts.listeners}
        counted = self._counted.setdefault(identity, {})
        for row in counted.keys() - rows.keys():  # its slot was freed, and it begins at zero
            del counted[row]
        for row, count in rows.items():
            if row.port in names and (traffic := _traffic(row)):
                before = counted.get(row)
                totals = self._totals_of(ListenerKey(broker.node, names[row.port], str(row.port)))
                totals[traffic] = totals.get(traffic, Amount()).plus(_increase(count, before))
                counted[row] = count


def _traffic(row: Row) -> Traffic | None:
    """Which way a row's bytes went over the socket; None for rows of other kinds."""
    if row.kind not in _KINDS or Endpoint.TCP not in (row.source, row.destination):
        return None
    return Traffic(SENT if row.destination is Endpoint.TCP else RECEIVED, MECHANISMS[row.kind])


def _increase(count: Count, before: Count | None) -> Amount:
    if before is None:
        return Amount(count.amount, count.events)
    return Amount(count.amount - before.amount, count.events - before.events)


def _process(identity: Identity) -> tuple[int, int]:
    return identity.pid, identity.start_ticks
