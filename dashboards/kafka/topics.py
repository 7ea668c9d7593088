"""By topic."""

from collections.abc import Iterator

from dashboards import queries as q
from dashboards.panels import BYTE_RATE, NO_KAFKA, SHARE, Panel, Query, stacked, timeline

TOPIC = "{{topic}} {{broker}} {{instance}}"
TOPIC_LABELS = "instance, cluster_id, node_id, topic"
BYTES = "copy_kafka_topic_bytes_total"
READ, WRITTEN = 'operation="read"', 'operation="write"'


def _of_topic(expression: str) -> Query:
    return Query(q.with_broker(expression), TOPIC)


def topics() -> Iterator[Panel]:
    """What brokers do with the files of each topic."""
    by_zero_copy, from_disk = (
        q.total(BYTES, TOPIC_LABELS, READ, mechanism, q.TOPICS) for mechanism in (q.ZERO_COPY, q.DMA)
    )
    read, served = (q.moved(TOPIC_LABELS, READ, *role, q.TOPICS, metric=BYTES) for role in ((), (q.SERVING,)))
    panels = (
        timeline(
            "Zero-copy part by topic",
            "The part of the bytes that network threads read from the topic's files. A topic far below the others on "
            "the same listener: the broker converts records for its clients, or it is read over TLS.",
            SHARE,
            _of_topic(q.share(q.total(BYTES, TOPIC_LABELS, READ, q.ZERO_COPY, q.SERVING, q.TOPICS), served)),
        ).max(1),
        stacked(
            "Zero copy by topic",
            "Bytes that sendfile moved from the topic's files to sockets.",
            BYTE_RATE,
            _of_topic(by_zero_copy),
        ),
        stacked(
            "Copied reads by topic",
            "Bytes that the CPU copied from the topic's files into the broker: TLS, conversion, compaction, recovery "
            "at start, index look-ups.",
            BYTE_RATE,
            _of_topic(q.total(BYTES, TOPIC_LABELS, READ, q.CPU, q.TOPICS)),
        ),
        stacked(
            "Written by topic",
            "Bytes that the CPU copied into the topic's files: what producers and leaders sent, and compaction.",
            BYTE_RATE,
            _of_topic(q.total(BYTES, TOPIC_LABELS, WRITTEN, q.CPU, q.TOPICS)),
        ),
        stacked(
            "Disk reads by topic",
            "Bytes of the topic that were not in the page cache: a consumer is far behind, or there is too little "
            "memory for the page cache.",
            BYTE_RATE,
            _of_topic(from_disk),
        ),
        timeline(
            "Disk part by topic",
            "Near 0: served from the page cache. Near 1: every byte is read from disk first; the sendfile panels below "
            "show how long that takes. Above 1: read-ahead that was not used.",
            SHARE,
            _of_topic(q.share(from_disk, read)),
        ),
    )
    for panel in panels:
        yield panel.span(8).no_value(NO_KAFKA)
