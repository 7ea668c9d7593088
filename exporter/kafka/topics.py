"""Add up the bytes of brokers' folders by topic, in totals that never decrease. Pure: no input or output.

Bytes of folders that belong to no partition belong to no topic. While the log directories of a broker are not known,
its folders wait to be counted. Totals end an hour after their last byte, and some time after the brokers that they are
of have exited: topics that are gone make room, and a process that pretends to be a broker leaves nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import add, sub

from exporter.kafka.broker import Broker, Facts, Node
from exporter.kafka.partition_folders import Partition, find_partition
from exporter.model import ROLES_MAX, Folder, FolderTransfer, Identity

OTHER = "other"
_LINGER_NS = 300_000_000_000
"""Totals continue if a broker restarts within this time."""
_IDLE_NS = 3_600_000_000_000
"""Totals of topics that have not moved a byte for this time end."""
_MIN_UNUSED_NS = 10_000_000_000
"""A folder that was used within this time is not forgotten, however full the map is."""
_ZEROS = (0,) * (ROLES_MAX * len(FolderTransfer))
_Moved = tuple[int, ...]


@dataclass(frozen=True, order=True)
class TopicKey:
    """What the totals are kept by: the labels of a topic's series."""

    node: Node
    topic: str
    partition: str = ""
    """Empty when all partitions of a topic are added up."""


_OTHER_NODE = Node(OTHER, OTHER)
_Process = tuple[int, int]


@dataclass(frozen=True)
class TopicLimits:
    """How many totals there may be."""

    topics: int = 500
    """Topics, or partitions, of a node that have totals of their own; all others are added to its topic ``other``."""
    nodes: int = 32
    """Nodes with topics of their own; all others are node ``other``, so that processes that pretend to be brokers
    cannot add series without end."""


@dataclass
class _Total:
    """The bytes of a topic."""

    has_place: bool
    """Whether it is one of the node's topics that the limit is for: a topic that is named ``other`` is too."""
    moved: _Moved = _ZEROS
    changed_ns: int = 0
    nodes: set[Node] = field(default_factory=set)


@dataclass
class _CountedFolder:
    """A folder, the part of its bytes that was counted, and its partition."""

    folder: Folder
    changed_ns: int
    counted: _Moved = _ZEROS
    partition: Partition | None = None
    facts: Facts | None = None
    """Of its broker, when the partition was looked for; None while that is not decided."""


