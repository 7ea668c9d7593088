"""By topic."""

from collections.abc import Iterator

from dashboards import queries as q
from dashboards.panels import BYTE_RATE, NO_KAFKA, SHARE, Panel, Query, stacked, timeline

TOPIC = "{{topic}}, broker {{node_id}}, {{instance}}"
OF_TOPIC = "instance, node_id, topic"


def topics() -> Iterator[Panel]:
    """What brokers do with the files of each topic."""
    zero, read, written, dma = (
        q.total(f"copy_kafka_topic_{what}_bytes_total", OF_TOPIC, q.TOPICS)
        for what in ("zero_copied", "cpu_copied_read", "cpu_copied_written", "dma_read")
    )
    whole = q.together(OF_TOPIC, zero, read)
    yield (
        timeline(
            "Read by zero copy, by topic",
            "Of what was read from the topic's files. A topic far below the others on the same listener: its "
            "clients make the broker convert, it is compacted, or it is read over TLS.",
            SHARE,
            Query(q.share(zero, whole), TOPIC),
        )
        .max(1)
        .span(8)
        .no_value(NO_KAFKA)
    )
    yield (
        stacked(
            "Passed by reference, by topic",
            "Bytes from the topic's files to sockets by sendfile.",
            BYTE_RATE,
            Query(zero, TOPIC),
        )
        .span(8)
        .no_value(NO_KAFKA)
    )
    yield (
        stacked(
            "Read with a copy, by topic",
            "Bytes that the CPU copied from the topic's files into the broker: TLS, conversion, compaction, "
            "replay at start, index look-ups.",
            BYTE_RATE,
            Query(read, TOPIC),
        )
        .span(8)
        .no_value(NO_KAFKA)
    )
    yield (
        stacked(
            "Written, by topic",
            "Bytes that the CPU copied into the topic's files: what producers and leaders sent, and compaction.",
            BYTE_RATE,
            Query(written, TOPIC),
        )
        .span(8)
        .no_value(NO_KAFKA)
    )
    yield (
        stacked(
            "Disk reads, by topic",
            "What of the topic was not in the page cache, and who causes real disk reads. A consumer that is "
            "far behind, or too little memory for the page cache.",
            BYTE_RATE,
            Query(dma, TOPIC),
        )
        .span(8)
        .no_value(NO_KAFKA)
    )
    yield (
        timeline(
            "Disk reads, as a part of what is read",
            "Near 0: served from the page cache. Near 1: each byte comes from disk first, and the sendfile "
            "panels below show how long that takes. Above 1: read-ahead that nobody used.",
            SHARE,
            Query(q.share(dma, whole), TOPIC),
        )
        .span(8)
        .no_value(NO_KAFKA)
    )
