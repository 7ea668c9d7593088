"""Brokers, what they did by topic, and why they lost zero copy, from the probes' maps."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from exporter.kafka.broker import Broker
from exporter.kafka.topics import Topic, Topics
from exporter.kafka.zero_copy_loss import Loss, Losses
from exporter.model import Folder, Identity, Rows


class Folders(Protocol):
    """What is asked of the maps: :class:`exporter.counting.maps.Source`."""

    def folders(self) -> dict[bytes, Folder]:
        """All folders, by their keys."""
        ...

    def forget_folders(self, keys: Iterable[bytes]) -> None:
        """Delete some."""
        ...


@dataclass(frozen=True)
class KafkaReading:
    """What one scrape shows of Kafka."""

    brokers: tuple[Broker, ...] = ()
    topics: Mapping[Topic, tuple[int, ...]] = field(default_factory=dict)
    """Bytes in the order of :class:`exporter.model.Moved`."""
    losses: tuple[Loss, ...] = ()


NOTHING_OF_KAFKA = KafkaReading()


class KafkaCounts:
    """Reads for one at a time. Every method raises :class:`OSError` when the map cannot be read."""

    def __init__(
        self, folders: Folders, brokers: Callable[[], tuple[Broker, ...]], topics: Topics, losses: Losses
    ) -> None:
        """``brokers``: those that run now."""
        self._folders = folders
        self._brokers = brokers
        self._topics = topics
        self._losses = losses
        self._last: tuple[Broker, ...] = ()

    def drain(self) -> None:
        """Count for the last time what brokers did that have ended, and know those that have come."""
        if self._brokers() != self._last:
            self._count()

    def read(self, processes: Mapping[Identity, Rows], now_ns: int) -> KafkaReading:
        """What to show now, of brokers among these processes."""
        brokers = self._count()
        rows = {(identity.pid, identity.start_ticks): counted for identity, counted in processes.items()}
        losses = self._losses.look(now_ns, [(one, rows.get((one.pid, one.start_ticks), {})) for one in brokers])
        return KafkaReading(brokers, self._topics.totals(), losses)

    def _count(self) -> tuple[Broker, ...]:
        brokers = self._brokers()
        if brokers or self._last:
            self._folders.forget_folders(self._topics.add(self._folders.folders(), brokers))
        self._last = brokers
        return brokers