class TopicCounter:
    """Totals by topic."""

    def __init__(self, limits: TopicLimits | None = None, *, by_partition: bool = False) -> None:
        """``by_partition``: keep a total of each partition."""
        self._limits = limits or TopicLimits()
        self._by_partition = by_partition
        self._brokers: dict[_Process, Broker] = {}
        self._running: dict[_Process, Broker] = {}
        self._folders: dict[bytes, _CountedFolder] = {}
        self._seen: dict[_Process, set[Partition]] = {}
        """Partitions whose folders a broker has used."""
        self._moved: dict[_Process, _Moved] = {}
        """Bytes of the partition folders of each broker, whatever has become of the totals."""
        self._totals: dict[TopicKey, _Total] = {}
        self._topics_of_node: Counter[Node] = Counter()
        """How many have totals of their own."""
        self._last_ns: dict[Node, int] = {}

    def count(self, folders: Mapping[bytes, Folder], brokers: Iterable[Broker], now_ns: int = 0) -> None:
        """Add the increase of each folder since the last call. ``now_ns``: of any clock that never decreases."""
        running = {(broker.pid, broker.start_ticks): broker for broker in brokers}
        self._brokers = self._running | running
        self._running = running
        self._seen = {process: self._seen.get(process, set()) for process in self._brokers}
        self._moved = {process: self._moved.get(process, _ZEROS) for process in self._brokers}
        self._last_ns |= dict.fromkeys((broker.node for broker in self._brokers.values()), now_ns)
        for key, folder in folders.items():
            self._count_folder(key, folder, now_ns)

    def select_forgettable(self, max_folders: int, now_ns: int = 0) -> list[bytes]:
        """Keys of folders that need not be in the map any more: to be taken out of it, and passed to :meth:`forget`.

        Those of brokers that have exited; and where there are more than half of ``max_folders``, those that were not
        used for longest. So folders that were deleted make room; one that is used again is counted again.
        """
        exited, unused = [], []
        for key, known in self._folders.items():
            if _process(known.folder.identity) not in self._running:
                exited.append(key)
            elif now_ns - known.changed_ns >= _MIN_UNUSED_NS:
                unused.append(key)
        surplus = len(self._folders) - len(exited) - max_folders // 2
        unused.sort(key=lambda key: (self._folders[key].facts is None, self._folders[key].changed_ns))
        return exited + unused[: max(surplus, 0)]

    def forget(self, keys: Iterable[bytes], taken: Mapping[bytes, Folder], now_ns: int = 0) -> None:
        """Forget folders; ``taken``: as they were when they were taken out of the map, so that nothing is lost."""
        for key, folder in taken.items():
            self._count_folder(key, folder, now_ns)
        for key in keys:
            self._folders.pop(key, None)

    def end_totals(self, now_ns: int) -> None:
        """End totals that are idle, or whose brokers have exited. Should one return, it starts from zero."""
        self._last_ns = {node: last for node, last in self._last_ns.items() if now_ns - last <= _LINGER_NS}
        for key, total in list(self._totals.items()):
            is_idle = key.topic != OTHER and now_ns - total.changed_ns > _IDLE_NS
            if is_idle or not total.nodes & self._last_ns.keys():
                del self._totals[key]
                self._topics_of_node[key.node] -= total.has_place
        self._topics_of_node = +self._topics_of_node

    def totals(self) -> dict[TopicKey, _Moved]:
        """Bytes by topic, in the order of :attr:`exporter.model.Folder.moved`."""
        return {key: total.moved for key, total in self._totals.items()}

    def moved_by_broker(self) -> dict[tuple[int, int], _Moved]:
        """Bytes of the partition folders of each running broker since it was found: they never decrease."""
        return dict(self._moved)

    def _count_folder(self, key: bytes, folder: Folder, now_ns: int) -> None:
        known = self._folders.get(key)
        if known is None:
            known = self._folders[key] = _CountedFolder(folder, now_ns)
        elif known.folder is not folder:
            known.folder, known.changed_ns = folder, now_ns
        elif known.counted is folder.moved:
            return
        broker = self._brokers.get(_process(folder.identity))
        if broker and folder.name and broker.facts.log_directories:
            self._find_partition(known, broker)
            if known.partition and known.counted != folder.moved:
                self._add(known, broker, known.partition, now_ns)

    def _find_partition(self, known: _CountedFolder, broker: Broker) -> None:
        """Find the partition of a folder, again when the facts of its broker have changed."""
        seen = self._seen[_process(known.folder.identity)]
        if known.partition or (known.facts is broker.facts and not broker.facts.on_overlay):
            return
        known.facts = broker.facts
        known.partition = find_partition(known.folder, broker.facts, seen)
        if known.partition:
            seen.add(known.partition)

    def _add(self, known: _CountedFolder, broker: Broker, partition: Partition, now_ns: int) -> None:
        total = self._total(broker.node, partition)
        total.nodes.add(broker.node)
        total.changed_ns = now_ns
        increase = tuple(map(sub, known.folder.moved, known.counted))
        total.moved = tuple(map(add, total.moved, increase))
        process = _process(known.folder.identity)
        self._moved[process] = tuple(map(add, self._moved[process], increase))
        known.counted = known.folder.moved

    def _total(self, node: Node, partition: Partition) -> _Total:
        """The total of a partition's topic, or of ``other`` when there is no room for it."""
        key = TopicKey(node, partition.topic, str(partition.number) if self._by_partition else "")
        if has_place := key not in self._totals and self._has_room(node):
            self._topics_of_node[node] += 1
        elif key not in self._totals:
            key = TopicKey(node if self._topics_of_node[node] else _OTHER_NODE, OTHER)
        return self._totals.setdefault(key, _Total(has_place))

    def _has_room(self, node: Node) -> bool:
        if not self._topics_of_node[node] and len(+self._topics_of_node) >= self._limits.nodes:
            return False
        return self._topics_of_node[node] < self._limits.topics


def _process(identity: Identity) -> _Process:
    return identity.pid, identity.start_ticks
