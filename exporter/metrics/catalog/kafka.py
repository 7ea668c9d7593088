"""Kafka brokers and their topics."""

from collections.abc import Iterator

from exporter.counting.sampler import Reading
from exporter.kafka.broker import UNKNOWN
from exporter.kafka.listener_traffic import Amount
from exporter.metrics.family import PROCESS, ValueFamily, Values
from exporter.model import MECHANISMS, FolderTransfer, Role, RowKind, moved_index

_TRANSFERS = {
    FolderTransfer.BY_REFERENCE: ("read", MECHANISMS[RowKind.ZERO_COPY]),
    FolderTransfer.CPU_READ: ("read", MECHANISMS[RowKind.CPU_COPY]),
    FolderTransfer.CPU_WRITTEN: ("write", MECHANISMS[RowKind.CPU_COPY]),
    FolderTransfer.DMA_READ: ("read", MECHANISMS[RowKind.DMA]),
}
"""Labels ``operation`` and ``mechanism``."""


def _listeners(reading: Reading) -> Values:
    for broker in reading.kafka.brokers:
        for listener in broker.facts.listeners:
            pid = reading.snapshot.pid_label(broker.pid)
            yield (
                (pid, broker.comm, *broker.node, listener.name, listener.protocol, str(listener.port)),
                1,
            )


def _brokers(reading: Reading) -> Values:
    for broker in reading.kafka.brokers:
        facts = broker.facts
        yield (
            (
                *(reading.snapshot.pid_label(broker.pid), broker.comm, *broker.node),
                *(facts.roles or UNKNOWN, facts.version or UNKNOWN, facts.jdk or UNKNOWN),
            ),
            1,
        )


def _ports(reading: Reading) -> Values:
    for broker in reading.kafka.brokers:
        facts = broker.facts
        watched = {listener.port for listener in facts.listeners}
        states = {
            "listening": len(facts.ports),
            "watched": len(watched.intersection(facts.ports)),
            "unconfigured": len(facts.unconfigured),
            "closed": len(facts.closed),
        }
        for state, ports in states.items():
            yield (reading.snapshot.pid_label(broker.pid), broker.comm, *broker.node, state), ports


def _changed_configs(reading: Reading) -> Values:
    for broker in reading.kafka.brokers:
        labels = (reading.snapshot.pid_label(broker.pid), broker.comm, *broker.node)
        yield labels, int(broker.facts.config_changed)


def _listener_bytes(reading: Reading) -> Values:
    for labels, amount in _listener_totals(reading):
        yield labels, amount.bytes


def _listener_calls(reading: Reading) -> Values:
    for labels, amount in _listener_totals(reading):
        yield labels, amount.calls


def _listener_totals(reading: Reading) -> Iterator[tuple[tuple[str, ...], Amount]]:
    for (node, listener, port), totals in reading.kafka.listeners.items():
        for traffic, amount in totals.items():
            yield (*node, listener, port, *traffic), amount


def _listener_cpu(reading: Reading) -> Values:
    for (node, listener, port), seconds in reading.kafka.listener_cpu.items():
        yield (*node, listener, port), seconds


def _losses(reading: Reading) -> Values:
    for loss in reading.kafka.losses:
        pid = reading.snapshot.pid_label(loss.pid)
        yield (pid, loss.comm, *loss.node, loss.listener, str(loss.port), loss.reason), 1


def _topics(reading: Reading) -> Values:
    for topic, moved in reading.kafka.topics.items():
        for role in Role:
            for transfer, labels in _TRANSFERS.items():
                count = moved[moved_index(role, transfer)]
                if count or role is Role.NETWORK:  # most topics have bytes of few roles
                    yield (*topic.node, topic.topic, topic.partition, role.name.lower(), *labels), count


