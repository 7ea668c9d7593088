"""Why a listener sends without zero copy, from what the probes counted, and what network devices can.

Evidence and inference: docs/kafka.md has a line for each reason.
"""

import errno
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.host.network_devices import Devices
from exporter.kafka.broker import Broker, Listener
from exporter.model import Endpoint, Operation, RowKind, Rows

WINDOW_NS = 300_000_000_000
"""What counts is that of the last five minutes."""
_STEP_NS = 15_000_000_000
MIN_BYTES = 16 << 20
"""Less than this within the window is no loss worth a word."""
_SHARE = 0.1
_ANSWER_BYTES = 1024
"""A write without records (an acknowledgement, the head of a response) is shorter than this."""
_ENCRYPTED = ("SSL", "SASL_SSL")
_REFUSALS = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""After these a JVM copies. Others end the connection (EPIPE), or are for later (EAGAIN)."""


class Loss(NamedTuple):
    """A listener that sends records without zero copy, and the reason."""

    pid: int
    comm: str
    node_id: str
    listener: str
    port: int
    reason: str


class Sent(NamedTuple):
    """What one port sent."""

    copied: int = 0
    calls: int = 0
    """That copied."""
    referenced: int = 0

    def since(self, before: "Sent") -> "Sent":
        """What was added."""
        return Sent(*(now - then for now, then in zip(self, before, strict=True)))

    @property
    def records(self) -> int:
        """Bytes that were copied and cannot be mere answers; negative where answers are many."""
        return self.copied - self.calls * _ANSWER_BYTES

    @property
    def loses(self) -> bool:
        """Whether records are copied to a notable part."""
        return self.records >= max(MIN_BYTES, _SHARE * (self.records + self.referenced))


@dataclass(frozen=True)
class Seen:
    """What was counted of one broker."""

    ports: Mapping[int, Sent] = field(default_factory=dict)
    read: int = 0
    """Bytes of files, copied to it."""
    refused: int = 0
    """Calls of sendfile that the kernel would not do."""


@dataclass(frozen=True)
class _Moment:
    at_ns: int
    brokers: Mapping[tuple[int, int], Seen]
    transmitted: Mapping[str, int]


def seen(rows: Rows) -> Seen:
    """The sums that matter here, of a broker's own rows."""
    ports: dict[int, Sent] = {}
    read = refused = 0
    for row, count in rows.items():
        if row.kind is RowKind.ERROR and row.operation is Operation.SENDFILE and row.errno_or_bucket in _REFUSALS:
            refused += count.events
        elif row.kind is RowKind.CPU_COPY and (row.source, row.destination) == (Endpoint.PAGE_CACHE, Endpoint.USER):
            read += count.amount
        elif row.port and row.destination is Endpoint.TCP:
            sent = ports.get(row.port, Sent())
            if row.kind is RowKind.ZERO_COPY:
                ports[row.port] = sent._replace(referenced=sent.referenced + count.amount)
            elif row.kind is RowKind.CPU_COPY:
                ports[row.port] = sent._replace(copied=sent.copied + count.amount, calls=sent.calls + count.events)
    return Seen(ports, read, refused)


def reasons(listener: Listener, now: Seen, before: Seen, not_gathered: int) -> Iterator[str]:
    """Why this listener has no zero copy; nothing when it has, or sends too little to tell.

    ``not_gathered``: bytes since ``before`` by devices that cannot gather.
    """
    if listener.protocol in _ENCRYPTED:
        yield "tls"
        return
    sent = now.ports.get(listener.port, Sent()).since(before.ports.get(listener.port, Sent()))
    if sent.loses and now.refused:
        yield "jvm_fallback"
    elif sent.loses and now.read - before.read >= sent.records / 2:
        yield "copied"
    if sent.referenced >= MIN_BYTES and not_gathered >= sent.referenced / 2:
        yield "scatter_gather"


class Losses:
    """The losses of now, from one look to the next; not for several threads at once."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._moments: deque[_Moment] = deque()

    def look(self, now_ns: int, counted: Iterable[tuple[Broker, Rows]]) -> tuple[Loss, ...]:
        """Of these brokers, against what they had counted five minutes ago, or at their start.

        ``now_ns``: of any clock that only goes forward.
        """
        brokers = list(counted)
        now = _Moment(now_ns, {_key(broker): seen(rows) for broker, rows in brokers}, self._transmitted())
        before = self._before(now)
        flat = [device for device, link in self._devices.links.items() if link.scatter_gather is False]
        not_gathered = sum(now.transmitted.get(one, 0) - before.transmitted.get(one, 0) for one in flat)
        found = {
            Loss(broker.pid, broker.comm, broker.facts.node_id, listener.name, listener.port, reason): None
            for broker, _ in brokers
            for listener in broker.facts.listeners
            for reason in reasons(
                listener, now.brokers[_key(broker)], before.brokers.get(_key(broker), Seen()), not_gathered
            )
        }
        return tuple(found)

    def _before(self, now: _Moment) -> _Moment:
        moments = self._moments
        while len(moments) > 1 and moments[1].at_ns <= now.at_ns - WINDOW_NS:
            moments.popleft()
        before = moments[0] if moments else _Moment(now.at_ns, {}, now.transmitted)
        if not moments or now.at_ns - moments[-1].at_ns >= _STEP_NS:
            moments.append(now)
        return before

    def _transmitted(self) -> dict[str, int]:
        try:
            return {device: traffic.transmitted for device, traffic in self._devices.traffic().items()}
        except OSError:  # said by who shows them
            return {}


def _key(broker: Broker) -> tuple[int, int]:
    return broker.pid, broker.start_ticks
