"""Brokers, and what they did by topic, read from the probes' map."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from exporter.kafka.broker import Broker
from exporter.kafka.topics import Topic, Topics
from exporter.model import Folder


class Folders(Protocol):
    """What is asked of the maps: :class:`exporter.reader.Source`."""

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


NOTHING_OF_KAFKA = KafkaReading()


class KafkaCounts:
    """Reads for one at a time. Every method raises :class:`OSError` when the map cannot be read."""

    def __init__(self, folders: Folders, brokers: Callable[[], tuple[Broker, ...]], topics: Topics) -> None:
        """``brokers``: those that run now."""
        self._folders = folders
        self._brokers = brokers
        self._topics = topics
        self._last: tuple[Broker, ...] = ()

    def drain(self) -> None:
        """Count for the last time what brokers did that have ended, and know those that have come."""
        if self._brokers() != self._last:
            self.read()

    def read(self) -> KafkaReading:
        """What to show now."""
        brokers = self._brokers()
        if brokers or self._last:
            self._folders.forget_folders(self._topics.add(self._folders.folders(), brokers))
        self._last = brokers
        return KafkaReading(brokers, self._topics.totals())
