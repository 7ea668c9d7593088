"""Track the running brokers: their bytes by topic, and the listeners that lost zero copy, from the probes' maps."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from exporter.kafka.broker import Broker
from exporter.kafka.listener_cpu import ListenerCpuCounter
from exporter.kafka.listener_traffic import ListenerCounter, ListenerKey, ListenerTotals
from exporter.kafka.topics import TopicCounter, TopicKey
from exporter.kafka.zero_copy_loss import FolderBytes, Loss, LossDetector
from exporter.model import Folder, FolderTransfer, Identity, Role, Rows, Thread, moved_index

_COUNT_INTERVAL_NS = 10_000_000_000


class BrokerMaps(Protocol):
    """The part of :class:`exporter.counting.maps.KernelMaps` that the tracker needs."""

    def folders(self) -> Mapping[bytes, Folder]:
        """All folders, by their keys."""
        ...

    @property
    def max_folders(self) -> int:
        """How many there is room for."""
        ...

    def network_threads(self) -> dict[Thread, int]:
        """The threads of brokers that use a watched local port, with that port."""
        ...

    def take_folders(self, keys: Iterable[bytes]) -> dict[bytes, Folder]:
        """Delete folders, and return them as they were at that moment."""
        ...


class FoundBrokers(Protocol):
    """The part of :class:`exporter.kafka.discovery.Discovery` that the tracker needs."""

    def brokers(self) -> tuple[Broker, ...]:
        """The brokers that run now."""
        ...

    @property
    def watched_ports(self) -> frozenset[int]:
        """The ports that are counted separately."""
        ...

    @property
    def success(self) -> bool:
        """Whether brokers can be found and asked."""
        ...


@dataclass(frozen=True)
class KafkaSnapshot:
    """What one scrape shows of Kafka."""

    brokers: tuple[Broker, ...] = ()
    topics: Mapping[TopicKey, tuple[int, ...]] = field(default_factory=dict)
    """Bytes in the order of :attr:`exporter.model.Folder.moved`."""
    losses: tuple[Loss, ...] = ()
    discovery_success: bool = True
    """Whether brokers can be found and asked."""
    watched_ports: frozenset[int] | None = None
    """The ports that are counted separately; None when these never change."""
    listeners: ListenerTotals = field(default_factory=dict)
    """What went over each listener."""
    listener_cpu: Mapping[ListenerKey, float] = field(default_factory=dict)
    """CPU seconds of the threads that serve each listener."""


NO_KAFKA = KafkaSnapshot()


class KafkaTracker:
    """Not for several threads at once. Every method raises :class:`OSError` when the map cannot be read."""

    def __init__(
        self,
        maps: BrokerMaps,
        discovery: FoundBrokers,
        topics: TopicCounter,
        losses: LossDetector,
        listener_cpu: ListenerCpuCounter,
    ) -> None:
        self._maps = maps
        self._listener_cpu = listener_cpu
        self._discovery = discovery
        self._topics = topics
        self._losses = losses
        self._listeners = ListenerCounter()
        self._counted_brokers: tuple[Broker, ...] = ()
        self._counted_ns = 0

    @property
    def brokers(self) -> tuple[Broker, ...]:
        """The brokers that run now."""
        return self._discovery.brokers()

    @property
    def folder_bytes(self) -> dict[tuple[int, int], FolderBytes]:
        """What the brokers did with their partition folders until the last count, by process id and start in ticks."""
        return {process: _folder_bytes(moved) for process, moved in self._topics.moved_by_broker().items()}

    def count_if_due(self, now_ns: int) -> None:
        """Count the folders of brokers that have exited for the last time, and every ten seconds those of all.

        Folders that are not needed any more make room in the map, even if no client scrapes.
        """
        if self._discovery.brokers() != self._counted_brokers or now_ns - self._counted_ns >= _COUNT_INTERVAL_NS:
            self._count(now_ns)

    def count_listeners(self, processes: Mapping[Identity, Rows], finalized: Collection[Identity], now_ns: int) -> None:
        """Count what went over listeners: at each sample, before the rows of ``finalized`` processes are forgotten."""
        self._listeners.count(processes, finalized, self._discovery.brokers(), now_ns)

    def take_snapshot(self, processes: Mapping[Identity, Rows], now_ns: int) -> KafkaSnapshot:
        """Count, and return what to show. ``processes``: the rows of each, those of the brokers among them."""
        brokers = self._count(now_ns)
        self._topics.end_totals(now_ns)
        self._listeners.end_totals(now_ns)
        self._listener_cpu.count(self._maps.network_threads() if brokers else {}, brokers, now_ns)
        rows = {(identity.pid, identity.start_ticks): counts for identity, counts in processes.items()}
        broker_rows = [(broker, rows.get((broker.pid, broker.start_ticks), {})) for broker in brokers]
        return KafkaSnapshot(
            brokers,
            self._topics.totals(),
            self._losses.evaluate(now_ns, broker_rows, self.folder_bytes),
            self._discovery.success,
            self._discovery.watched_ports,
            self._listeners.totals(),
            self._listener_cpu.totals(),
        )

    def _count(self, now_ns: int) -> tuple[Broker, ...]:
        brokers = self._discovery.brokers()
        if brokers or self._counted_brokers:
            self._topics.count(self._maps.folders(), brokers, now_ns)
            forgettable = self._topics.select_forgettable(self._maps.max_folders, now_ns)
            self._topics.forget(forgettable, self._maps.take_folders(forgettable), now_ns)
        self._counted_brokers = brokers
        self._counted_ns = now_ns
        return brokers


def _folder_bytes(moved: Sequence[int]) -> FolderBytes:
    return FolderBytes(
        sum(moved[moved_index(role, FolderTransfer.CPU_READ)] for role in (Role.NETWORK, Role.UNKNOWN)),
        moved[moved_index(Role.REPLICA_FETCHER, FolderTransfer.CPU_WRITTEN)],
    )
