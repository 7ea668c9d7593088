"""Which threads of brokers move bytes, and the CPU time of listeners."""

from collections.abc import Iterator

from dashboards import queries as q
from dashboards.kafka.scopes import LISTENER_LABELS, LISTENER_LEGEND, LISTENERS, NO_PORT, RECEIVED_BY_BROKER
from dashboards.kafka.topics import BYTES
from dashboards.panels import BYTE_RATE, CORES, NO_KAFKA, SHARE, Panel, Query, stacked, timeline

_BROKER = "instance, cluster_id, node_id"
_BY_NETWORK = 'role="network"'
_WRITTEN = ('operation="write"', q.CPU)


def roles() -> Iterator[Panel]:
    """Who moves bytes of topics."""
    yield (
        stacked(
            "Who moves bytes",
            "Bytes of topics' files by what the threads do. network: for clients and followers. replica_fetcher: from "
            "leaders. cleaner: compaction. remote: a remote tier. recovery: after an unclean stop; it ends when the "
            "logs are checked. dma: read from the disk; for the role network, clients wait for it.",
            BYTE_RATE,
            Query(
                q.total(BYTES, "role, operation, mechanism, instance", q.TOPICS),
                "{{role}} {{operation}} {{mechanism}} {{instance}}",
            ),
        )
        .span(12)
        .no_value(NO_KAFKA)
    )
    yield (
        timeline(
            "CPU time by listener",
            "CPUs that the network threads of each listener keep busy, encryption included. A TLS listener against a "
            "plaintext one, each by its bytes: what TLS costs.",
            CORES,
            Query(q.total("copy_kafka_listener_cpu_seconds_total", LISTENER_LABELS, LISTENERS), LISTENER_LEGEND),
        )
        .span(12)
        .no_value(NO_PORT)
    )
    written = q.total(BYTES, _BROKER, _BY_NETWORK, *_WRITTEN, q.TOPICS)
    received = q.total("copy_kafka_listener_bytes_total", _BROKER, LISTENERS, RECEIVED_BY_BROKER, q.CPU)
    yield (
        timeline(
            "Written per received byte",
            "What request handlers write to topics, divided by what listeners receive. Near 1: batches are stored as "
            "producers sent them. Above 1: the broker decompresses them or changes their format, which costs CPU time. "
            "Below 1: requests without records, or the broker compresses.",
            SHARE,
            Query(q.busy(f"{written} / {received}", received), "{{instance}} {{node_id}}"),
        )
        .span(24)
        .no_value(NO_KAFKA)
    )
