"""Calls, time in sendfile, CPU against network; and whether all traffic is counted."""

from collections.abc import Iterator

from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models

from dashboards import queries as q
from dashboards.computed import computed
from dashboards.kafka.scopes import (
    BROKERS,
    LISTENER_LABELS,
    LISTENER_LEGEND,
    LISTENERS,
    NO_PORT,
    SENT_BY_BROKER,
    sending_calls,
    sent,
)
from dashboards.panels import (
    BYTE_RATE,
    BYTES,
    CALL_RATE,
    CORES,
    COUNT,
    GREEN,
    HIGH_IS_BAD,
    NO_KAFKA,
    NO_NETWORK,
    NO_TRAFFIC,
    RED,
    SECONDS,
    SHARE,
    Panel,
    Query,
    latencies,
    lines_at,
    number,
    quantiles,
    timeline,
)
from dashboards.process import NO_COPY_CPU, NO_SENDFILE

_SATURATES_FIRST: list[models.ValueMapping] = [
    models.RangeMap(models.DashboardRangeMapOptions(low, high, models.ValueMappingResult(text=text, color=color)))
    for low, high, text, color in ((None, 1, "the network", GREEN), (1, None, "the CPU", RED))
]


def calls() -> Iterator[Panel]:
    """System calls, their errors, and the time of sendfile."""
    yield timeline(
        "System calls per MiB sent",
        "Of listeners that send at least 256 KiB/s. A few when consumers fetch large batches, hundreds when fetches "
        "are tiny: raise fetch.min.bytes and fetch.max.wait.ms of the consumers. There are twice as many mode "
        "switches.",
        COUNT,
        Query(q.busy(f"{q.MIB} * {sending_calls()} / {sent()}", sent()), LISTENER_LEGEND),
    ).no_value(NO_PORT)
    errors = q.total("copy_syscall_errors_total", f"{q.PROCESS_LABELS}, syscall, errno", q.HOST)
    yield timeline(
        "Failed calls of brokers",
        "EAGAIN is normal. sendfile with another error: the JVM may fall back to copying. copy_file_range with EINVAL "
        "before each sendfile is normal on JDK 21 and later. EPIPE, ECONNRESET: clients that disconnected.",
        CALL_RATE,
        Query(f"{errors} and on ({q.PROCESS_LABELS}) {BROKERS}", "{{syscall}} {{errno}} {{pid}} {{instance}}"),
    ).no_value(NO_PORT)
    buckets = q.total("copy_sendfile_duration_seconds_bucket", f"{q.PROCESS_LABELS}, le", q.HOST)
    yield timeline(
        "Duration of sendfile",
        "Median and 99th percentile. Slow calls read from disk on a network thread (see disk reads by topic), and all "
        "its clients wait. More network threads help; more page cache helps more.",
        SECONDS,
        *quantiles(buckets, q.PROCESS_LEGEND, f" and {BROKERS}"),
    ).no_value(NO_SENDFILE)
    of_brokers = f"{buckets} and on ({q.PROCESS_LABELS}) {BROKERS}"
    yield latencies(
        "All sendfile calls of brokers",
        "How many calls took how long. Two bands: data in the page cache, and data read from disk.",
        Query(f"sum by (le) ({of_brokers})", "{{le}}"),
    ).no_value(NO_SENDFILE)
    copied, copying = (
        q.total(
            f"copy_kafka_listener_{counted}_total",
            LISTENER_LABELS,
            LISTENERS,
            SENT_BY_BROKER,
            q.CPU,
        )
        for counted in ("bytes", "calls")
    )
    yield (
        timeline(
            "Bytes per copying send, by listener",
            "Acknowledgements and response headers are shorter than 1 KiB; they are always copied. Records are longer: "
            "on a plaintext listener a high line needs an explanation.",
            BYTES,
            Query(q.per(copied, copying), LISTENER_LEGEND),
        )
        .span(24)
        .no_value(NO_KAFKA)
    )


