"""By listener and by broker: zero copy, why it is lost, the produce path."""

from collections.abc import Iterator

from dashboards import queries as q
from dashboards.kafka.scopes import BROKERS, LISTENER, NO_PORT, RECEIVED, SENT, WHO, named
from dashboards.panels import (
    ANY_IS_BAD,
    BYTE_RATE,
    COUNT,
    LOW_IS_BAD,
    NOTHING_WRONG,
    SECONDS,
    SHARE,
    Column,
    Panel,
    Query,
    listing,
    losses,
    number,
    stacked,
    thresholds,
    timeline,
)


def glance() -> Iterator[Panel]:
    """The numbers to look at first."""
    yield (
        number(
            "Sent by zero copy",
            "Of all that was sent on these ports. Plaintext listeners serve consumers at 95 % and more; a TLS "
            "listener always has 0 %. Lower than it was: see why, beside.",
            SHARE,
            Query(q.zero_copy_share("instance", *SENT, of="copy_host"), "{{instance}}"),
        )
        .max(1)
        .thresholds(thresholds(LOW_IS_BAD))
        .no_value("No port watched")
    )
    yield number(
        "Sent",
        "Bytes a second to consumers and followers, by all mechanisms.",
        BYTE_RATE,
        Query(q.moved("instance", *SENT, of="copy_host"), "{{instance}}"),
    ).no_value("No port watched")
    yield number(
        "Received",
        "Bytes a second from producers and leaders. Each is copied twice by the CPU: into user space and to the page "
        "cache; that cannot be saved.",
        BYTE_RATE,
        Query(q.moved("instance", *RECEIVED, of="copy_host"), "{{instance}}"),
    ).no_value("No port watched")
    lost = f"count by (instance) (group by (instance, node_id, port) (copy_kafka_zero_copy_lost_info{{{q.PORTS}}}))"
    known = f"0 * group by (instance) (copy_kafka_listener_info{{{q.HOST}}})"
    yield (
        number(
            "Listeners without zero copy",
            "How many, for any reason. A TLS listener counts: it is lost there by design. The reasons are in "
            "the table below.",
            COUNT,
            Query(f"{lost} or {known}", "{{instance}}"),
        )
        .thresholds(thresholds(ANY_IS_BAD))
        .no_value("No broker found")
    )
    yield number(
        "Read from disk",
        "Bytes a second of topics that were not in the page cache. Consumers far behind cause it, and it slows the "
        "others: see which topic, below.",
        BYTE_RATE,
        Query(q.total("copy_kafka_topic_dma_read_bytes_total", "instance", q.TOPICS), "{{instance}}"),
    ).no_value("No broker found")
    slow = q.total("copy_sendfile_duration_seconds_bucket", "instance, comm, pid, le", q.HOST)
    yield number(
        "99 % of sendfile calls took less than",
        "Above 16 ms, network threads wait for the disk and all clients of theirs with them.",
        SECONDS,
        Query(f"max by (instance) (histogram_quantile(0.99, {slow}) and {BROKERS})", "{{instance}}"),
    ).no_value("No sendfile")


def listeners() -> Iterator[Panel]:
    """Zero copy by listener and by broker, and why it is lost."""
    sent = q.moved(q.OF_PORT, *SENT, of="copy_host")
    ratio = q.zero_copy_share(q.OF_PORT, *SENT, of="copy_host")
    received = q.moved(q.OF_PORT, *RECEIVED, of="copy_host")
    yield (
        listing(
            "Listeners",
            "By zero copy: of what was sent. A plaintext listener in red has lost it; SSL and SASL_SSL cannot "
            "have it. A listener without traffic has no numbers.",
            {
                "instance": "Host",
                "node_id": "Broker",
                "listener": "Listener",
                "protocol": "Protocol",
                "port": "Port",
            },
            [
                Column("Sent", BYTE_RATE, named(sent)),
                Column("By zero copy", SHARE, named(f"({ratio})"), LOW_IS_BAD),
                Column("Received", BYTE_RATE, named(received)),
            ],
        )
        .span(14)
        .height(8)
        .no_value(NO_PORT)
    )
    yield (
        losses(
            "Why zero copy is lost",
            "The reason that the exporter sees for each listener; docs/kafka.md tells what is evidence and "
            "what is inferred, and what to do about each.",
            q.PORTS,
        )
        .span(10)
        .height(8)
        .no_value(f"{NOTHING_WRONG}, or no Kafka broker was found here")
    )
    course = timeline(
        "Sent by zero copy, by listener",
        "A line that falls: TLS was switched on, a client asks for an older format, the JVM fell back, or a "
        "tiered read. Small dips come from answers without data (metadata, acknowledgements), which are "
        "always copied.",
        SHARE,
        Query(named(f"({ratio})"), LISTENER),
    )
    yield course.max(1).no_value(NO_PORT)
    mechanisms = {"zero copy": "zero", "copied": "cpu"}
    yield stacked(
        "Sent: by zero copy and copied, by listener",
        "The same in bytes. Copied bytes on a plaintext port that grow with the traffic are the ones to explain.",
        BYTE_RATE,
        *(
            Query(named(q.total(f"copy_host_{metric}_copied_bytes_total", q.OF_PORT, *SENT)), f"{name}: {LISTENER}")
            for name, metric in mechanisms.items()
        ),
    ).no_value(NO_PORT)
    by_broker = [
        f"sum by (instance, node_id) ({named(amount)})"
        for amount in (q.total("copy_host_zero_copied_bytes_total", q.OF_PORT, *SENT), sent)
    ]
    yield (
        timeline(
            "Sent by zero copy, by broker",
            "All listeners of a broker together. A broker unlike the others of its cluster: another JVM, another "
            "configuration, other topics.",
            SHARE,
            Query(q.share(*by_broker), "broker {{node_id}}, {{instance}}"),
        )
        .max(1)
        .span(24)
        .no_value(NO_PORT)
    )


def produce() -> Iterator[Panel]:
    """From producers to the log."""
    received = q.moved(q.OF_PORT, *RECEIVED, 'destination="user"', of="copy_host")
    yield stacked(
        "tcp → user: received, by listener",
        "What producers and leaders send, copied from the socket into the broker.",
        BYTE_RATE,
        Query(named(received), LISTENER),
    ).no_value(NO_PORT)
    hop = ('source="user"', 'destination="page_cache"')
    written = q.total("copy_cpu_copied_bytes_total", q.OF_PROCESS, q.HOST, *hop)
    yield stacked(
        "user → page_cache: appended, by broker",
        "What brokers write to files: the log segments and a little more. Far more than was received: compaction or "
        "conversion.",
        BYTE_RATE,
        Query(f"{written} and {BROKERS}", WHO),
    ).no_value(NO_PORT)
