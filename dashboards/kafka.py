"""Kafka brokers: zero copy by broker, listener and topic, why it is lost, and what it is worth."""

from collections.abc import Iterator

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as models

from dashboards import frame, health
from dashboards import queries as q
from dashboards.panels import (
    ANY_IS_BAD,
    BYTE_RATE,
    CALL_RATE,
    CORES,
    COUNT,
    GREEN,
    HIGH_IS_BAD,
    LOW_IS_BAD,
    NO_KAFKA,
    NO_NETWORK,
    NOTHING_WRONG,
    RED,
    SECONDS,
    SHARE,
    Column,
    Panel,
    Query,
    latencies,
    lines_at,
    listing,
    number,
    stacked,
    thresholds,
    timeline,
)
from dashboards.process import NO_COPY_CPU, NO_SENDFILE

NO_PORT = "No data: no broker was found here and no port is watched (exporter with --kafka, or --port N)"

_WATCHED = 'port!=""'
_SENT = (q.PORTS, _WATCHED, 'destination="tcp"')
_RECEIVED = (q.PORTS, _WATCHED, 'source="tcp"')
_LISTENER = "{{listener}} {{protocol}} {{port}}, {{instance}}"
_TOPIC = "{{topic}}, broker {{node_id}}, {{instance}}"
_WHO = "{{comm}} {{pid}}, {{instance}}"
_OF_TOPIC = "instance, node_id, topic"
_BROKERS = f"group by ({q.OF_PROCESS}) ({q.lately('copy_syscalls_total', q.PORTS, _WATCHED)})"
"""Processes that move bytes on the ports: the local port is meant, so their clients are not among them."""
_LISTENERS = (
    "topk by (instance, port) (1, max by (instance, port, listener, protocol, node_id) "
    f"({q.lately('copy_kafka_listener_info', q.PORTS)}))"
)
"""One for each port, even while a broker restarts, or where two containers have the same one."""

_VERDICTS: list[models.ValueMapping] = [
    models.RangeMap(models.DashboardRangeMapOptions(low, high, models.ValueMappingResult(text=text, color=color)))
    for low, high, text, color in ((None, 1, "the network", GREEN), (1, None, "the CPU", RED))
]


def build() -> dashboard.Dashboard:
    """The dashboard."""
    built = frame.frame(
        frame.KAFKA,
        "Kafka broker: zero copy",
        "Are consumers served by zero copy, on which listener, for which topic, at what cost, and why not "
        "where not. Made from copy-exporter's code.",
        frame.instances(),
        frame.ports(),
        frame.topics(),
    )
    rows = {
        "Is zero copy alive?": _glance(),
        "By listener and broker": _listeners(),
        "By topic": _topics(),
        "Produce path": _produce(),
        "Calls, and waiting for the disk": _calls(),
        "CPU against network: which saturates first?": _saturation(),
        "Can this be believed? Coverage and loss": (*_coverage(), *health.verdict()),
    }
    return frame.filled(built, rows)


def _named(expression: str) -> str:
    """With the listener's name where it is known; ``expression`` is by instance and port."""
    joined = f"{expression} * on (instance, port) group_left (listener, protocol, node_id) {_LISTENERS}"
    return f"{joined} or on (instance, port) {expression}"


def _glance() -> Iterator[Panel]:
    yield (
        number(
            "Sent by zero copy",
            "Of all that was sent on these ports. Plaintext listeners serve consumers at 95 % and more; a TLS "
            "listener always has 0 %. Lower than it was: see why, beside.",
            SHARE,
            Query(q.zero_copy_share("instance", *_SENT, of="copy_host"), "{{instance}}"),
        )
        .max(1)
        .thresholds(thresholds(LOW_IS_BAD))
        .no_value("No port watched")
    )
    yield number(
        "Sent",
        "Bytes a second to consumers and followers, by all mechanisms.",
        BYTE_RATE,
        Query(q.moved("instance", *_SENT, of="copy_host"), "{{instance}}"),
    ).no_value("No port watched")
    yield number(
        "Received",
        "Bytes a second from producers and leaders. Each is copied twice by the CPU: into user space and to the page "
        "cache; that cannot be saved.",
        BYTE_RATE,
        Query(q.moved("instance", *_RECEIVED, of="copy_host"), "{{instance}}"),
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
        Query(f"max by (instance) (histogram_quantile(0.99, {slow}) and {_BROKERS})", "{{instance}}"),
    ).no_value("No sendfile")


