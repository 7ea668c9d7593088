"""Add up the bytes of brokers' folders by topic, in totals that never decrease. Pure: no input or output.

A broker keeps each partition in a folder ``TOPIC-PARTITION`` of one of its log directories. Bytes of other folders
belong to no topic. While the log directories of a broker are not known, its folders wait to be counted. Totals end some
time after the brokers that they are of have exited, so that a process that pretends to be one leaves nothing.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from exporter.kafka.broker import Broker, Node
from exporter.model import ROLES_MAX, Folder, FolderTransfer, Identity

OTHER = "other"
_LINGER_NS = 300_000_000_000
"""Totals continue if a broker restarts within this time."""
_PARTITION_FOLDER = re.compile(
    r"(?P<topic>[a-zA-Z0-9._-]{1,249})-(?P<partition>[0-9]{1,10})(?:\.[0-9a-f]{32}-(?:delete|future|stray))?"
)
"""A partition's folder, also one that is to be deleted or that moves to another log directory."""
_ZEROS = (0,) * (ROLES_MAX * len(FolderTransfer))


def parse_folder(name: str) -> tuple[str, int] | None:
    """Topic and partition; None when the folder does not belong to a partition.

    >>> parse_folder("my.topic-2-17")
    ('my.topic-2', 17)
    """
    match = _PARTITION_FOLDER.fullmatch(name)
    return (match["topic"], int(match["partition"])) if match else None


@dataclass(frozen=True, order=True)
class TopicKey:
    """What the totals are kept by: the labels of a topic's series."""

    node: Node
    topic: str
    partition: str = ""
    """Empty when all partitions of a topic are added up."""


_OTHER_NODE = Node(OTHER, OTHER)


@dataclass(frozen=True)
class _CountedFolder:
    """A folder that was assigned to a topic, or to none (None), and the part of its bytes that was counted."""

    key: TopicKey | None
    counted: tuple[int, ...] = _ZEROS


class TopicCounter:
    """Totals by topic."""

    def __init__(self, max_topics: int = 500, *, by_partition: bool = False) -> None:
        """``max_topics``: how many topics, or partitions, have totals of their own.

        All others are added to topic ``other`` of their node. A node without a topic of its own is ``other`` too, so
        that processes that pretend to be brokers cannot add series without end.
        """
        self._max_topics = max_topics
        self._by_partition = by_partition
        self._brokers: dict[tuple[int, int], Broker] = {}
        self._folders: dict[bytes, _CountedFolder] = {}
        self._totals: dict[TopicKey, tuple[int, ...]] = {}
        self._nodes: dict[TopicKey, set[Node]] = {}
        self._last_ns: dict[Node, int] = {}
        self._topics: set[TopicKey] = set()
        """Those that have a place."""

    def count(self, folders: Mapping[bytes, Folder], brokers: Iterable[Broker], now_ns: int = 0) -> list[bytes]:
        """Add the increase of each folder since the last call; returns the keys of folders whose broker has exited.

        ``now_ns``: of any clock that never decreases.
        """
        running = {(broker.pid, broker.start_ticks): broker for broker in brokers}
        self._brokers |= running
        self._last_ns |= dict.fromkeys((broker.node for broker in self._brokers.values()), now_ns)
        for key, folder in folders.items():
            self._count_folder(key, folder)
        exited = [key for key, folder in folders.items() if _process(folder.identity) not in running]
        self._folders = {key: self._folders[key] for key in folders.keys() - set(exited) if key in self._folders}
        self._brokers = running
        return exited

    def end_totals(self, now_ns: int) -> None:
        """End the totals of brokers that have exited a while ago. Should one return, it starts from zero."""
        self._last_ns = {node: last for node, last in self._last_ns.items() if now_ns - last <= _LINGER_NS}
        for key in [key for key, nodes in self._nodes.items() if not nodes & self._last_ns.keys()]:
            del self._totals[key], self._nodes[key]
            self._topics.discard(key)

    def totals(self) -> dict[TopicKey, tuple[int, ...]]:
        """Bytes by topic, in the order of :attr:`exporter.model.Folder.moved`."""
        return dict(self._totals)

    def _count_folder(self, key: bytes, folder: Folder) -> None:
        known = self._folders.get(key)
        if known is None or (known.key and self._is_outdated(known.key, folder)):
            assigned = self._assign(folder)
            if assigned is None:
                return
            known = replace(assigned, counted=known.counted) if known else assigned
        self._folders[key] = _CountedFolder(known.key, folder.moved)
        if known.key:
            self._nodes.setdefault(known.key, set()).add(self._brokers[_process(folder.identity)].node)
            before = self._totals.get(known.key, _ZEROS)
            self._totals[known.key] = tuple(
                total + now - counted for total, now, counted in zip(before, folder.moved, known.counted, strict=True)
            )

    def _is_outdated(self, key: TopicKey, folder: Folder) -> bool:
        """Whether there is a place for its topic now, or its broker has another identity."""
        has_place = key.topic == OTHER and len(self._topics) < self._max_topics
        return has_place or key.node not in (self._brokers[_process(folder.identity)].node, _OTHER_NODE)

    def _assign(self, folder: Folder) -> _CountedFolder | None:
        """Assign a new folder to its topic; None while that cannot be decided."""
        broker = self._brokers.get(_process(folder.identity))
        if not broker or not folder.name or not broker.facts.log_directories:
            return None
        partition = parse_folder(folder.name) if folder.parent in broker.facts.log_directories else None
        return _CountedFolder(self._topic_key(broker.node, *partition) if partition else None)

    def _topic_key(self, node: Node, topic: str, partition: int) -> TopicKey:
        key = TopicKey(node, topic, str(partition) if self._by_partition else "")
        if key in self._topics:
            return key
        if len(self._topics) >= self._max_topics:
            node_has_topics = any(known.node == node for known in self._topics)
            return TopicKey(node if node_has_topics else _OTHER_NODE, OTHER)
        self._topics.add(key)
        return key


def _process(identity: Identity) -> tuple[int, int]:
    return identity.pid, identity.start_ticks
