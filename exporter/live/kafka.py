"""The rates of Kafka's listeners and topics. Pure: no input or output."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from exporter.host.label_text import label_text
from exporter.kafka import broker as kafka
from exporter.kafka.partition_folders import Partition, find_partition
from exporter.live.increase import Additions, Increase
from exporter.live.rates import Broker, Kafka, Listener, Mechanisms, Sent, Topic, Written
from exporter.live.snapshot import Snapshot
from exporter.model import Endpoint, FolderTransfer, Identity, RowKind

TOPICS_MAX = 50
_TopicKey = tuple[kafka.Node, str, str]
_Moved = tuple[int, ...]
_Process = tuple[int, int]


def kafka_rates(before: Snapshot, now: Snapshot, counted: Increase, seconds: float) -> Kafka:
    """Return the rates of the brokers that run."""
    return Kafka(
        brokers=[
            Broker(
                pid=str(broker.pid),
                comm=label_text(broker.comm),
                cluster_id=label_text(broker.node.cluster_id),
                node_id=label_text(broker.node.node_id),
            )
            for broker in now.brokers
        ],
        listeners=list(_listeners(now, counted, seconds)),
        topics=_topics(before, now, seconds),
    )


def _listeners(now: Snapshot, counted: Increase, seconds: float) -> Iterator[Listener]:
    additions = {_process(identity): rows for identity, rows in counted.processes.items()}
    for broker in now.brokers:
        rows = additions.get((broker.pid, broker.start_ticks), {})
        for listener in broker.facts.listeners:
            yield _listener(now, broker, listener, rows, seconds)


def _listener(
    now: Snapshot, broker: kafka.Broker, listener: kafka.Listener, rows: Additions, seconds: float
) -> Listener:
    cpu = zero_copy = received = 0
    for row, (_, amount) in rows.items():
        if row.port != listener.port:
            continue
        if row.destination is Endpoint.TCP:
            cpu += amount if row.kind is RowKind.CPU_COPY else 0
            zero_copy += amount if row.kind is RowKind.ZERO_COPY else 0
        elif row.source is Endpoint.TCP and row.kind in (RowKind.CPU_COPY, RowKind.ZERO_COPY):
            received += amount
    reasons = [loss.reason for loss in now.losses if (loss.pid, loss.port) == (broker.pid, listener.port)]
    return Listener(
        cluster_id=label_text(broker.node.cluster_id),
        node_id=label_text(broker.node.node_id),
        pid=str(broker.pid),
        listener=label_text(listener.name),
        protocol=label_text(listener.protocol),
        port=listener.port,
        sent=Sent(cpu=cpu / seconds, zero_copy=zero_copy / seconds),
        received_bytes_per_second=received / seconds,
        zero_copy_ratio=zero_copy / (cpu + zero_copy) if cpu + zero_copy > 0 else None,
        reason=", ".join(reasons),
    )


def _topics(before: Snapshot, now: Snapshot, seconds: float) -> list[Topic]:
    moved = _moved_by_topic(before, now)
    busiest = sorted(moved, key=lambda key: sum(moved[key]), reverse=True)[:TOPICS_MAX]
    return [_topic(key, moved[key], seconds) for key in busiest]


def _moved_by_topic(before: Snapshot, now: Snapshot) -> dict[_TopicKey, _Moved]:
    """Return the bytes of each partition that has moved any, in the order of :attr:`exporter.model.Folder.moved`."""
    brokers = {(broker.pid, broker.start_ticks): broker for broker in now.brokers}
    seen = _seen_partitions(now, brokers)
    moved: dict[_TopicKey, _Moved] = {}
    for key, folder in now.folders.items():
        earlier = before.folders.get(key)
        broker = brokers.get(_process(folder.identity))
        if folder is earlier or not broker:
            continue
        if partition := find_partition(folder, broker.facts, seen[_process(folder.identity)]):
            topic = (broker.node, partition.topic, str(partition.number))
            # One that was forgotten and is used again starts from zero.
            is_same = earlier and sum(earlier.moved) <= sum(folder.moved)
            increase = _subtract(folder.moved, earlier.moved) if earlier and is_same else folder.moved
            moved[topic] = tuple(map(sum, zip(moved[topic], increase, strict=True))) if topic in moved else increase
    return moved


def _seen_partitions(now: Snapshot, brokers: Mapping[_Process, kafka.Broker]) -> Mapping[_Process, set[Partition]]:
    """Return the partitions of brokers on overlayfs, by which the folders of their disk reads are known."""
    seen: defaultdict[_Process, set[Partition]] = defaultdict(set)
    for folder in now.folders.values():
        broker = brokers.get(_process(folder.identity))
        if broker and broker.facts.on_overlay and (partition := find_partition(folder, broker.facts)):
            seen[_process(folder.identity)].add(partition)
    return seen


def _topic(key: _TopicKey, moved: _Moved, seconds: float) -> Topic:
    node, topic, partition = key
    per_second = {transfer: sum(moved[transfer :: len(FolderTransfer)]) / seconds for transfer in FolderTransfer}
    return Topic(
        cluster_id=label_text(node.cluster_id),
        node_id=label_text(node.node_id),
        topic=topic,
        partition=partition,
        read=Mechanisms(
            cpu=per_second[FolderTransfer.CPU_READ],
            zero_copy=per_second[FolderTransfer.BY_REFERENCE],
            dma=per_second[FolderTransfer.DMA_READ],
        ),
        written=Written(cpu=per_second[FolderTransfer.CPU_WRITTEN]),
    )


def _subtract(moved: _Moved, before: _Moved) -> _Moved:
    return tuple(now - then for now, then in zip(moved, before, strict=True))


def _process(identity: Identity) -> _Process:
    return identity.pid, identity.start_ticks