def _listeners() -> Iterator[Panel]:
    sent = q.moved(q.OF_PORT, *_SENT, of="copy_host")
    ratio = q.zero_copy_share(q.OF_PORT, *_SENT, of="copy_host")
    received = q.moved(q.OF_PORT, *_RECEIVED, of="copy_host")
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
                Column("Sent", BYTE_RATE, _named(sent)),
                Column("By zero copy", SHARE, _named(f"({ratio})"), LOW_IS_BAD),
                Column("Received", BYTE_RATE, _named(received)),
            ],
        )
        .span(14)
        .height(8)
        .no_value(NO_PORT)
    )
    reasons = f"max by (instance, node_id, port, reason) (copy_kafka_zero_copy_lost_info{{{q.PORTS}}})"
    yield (
        listing(
            "Why zero copy is lost",
            "The reason that the exporter sees for each listener; docs/kafka.md tells what is evidence and "
            "what is inferred, and what to do about each.",
            {"instance": "Host", "node_id": "Broker", "port": "Port", "reason": "Reason"},
            [Column("Lost", COUNT, reasons, ANY_IS_BAD)],
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
        Query(_named(f"({ratio})"), _LISTENER),
    )
    yield course.max(1).no_value(NO_PORT)
    mechanisms = {"zero copy": "zero", "copied": "cpu"}
    yield stacked(
        "Sent: by zero copy and copied, by listener",
        "The same in bytes. Copied bytes on a plaintext port that grow with the traffic are the ones to explain.",
        BYTE_RATE,
        *(
            Query(_named(q.total(f"copy_host_{metric}_copied_bytes_total", q.OF_PORT, *_SENT)), f"{name}: {_LISTENER}")
            for name, metric in mechanisms.items()
        ),
    ).no_value(NO_PORT)
    by_broker = [
        f"sum by (instance, node_id) ({_named(amount)})"
        for amount in (q.total("copy_host_zero_copied_bytes_total", q.OF_PORT, *_SENT), sent)
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


def _topics() -> Iterator[Panel]:
    zero, read, written, dma = (
        q.total(f"copy_kafka_topic_{what}_bytes_total", _OF_TOPIC, q.TOPICS)
        for what in ("zero_copied", "cpu_copied_read", "cpu_copied_written", "dma_read")
    )
    whole = q.together(_OF_TOPIC, zero, read)
    yield (
        timeline(
            "Read by zero copy, by topic",
            "Of what was read from the topic's files. A topic far below the others on the same listener: its "
            "clients make the broker convert, it is compacted, or it is read over TLS.",
            SHARE,
            Query(q.share(zero, whole), _TOPIC),
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
            Query(zero, _TOPIC),
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
            Query(read, _TOPIC),
        )
        .span(8)
        .no_value(NO_KAFKA)
    )
    yield (
        stacked(
            "Written, by topic",
            "Bytes that the CPU copied into the topic's files: what producers and leaders sent, and compaction.",
            BYTE_RATE,
            Query(written, _TOPIC),
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
            Query(dma, _TOPIC),
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
            Query(q.share(dma, whole), _TOPIC),
        )
        .span(8)
        .no_value(NO_KAFKA)
    )


def _produce() -> Iterator[Panel]:
    received = q.moved(q.OF_PORT, *_RECEIVED, 'destination="user"', of="copy_host")
    yield stacked(
        "tcp → user: received, by listener",
        "What producers and leaders send, copied from the socket into the broker.",
        BYTE_RATE,
        Query(_named(received), _LISTENER),
    ).no_value(NO_PORT)
    hop = ('source="user"', 'destination="page_cache"')
    written = q.total("copy_cpu_copied_bytes_total", q.OF_PROCESS, q.HOST, *hop)
    yield stacked(
        "user → page_cache: appended, by broker",
        "What brokers write to files: the log segments and a little more. Far more than was received: compaction or "
        "conversion.",
        BYTE_RATE,
        Query(f"{written} and {_BROKERS}", _WHO),
    ).no_value(NO_PORT)


def _calls() -> Iterator[Panel]:
    calls = q.total("copy_host_syscalls_total", q.OF_PORT, *_SENT, q.CALLS_OF_THEIR_OWN)
    sent = q.moved(q.OF_PORT, *_SENT, of="copy_host")
    yield timeline(
        "System calls for each MiB sent",
        "A few when consumers fetch large batches; hundreds when fetches are tiny: raise fetch.min.bytes and "
        "fetch.max.wait.ms of the consumers. Mode switches are twice as many.",
        COUNT,
        Query(_named(f"({q.MIB} * {q.per(calls, sent)})"), _LISTENER),
    ).no_value(NO_PORT)
    errors = q.total("copy_syscall_errors_total", f"{q.OF_PROCESS}, syscall, errno", q.HOST)
    yield timeline(
        "Failed calls of brokers",
        "EAGAIN is normal. sendfile with another error than EAGAIN: the JVM may fall back to copying. "
        "copy_file_range EINVAL before each sendfile is normal on JDK 21 and later. EPIPE, ECONNRESET: "
        "clients that went away.",
        CALL_RATE,
        Query(f"{errors} and on ({q.OF_PROCESS}) {_BROKERS}", "{{syscall}} {{errno}}, {{pid}}, {{instance}}"),
    ).no_value(NO_PORT)
    buckets = q.total("copy_sendfile_duration_seconds_bucket", f"{q.OF_PROCESS}, le", q.HOST)
    yield timeline(
        "Time of a sendfile",
        "Half of the calls, and 99 % of them, took less. Slow ones read from disk on a network thread (see "
        "disk reads by topic): all its clients wait. More network threads help; more page cache helps more.",
        SECONDS,
        Query(f"histogram_quantile(0.5, {buckets}) and {_BROKERS}", f"half, {_WHO}"),
        Query(f"histogram_quantile(0.99, {buckets}) and {_BROKERS}", f"99 %, {_WHO}"),
    ).no_value(NO_SENDFILE)
    ours = f"{buckets} and on ({q.OF_PROCESS}) {_BROKERS}"
    yield latencies(
        "All sendfile calls of brokers",
        "How many calls took how long. Two bands: served from the page cache, and from disk.",
        Query(f"sum by (le) ({ours})", "{{le}}"),
    ).no_value(NO_SENDFILE)


def _saturation() -> Iterator[Panel]:
    use = f"max by (instance) (device:copy_network_utilisation:ratio_rate5m{{{q.HOST}}})"
    recorded = f"process:copy_process_cpu_seconds:rate5m{{{q.HOST}}}"
    at_full_speed = f"sum by (instance) ({recorded} and on ({q.OF_PROCESS}) {_BROKERS}) / ({use} > 0)"
    cpus = f"max by (instance) (copy_cpus{{{q.HOST}}})"
    verdict = number(
        "Saturates first",
        "The CPUs that brokers would need to fill the network, by those that the host has. Below 1 the "
        "network saturates first: zero copy saves CPU, not throughput. Above, each copy saved is throughput "
        "gained. Look while they are busy: at little load other work is most of it.",
        COUNT,
        Query(f"{at_full_speed} / {cpus}", "{{instance}}"),
    )
    yield verdict.mappings(_VERDICTS).span(6).height(8).no_value("Speed unknown")
    yield (
        timeline(
            "CPUs that brokers would need to fill the network",
            "CPU now, by the part of the network in use now, beside what the host has. Zero copy lowers the "
            "first line.",
            CORES,
            Query(at_full_speed, "needed, {{instance}}"),
            Query(cpus, "there, {{instance}}"),
        )
        .span(6)
        .no_value(NO_NETWORK)
    )
    yield (
        timeline(
            "CPU of brokers, and of it copying",
            "CPUs that each broker keeps busy, and what of that the kernel's copy routines take: the most "
            "that zero copy could free.",
            CORES,
            Query(f"{q.total('copy_process_cpu_seconds_total', q.OF_PROCESS, q.HOST)} and {_BROKERS}", f"all: {_WHO}"),
            Query(f"{q.total('copy_cpu_seconds_total', q.OF_PROCESS, q.HOST)} and {_BROKERS}", f"copying: {_WHO}"),
        )
        .span(6)
        .no_value(NO_COPY_CPU)
    )
    network = timeline(
        "Network in use",
        "The busier direction of the busiest device against its speed. Above 70 % it is the network that limits.",
        SHARE,
        Query(use, "{{instance}}"),
    ).max(1)
    yield lines_at(network, HIGH_IS_BAD).span(6).no_value(NO_NETWORK)


def _coverage() -> Iterator[Panel]:
    seen = q.moved("instance", *_SENT, of="copy_host")
    transmitted = q.total("copy_network_transmit_bytes_total", "instance", q.HOST, 'device!="lo"')
    yield timeline(
        "Sent on these ports, and by the network devices",
        "What we see against what the devices count. Devices count headers, retransmissions and everybody "
        "else; clients on the same host are on no device. Devices far above: another process sends, or a port "
        "is not watched.",
        BYTE_RATE,
        Query(seen, "on the ports, {{instance}}"),
        Query(transmitted, "by the devices, {{instance}}"),
    ).no_value(NO_PORT)
    yield timeline(
        "Coverage",
        "The first as a part of the second. Far below 1: the broker is not what fills the network here. Above "
        "1: clients on the same host.",
        SHARE,
        Query(q.per(seen, transmitted), "{{instance}}"),
    ).no_value(NO_NETWORK)
