"""Whose are the folders? Turns what brokers did in each into sums by topic that only grow.

Pure. A broker keeps each partition in a folder ``TOPIC-PARTITION`` of one of its log directories. What a broker did
with other files is not of a topic; what one did whose log directories are not known waits until they are.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exporter.kafka.broker import Broker
from exporter.model import Folder, FolderTransfer, Identity

OTHER = "other"
_PARTITION = re.compile(
    r"(?P<topic>[a-zA-Z0-9._-]{1,249})-(?P<partition>[0-9]{1,10})(?:\.[0-9a-f]{32}-(?:delete|future|stray))?"
)
"""A folder of a partition: also one that is to be deleted, or on its way from one log directory to another."""
_NOTHING = (0,) * len(FolderTransfer)


def parse_folder(name: str) -> tuple[str, int] | None:
    """Topic and partition; None when the folder is not that of a partition.

    >>> parse_folder("my.topic-2-17")
    ('my.topic-2', 17)
    """
    match = _PARTITION.fullmatch(name)
    return (match["topic"], int(match["partition"])) if match else None


@dataclass(frozen=True, order=True)
class Topic:
    """What one set of series is of."""

    node_id: str
    name: str
    partition: str = ""
    """Empty when partitions are not told apart."""


@dataclass(frozen=True)
class _Place:
    """What is known of a folder: the topic it counts for, None for none; and what of it has been counted."""

    topic: Topic | None
    counted: tuple[int, ...] = _NOTHING


class Topics:
    """The sums, from one look at the folders to the next."""

    def __init__(self, most: int = 500, *, by_partition: bool = False) -> None:
        """``most``: so many topics (or partitions) have sums of their own.

        The rest counts as topic ``other`` of each node that has such, and of the node ``other``: whoever poses as
        brokers without end adds no series.
        """
        self._most = most
        self._by_partition = by_partition
        self._known: dict[tuple[int, int], Broker] = {}
        self._places: dict[bytes, _Place] = {}
        self._totals: dict[Topic, tuple[int, ...]] = {}
        self._own = 0

    def add(self, folders: Mapping[bytes, Folder], brokers: Iterable[Broker]) -> list[bytes]:
        """Count what has come since the last time; returns the folders of brokers that are no more, to be forgotten."""
        present = {(broker.pid, broker.start_ticks): broker for broker in brokers}
        self._known |= present
        for key, folder in folders.items():
            self._add(key, folder)
        ended = [key for key, folder in folders.items() if _process(folder.identity) not in present]
        self._places = {key: self._places[key] for key in folders.keys() - set(ended) if key in self._places}
        self._known = present
        return ended

    def totals(self) -> dict[Topic, tuple[int, ...]]:
        """Bytes by topic, in the order of :class:`exporter.model.Moved`."""
        return dict(self._totals)

    def _add(self, key: bytes, folder: Folder) -> None:
        place = self._places.get(key) or self._locate(folder)
        if place is None:
            return
        self._places[key] = _Place(place.topic, folder.moved)
        if place.topic:
            before = self._totals.get(place.topic, _NOTHING)
            self._totals[place.topic] = tuple(
                total + now - counted for total, now, counted in zip(before, folder.moved, place.counted, strict=True)
            )

    def _locate(self, folder: Folder) -> _Place | None:
        """None as long as it cannot be told."""
        broker = self._known.get(_process(folder.identity))
        if not broker or not folder.name or not broker.facts.log_directories:
            return None
        partition = parse_folder(folder.name) if folder.parent in broker.facts.log_directories else None
        return _Place(self._topic(broker.facts.node_id, *partition) if partition else None)

    def _topic(self, node_id: str, name: str, partition: int) -> Topic:
        topic = Topic(node_id, name, str(partition) if self._by_partition else "")
        if topic in self._totals:
            return topic
        if self._own >= self._most:
            known = any(one.node_id == node_id for one in self._totals)
            return Topic(node_id if known else OTHER, OTHER)
        self._own += 1
        return topic


def _process(identity: Identity) -> tuple[int, int]:
    return identity.pid, identity.start_ticks
