"""Detect that a listener sends without zero copy, and why, from the probes' counts and the network devices' features.

docs/kafka.md lists for each reason what is evidence and what is inferred.
"""

import errno
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.host.network_devices import Devices
from exporter.kafka.broker import Broker, Listener, Node
from exporter.model import Endpoint, Operation, RowKind, Rows

WINDOW_NS = 300_000_000_000
"""Only what was counted in the last five minutes is evidence."""
_SAMPLE_INTERVAL_NS = 15_000_000_000
MIN_BYTES = 16 << 20
"""Fewer bytes within the window are not reported as a loss."""
_MIN_SHARE = 0.1
_MAX_ACKNOWLEDGEMENT_BYTES = 1024
"""A write without records, such as an acknowledgement or the header of a response, is shorter than this."""
_ENCRYPTED = ("SSL", "SASL_SSL")
_REFUSALS = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""After these errors of sendfile a JVM copies. Others end the connection (EPIPE) or the JVM retries (EAGAIN)."""


class Loss(NamedTuple):
    """A listener that sends records without zero copy, and the reason."""

    pid: int
    comm: str
    node: Node
    listener: str
    port: int
    reason: str


class PortTraffic(NamedTuple):
    """What was sent from one port."""

    copied_bytes: int = 0
    copying_calls: int = 0
    zero_copy_bytes: int = 0

    def since(self, before: "PortTraffic") -> "PortTraffic":
        """The increase since ``before``."""
        return PortTraffic(*(now - then for now, then in zip(self, before, strict=True)))

    @property
    def copied_record_bytes(self) -> int:
        """Copied bytes that cannot be acknowledgements; negative where acknowledgements are many."""
        return self.copied_bytes - self.copying_calls * _MAX_ACKNOWLEDGEMENT_BYTES

    @property
    def lost_zero_copy(self) -> bool:
        """Whether at least 16 MiB, and a tenth, of the records were copied."""
        return self.is_loss(self.copied_record_bytes)

    def is_loss(self, records: int) -> bool:
        """Whether so many copied bytes of records are at least 16 MiB, and a tenth of all records."""
        return records >= max(MIN_BYTES, _MIN_SHARE * (records + self.zero_copy_bytes))


class FolderBytes(NamedTuple):
    """What a broker did with its partition folders."""

    read_to_serve: int = 0
    """Copied from them by threads that serve clients, or whose role is not known."""
    fetched: int = 0
    """Written to them by threads that fetch from leaders."""


NO_FOLDERS = FolderBytes()


@dataclass(frozen=True)
class Observation:
    """What was counted of one broker."""

    ports: Mapping[int, PortTraffic] = field(default_factory=dict)
    folders: FolderBytes = NO_FOLDERS
    received_elsewhere: int = 0
    """Received over connections that the broker has opened: to leaders and to a remote tier."""
    refused_sendfiles: int = 0
    """Calls of sendfile that the kernel refused."""


@dataclass(frozen=True)
class _Sample:
    at_ns: int
    observations: Mapping[tuple[int, int], Observation]
    """By process id and start of the broker."""
    transmitted: Mapping[str, int]
    """Bytes by network device."""


def observe(rows: Rows, folders: FolderBytes = NO_FOLDERS) -> Observation:
    """Add up a broker's rows."""
    ports: dict[int, PortTraffic] = {}
    received_elsewhere = refused = 0
    for row, count in rows.items():
        if row.kind is RowKind.ERROR and row.operation is Operation.SENDFILE and row.errno_or_bucket in _REFUSALS:
            refused += count.events
        elif row.kind is RowKind.CPU_COPY and row.source is Endpoint.TCP and not row.port:
            received_elsewhere += count.amount
        elif row.port and row.destination is Endpoint.TCP:
            traffic = ports.get(row.port, PortTraffic())
            if row.kind is RowKind.ZERO_COPY:
                ports[row.port] = traffic._replace(zero_copy_bytes=traffic.zero_copy_bytes + count.amount)
            elif row.kind is RowKind.CPU_COPY:
                ports[row.port] = traffic._replace(
                    copied_bytes=traffic.copied_bytes + count.amount,
                    copying_calls=traffic.copying_calls + count.events,
                )
    return Observation(ports, folders, received_elsewhere, refused)


