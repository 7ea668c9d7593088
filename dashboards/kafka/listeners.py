"""By listener and by broker: zero copy, why it is lost, and what producers send."""

from collections.abc import Iterator

from grafana_foundation_sdk.builders import stat

from dashboards import frame
from dashboards import queries as q
from dashboards.kafka.scopes import (
    BROKERS,
    ENCRYPTED,
    LISTENER_LEGEND,
    LISTENERS,
    NO_PORT,
    SENT_BY_BROKER,
    plaintext,
    received,
    sent,
    with_protocol,
    zero_copy_share,
)
from dashboards.kafka.topics import BYTES, READ
from dashboards.panels import (
    ANY_IS_BAD,
    BYTE_RATE,
    COUNT,
    LOW_IS_BAD,
    NO_KAFKA,
    NOTHING_WRONG,
    SECONDS,
    SHARE,
    Column,
    Panel,
    Query,
    linked_columns,
    listing,
    losses,
    number,
    stacked,
    thresholds,
    timeline,
)

_HOST = "{{instance}}"


def summary() -> Iterator[Panel]:
    """The most important numbers."""
    for panel in _numbers():
        yield panel.span(6)


def _numbers() -> Iterator[stat.Panel]:
    of_plaintext = (f"sum by (instance) {plaintext(amount)}" for amount in (sent(q.ZERO_COPY), sent()))
    yield (
        number(
            "Plaintext zero copy",
            "The part of the bytes sent by plaintext listeners. They serve consumers at 95 % or more. If it dropped, "
            "see the reason in the table below. TLS listeners cannot use zero copy and are left out.",
            SHARE,
            Query(q.share(*of_plaintext), "{{instance}}"),
        )
        .max(1)
        .thresholds(thresholds(LOW_IS_BAD))
        .no_value("No plaintext port")
    )
    yield number(
        "Sent",
        "Bytes per second to consumers and followers, by zero copy and by CPU copy.",
        BYTE_RATE,
        Query(f"sum by (instance) {sent()}", "{{instance}}"),
    ).no_value("No port watched")
    yield number(
        "Received",
        "Bytes per second from producers and leaders. The CPU copies each twice, into user space and into the page "
        "cache; zero copy cannot avoid that.",
        BYTE_RATE,
        Query(f"sum by (instance) {received()}", "{{instance}}"),
    ).no_value("No port watched")
    yield from _counts()
    yield number(
        "Read from disk",
        "Bytes per second of topics that were not in the page cache. Consumers that are far behind cause it, and it "
        "slows the others down: see the topics below.",
        BYTE_RATE,
        Query(q.total(BYTES, "instance", READ, q.DMA, q.TOPICS), "{{instance}}"),
    ).no_value("No broker found")
    slow = q.total("copy_sendfile_duration_seconds_bucket", f"{q.PROCESS_LABELS}, le", q.HOST)
    yield number(
        "sendfile, 99 %",
        "99 % of the calls took less. Above 16 ms network threads wait for the disk, and all their clients with them.",
        SECONDS,
        Query(f"max by (instance) (histogram_quantile(0.99, {slow}) and {BROKERS})", "{{instance}}"),
    ).no_value("No sendfile")


def _counts() -> Iterator[stat.Panel]:
    info = f"copy_kafka_listener_info{{{LISTENERS}}}"
    yield number(
        "Brokers",
        "Kafka brokers that the exporter has found on the host.",
        COUNT,
        Query(_count("cluster_id, node_id", info), _HOST),
    ).no_value("No broker found")
    none = f"0 * group by (instance) ({info})"
    lost = _count("cluster_id, node_id, port", f'copy_kafka_zero_copy_lost{{{LISTENERS}, reason!="tls"}}')
    yield (
        number(
            "Zero copy lost",
            "Plaintext listeners that have lost zero copy. The table below shows the reasons.",
            COUNT,
            Query(f"{lost} or {none}", _HOST),
        )
        .thresholds(thresholds(ANY_IS_BAD))
        .no_value("No broker found")
    )
    encrypted = _count("cluster_id, node_id, port", f"copy_kafka_listener_info{{{LISTENERS}, {ENCRYPTED}}}")
    yield number(
        "TLS listeners",
        "Listeners that encrypt, so that each byte is copied. This is expected.",
        COUNT,
        Query(f"{encrypted} or {none}", _HOST),
    ).no_value("No broker found")