def saturation() -> Iterator[Panel]:
    """CPU time of brokers against the speed of the network."""
    use = f"max by (instance) {computed('device:copy_network_utilisation:ratio_rate5m')}"
    cpu_time = q.total("copy_process_cpu_seconds_total", q.PROCESS_LABELS, q.HOST)
    at_full_speed = f"sum by (instance) ({cpu_time} and on ({q.PROCESS_LABELS}) {BROKERS}) / ({use} > 0)"
    cpus = f"max by (instance) (copy_host_cpus{{{q.HOST}}})"
    first = number(
        "Saturates first",
        "The CPUs that brokers would need to fill the network, divided by those of the host. Below 1 the network "
        "saturates first: zero copy saves CPU time, not throughput. Above 1 each copy saved is throughput gained. "
        "Measure under load: at low load other work dominates.",
        COUNT,
        Query(f"{at_full_speed} / {cpus}", "{{instance}}"),
    )
    yield (
        first.mappings(_SATURATES_FIRST)
        .graph_mode(kinds.BigValueGraphMode.NONE)
        .span(12)
        .height(8)
        .no_value("Speed unknown")
    )
    yield (
        timeline(
            "CPUs to fill the network",
            "CPUs in use now, divided by the part of the network in use now, beside the CPUs of the host. Zero copy "
            "lowers the first line.",
            CORES,
            Query(at_full_speed, "needed, {{instance}}"),
            Query(cpus, "available, {{instance}}"),
        )
        .span(12)
        .no_value(NO_NETWORK)
    )
    all_cpu, copying = (
        f"{q.total(metric, q.PROCESS_LABELS, q.HOST)} and {BROKERS}"
        for metric in ("copy_process_cpu_seconds_total", "copy_cpu_seconds_total")
    )
    yield (
        timeline(
            "CPU time of brokers",
            "CPUs that each broker keeps busy, and the part in the kernel's copy routines. Zero copy cannot save more "
            "than that part.",
            CORES,
            Query(all_cpu, f"all: {q.PROCESS_LEGEND}"),
            Query(copying, f"copying: {q.PROCESS_LEGEND}"),
        )
        .span(12)
        .no_value(NO_COPY_CPU)
    )
    network = timeline(
        "Network in use",
        "The busier direction of the busiest device against its speed. Above 70 % the network is the limit.",
        SHARE,
        Query(use, "{{instance}}"),
    ).max(1)
    yield lines_at(network, HIGH_IS_BAD).span(12).no_value(NO_NETWORK)


def coverage() -> Iterator[Panel]:
    """Bytes counted on the ports, against what the network devices count."""
    counted = f"sum by (instance) {sent()}"
    transmitted = q.total("copy_network_transmit_bytes_total", "instance", q.HOST, 'device!="lo"')
    yield timeline(
        "Sent on these ports, and by devices",
        "Devices also count headers, retransmissions and other processes; traffic to clients on the same host passes "
        "no device. Devices far above: another process sends, or a port is not watched.",
        BYTE_RATE,
        Query(counted, "on the ports, {{instance}}"),
        Query(transmitted, "by the devices, {{instance}}"),
    ).no_value(NO_PORT)
    yield timeline(
        "Coverage",
        "The first divided by the second. Far below 1: other traffic than the broker's fills the network. Above 1: "
        "clients on the same host.",
        SHARE,
        Query(q.busy(f"{counted} / {transmitted}", transmitted), "{{instance}}"),
    ).no_value(NO_TRAFFIC)
    yield timeline(
        "Ports of brokers",
        "Ports on which a broker listens, those that are counted separately, those that its configuration does not "
        "have (dynamic listeners, JMX), and configured ones that are not open. Fewer watched than listening: raise "
        "--kafka.ports.max.",
        COUNT,
        Query(
            f"max by (instance, cluster_id, node_id, state) (copy_kafka_ports{{{q.HOST}}})",
            "{{state}} {{node_id}} {{instance}}",
        ),
    ).no_value(NO_KAFKA)
    changed = f"max by (instance, cluster_id, node_id) (copy_kafka_config_changed{{{q.HOST}}})"
    info = f"group by (instance, cluster_id, node_id, roles, version, jdk) (copy_kafka_broker_info{{{q.HOST}}})"
    yield timeline(
        "Configuration edited since the start",
        "1 while the file differs from what the broker has read. It takes effect at the next restart. The legend has "
        "the roles and versions of each broker.",
        COUNT,
        Query(
            f"{changed} * on (instance, cluster_id, node_id) group_left (roles, version, jdk) {info}",
            "{{node_id}} ({{roles}}) Kafka {{version}}, JDK {{jdk}} {{instance}}",
        ),
    ).no_value(NO_KAFKA)