def find_reasons(
    listener: Listener,
    now: Observation,
    before: Observation,
    bytes_without_scatter_gather: int,
    encrypted_ports: Collection[int] = (),
) -> Iterator[str]:
    """The reasons why a listener has lost zero copy; none when it has not, or sends too little to decide.

    ``bytes_without_scatter_gather``: sent since ``before`` by network devices without that feature.
    ``encrypted_ports``: those of the broker that use TLS, for which it reads all that it sends.
    """
    if listener.protocol in _ENCRYPTED and not now.ports.get(listener.port, PortTraffic()).zero_copy_bytes:
        yield "tls"
        return
    traffic = now.ports.get(listener.port, PortTraffic()).since(before.ports.get(listener.port, PortTraffic()))
    if traffic.lost_zero_copy and now.refused_sendfiles:
        yield "jvm_fallback"
    elif traffic.is_loss(min(_read_for_plaintext(now, before, encrypted_ports), traffic.copied_bytes)):
        yield "copied"
    elif traffic.lost_zero_copy and _read_from_remote(now, before) >= traffic.copied_record_bytes / 2:
        yield "remote"
    if traffic.zero_copy_bytes >= MIN_BYTES and bytes_without_scatter_gather >= traffic.zero_copy_bytes / 2:
        yield "scatter_gather"


def _read_for_plaintext(now: Observation, before: Observation, encrypted_ports: Collection[int]) -> int:
    """Bytes that were copied from partition folders to serve clients, without what was sent encrypted."""
    encrypted = sum(
        traffic.since(before.ports.get(port, PortTraffic())).copied_bytes
        for port, traffic in now.ports.items()
        if port in encrypted_ports
    )
    return now.folders.read_to_serve - before.folders.read_to_serve - encrypted


def _read_from_remote(now: Observation, before: Observation) -> int:
    """Bytes that were received over the broker's own connections, without what it fetched from leaders."""
    received = now.received_elsewhere - before.received_elsewhere
    return received - (now.folders.fetched - before.folders.fetched)


class LossDetector:
    """Compares counts with those of five minutes ago. Not for several threads at once."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._samples: deque[_Sample] = deque()

    def evaluate(
        self,
        now_ns: int,
        brokers: Iterable[tuple[Broker, Rows]],
        folders: Mapping[tuple[int, int], FolderBytes],
    ) -> tuple[Loss, ...]:
        """The losses of these brokers within the last five minutes, or since their start.

        ``now_ns``: of any clock that never decreases. ``brokers``: each with its rows.
        ``folders``: what they did with their partition folders since they were found, by process id and start in ticks.
        """
        rows_by_broker = list(brokers)
        observations = {
            _key(broker): observe(rows, folders.get(_key(broker), NO_FOLDERS)) for broker, rows in rows_by_broker
        }
        now = _Sample(now_ns, observations, self._transmitted())
        before = self._advance_window(now)
        bytes_without_scatter_gather = self._bytes_without_scatter_gather(now, before)
        losses = {
            Loss(broker.pid, broker.comm, broker.node, listener.name, listener.port, reason): None
            for broker, _ in rows_by_broker
            for listener in broker.facts.listeners
            for reason in find_reasons(
                listener,
                observations[_key(broker)],
                before.observations.get(_key(broker), Observation()),
                bytes_without_scatter_gather,
                [other.port for other in broker.facts.listeners if other.protocol in _ENCRYPTED],
            )
        }
        return tuple(losses)

    def _advance_window(self, now: _Sample) -> _Sample:
        """Keep a sample every 15 s, drop those before the window; returns the one to compare with."""
        samples = self._samples
        while len(samples) > 1 and samples[1].at_ns <= now.at_ns - WINDOW_NS:
            samples.popleft()
        before = samples[0] if samples else _Sample(now.at_ns, {}, now.transmitted)
        if not samples or now.at_ns - samples[-1].at_ns >= _SAMPLE_INTERVAL_NS:
            samples.append(now)
        return before

    def _bytes_without_scatter_gather(self, now: _Sample, before: _Sample) -> int:
        """Bytes that devices without scatter-gather have sent between two samples."""
        devices = [device for device, link in self._devices.links.items() if link.scatter_gather is False]
        return sum(now.transmitted.get(device, 0) - before.transmitted.get(device, 0) for device in devices)

    def _transmitted(self) -> dict[str, int]:
        try:
            return {device: traffic.transmitted for device, traffic in self._devices.traffic().items()}
        except OSError:  # reported by the metrics of network devices
            return {}


def _key(broker: Broker) -> tuple[int, int]:
    return broker.pid, broker.start_ticks