def _count(labels: str, selector: str) -> str:
    return f"count by (instance) (group by (instance, {labels}) ({selector}))"


def listeners() -> Iterator[Panel]:
    """Zero copy by listener and by broker, and why it is lost."""
    ratio = q.busy(zero_copy_share(), sent())
    table = (
        listing(
            "Listeners",
            "Zero copy: the part of the bytes sent. A plaintext listener in red has lost zero copy; SSL and "
            "SASL_SSL cannot have it and show none, nor do listeners that send less than 256 KiB/s.",
            {
                "instance": "Host",
                "cluster_id": "Cluster id",
                "node_id": "Broker",
                "listener": "Listener",
                "protocol": "Protocol",
                "port": "Port",
            },
            [
                Column("Sent", BYTE_RATE, with_protocol(sent())),
                Column("Zero copy", SHARE, with_protocol(plaintext(ratio)), LOW_IS_BAD),
                Column("Received", BYTE_RATE, with_protocol(received())),
            ],
        )
        .span(24)
        .height(7)
        .no_value(NO_PORT)
    )
    linked_columns(table, frame.row_links("Host"))
    yield table
    reasons = (
        losses(
            "Why zero copy is lost",
            "The reason that the exporter found for each listener. docs/kafka.md describes the evidence for each "
            "reason, and what to do.",
            LISTENERS,
        )
        .span(24)
        .height(6)
        .no_value(f"{NOTHING_WRONG}, or no Kafka broker was found")
    )
    linked_columns(reasons, frame.row_links("Host"))
    yield reasons
    yield (
        timeline(
            "Sent by zero copy, by listener",
            "Of listeners that send at least 256 KiB/s. A line that drops: TLS was enabled, a client asks for an older "
            "format, the JVM fell back to copying, or data is read from tiered storage. Small dips are responses "
            "without records, which are always copied.",
            SHARE,
            Query(ratio, LISTENER_LEGEND),
        )
        .max(1)
        .no_value(NO_PORT)
    )
    yield stacked(
        "Sent by zero copy and by CPU copy, by listener",
        "The same in bytes. Bytes that are copied on a plaintext port and grow with the traffic need an explanation.",
        BYTE_RATE,
        *(
            Query(sent(mechanism), f"{name}: {LISTENER_LEGEND}")
            for name, mechanism in (("zero copy", q.ZERO_COPY), ("CPU copy", q.CPU))
        ),
    ).no_value(NO_PORT)
    by_broker = [
        q.total(
            "copy_kafka_listener_bytes_total", "instance, cluster_id, node_id", LISTENERS, SENT_BY_BROKER, mechanism
        )
        for mechanism in (q.ZERO_COPY, q.NOT_DMA)
    ]
    yield (
        timeline(
            "Sent by zero copy, by broker",
            "All listeners of a broker together. A broker that differs from the others of its cluster has another JVM, "
            "another configuration or other topics.",
            SHARE,
            Query(q.with_broker(f"({q.share(*by_broker)})"), "{{broker}} {{instance}}"),
        )
        .max(1)
        .span(24)
        .no_value(NO_KAFKA)
    )


def produce() -> Iterator[Panel]:
    """From producers to the log."""
    yield stacked(
        "tcp → user: received, by listener",
        "What producers and leaders send, copied from the socket into the broker.",
        BYTE_RATE,
        Query(received(), LISTENER_LEGEND),
    ).no_value(NO_PORT)
    hop = ('source="user"', 'destination="page_cache"')
    written = q.total("copy_bytes_total", q.PROCESS_LABELS, q.CPU, q.HOST, *hop)
    yield stacked(
        "user → page_cache: appended, by broker",
        "What brokers write to files: log segments, and a little more. Far more than was received: compaction or "
        "conversion.",
        BYTE_RATE,
        Query(f"{written} and {BROKERS}", q.PROCESS_LEGEND),
    ).no_value(NO_PORT)