LISTENER_INFO = ValueFamily(
    name="copy_kafka_listener_info",
    type="gauge",
    labels=(*PROCESS, "cluster_id", "node_id", "listener", "protocol", "port"),
    help="1; a listener of a running Kafka broker or controller. Join other metrics on pid, comm and port.",
    flag="--kafka",
    values=_listeners,
)
BROKER_INFO = ValueFamily(
    name="copy_kafka_broker_info",
    type="gauge",
    labels=(*PROCESS, "cluster_id", "node_id", "roles", "version", "jdk"),
    help="1; a running Kafka broker or controller: its roles, and the versions of Kafka and of the JDK.",
    flag="--kafka",
    values=_brokers,
)
PORTS = ValueFamily(
    name="copy_kafka_ports",
    type="gauge",
    labels=(*PROCESS, "cluster_id", "node_id", "state"),
    help="TCP ports of a Kafka broker: that it listens on (listening), the part that is counted separately (watched) "
    "or that its configuration does not have (unconfigured); configured ones that are not open (closed).",
    flag="--kafka",
    values=_ports,
)
CONFIG_CHANGED = ValueFamily(
    name="copy_kafka_config_changed",
    type="gauge",
    labels=(*PROCESS, "cluster_id", "node_id"),
    help="1 when the configuration file of a Kafka broker was changed after its start; else 0.",
    flag="--kafka",
    values=_changed_configs,
)
_LISTENER_TRAFFIC = ("cluster_id", "node_id", "listener", "port", "direction", "mechanism")
LISTENER_BYTES = ValueFamily(
    name="copy_kafka_listener_bytes_total",
    type="counter",
    labels=_LISTENER_TRAFFIC,
    help="Bytes that a Kafka broker sent or received over a listener (direction), copied by the CPU (cpu) or passed "
    "by reference (zero_copy). Continues when the broker restarts within five minutes.",
    unit="bytes",
    flag="--kafka",
    values=_listener_bytes,
)
LISTENER_CALLS = ValueFamily(
    name="copy_kafka_listener_calls_total",
    type="counter",
    labels=_LISTENER_TRAFFIC,
    help="System calls that sent or received these bytes.",
    flag="--kafka",
    values=_listener_calls,
)
LISTENER_CPU = ValueFamily(
    name="copy_kafka_listener_cpu_seconds_total",
    type="counter",
    labels=("cluster_id", "node_id", "listener", "port"),
    help="CPU time of the network threads that serve a listener of a Kafka broker, in user and kernel mode: encryption "
    "is a part of it. Request handlers serve all listeners and are not.",
    unit="seconds",
    flag="--kafka",
    values=_listener_cpu,
)
ZERO_COPY_LOST = ValueFamily(
    name="copy_kafka_zero_copy_lost",
    type="gauge",
    labels=(*PROCESS, "cluster_id", "node_id", "listener", "port", "reason"),
    help="1; why a listener sends without zero copy: tls, jvm_fallback, copied, remote or scatter_gather "
    "(docs/kafka.md).",
    flag="--kafka",
    values=_losses,
)
TOPIC_BYTES = ValueFamily(
    name="copy_kafka_topic_bytes_total",
    type="counter",
    labels=("cluster_id", "node_id", "topic", "partition", "role", "operation", "mechanism"),
    help="Bytes of the topic's files that a Kafka broker read or wrote: copied by the CPU (cpu), passed by reference "
    "(zero_copy) or read from the disk (dma). role: what the thread does (network, replica_fetcher, cleaner, remote, "
    "recovery, other, unknown). partition is there only with --kafka.partitions.",
    unit="bytes",
    flag="--kafka",
    values=_topics,
)

DISCOVERY_SUCCESS = ValueFamily[Reading](
    name="copy_exporter_broker_discovery_success",
    type="gauge",
    help="1 when Kafka brokers can be found and asked; 0 when the inspector or the files of a broker do not answer "
    "(the log says why), so that new brokers and ports may be missing.",
    flag="--kafka",
    values=lambda reading: [((), int(reading.kafka.discovery_success))],
)

KAFKA_FAMILIES = (
    BROKER_INFO,
    PORTS,
    CONFIG_CHANGED,
    LISTENER_INFO,
    LISTENER_BYTES,
    LISTENER_CALLS,
    LISTENER_CPU,
    ZERO_COPY_LOST,
    TOPIC_BYTES,
    DISCOVERY_SUCCESS,
)
