"""What it takes: calls, waiting, CPU against network; and whether all of it is seen."""

from collections.abc import Iterator

from grafana_foundation_sdk.models import dashboard as models

from dashboards import queries as q
from dashboards.kafka.scopes import BROKERS, LISTENER, NO_PORT, SENT, WHO, named
from dashboards.panels import (
    BYTE_RATE,
    CALL_RATE,
    CORES,
    COUNT,
    GREEN,
    HIGH_IS_BAD,
    NO_NETWORK,
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

_VERDICTS: list[models.ValueMapping] = [
    models.RangeMap(models.DashboardRangeMapOptions(low, high, models.ValueMappingResult(text=text, color=color)))
    for low, high, text, color in ((None, 1, "the network", GREEN), (1, None, "the CPU", RED))
]


def calls() -> Iterator[Panel]:
    """System calls, their errors, and how long sendfile waits."""
    calls = q.total("copy_host_syscalls_total", q.OF_PORT, *SENT, q.CALLS_OF_THEIR_OWN)
    sent = q.moved(q.OF_PORT, *SENT, of="copy_host")
    yield timeline(
        "System calls for each MiB sent",
        "A few when consumers fetch large batches; hundreds when fetches are tiny: raise fetch.min.bytes and "
        "fetch.max.wait.ms of the consumers. Mode switches are twice as many.",
        COUNT,
        Query(named(f"({q.MIB} * {q.per(calls, sent)})"), LISTENER),
    ).no_value(NO_PORT)
    errors = q.total("copy_syscall_errors_total", f"{q.OF_PROCESS}, syscall, errno", q.HOST)
    yield timeline(
        "Failed calls of brokers",
        "EAGAIN is normal. sendfile with another error than EAGAIN: the JVM may fall back to copying. "
        "copy_file_range EINVAL before each sendfile is normal on JDK 21 and later. EPIPE, ECONNRESET: "
        "clients that went away.",
        CALL_RATE,
        Query(f"{errors} and on ({q.OF_PROCESS}) {BROKERS}", "{{syscall}} {{errno}}, {{pid}}, {{instance}}"),
    ).no_value(NO_PORT)
    buckets = q.total("copy_sendfile_duration_seconds_bucket", f"{q.OF_PROCESS}, le", q.HOST)
    yield timeline(
        "Time of a sendfile",
        "Half of the calls, and 99 % of them, took less. Slow ones read from disk on a network thread (see "
        "disk reads by topic): all its clients wait. More network threads help; more page cache helps more.",
        SECONDS,
        *quantiles(buckets, WHO, f" and {BROKERS}"),
    ).no_value(NO_SENDFILE)
    ours = f"{buckets} and on ({q.OF_PROCESS}) {BROKERS}"
    yield latencies(
        "All sendfile calls of brokers",
        "How many calls took how long. Two bands: served from the page cache, and from disk.",
        Query(f"sum by (le) ({ours})", "{{le}}"),
    ).no_value(NO_SENDFILE)


def saturation() -> Iterator[Panel]:
    """What the CPU does, against what the network can take."""
    use = f"max by (instance) (device:copy_network_utilisation:ratio_rate5m{{{q.HOST}}})"
    recorded = f"process:copy_process_cpu_seconds:rate5m{{{q.HOST}}}"
    at_full_speed = f"sum by (instance) ({recorded} and on ({q.OF_PROCESS}) {BROKERS}) / ({use} > 0)"
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
            Query(f"{q.total('copy_process_cpu_seconds_total', q.OF_PROCESS, q.HOST)} and {BROKERS}", f"all: {WHO}"),
            Query(f"{q.total('copy_cpu_seconds_total', q.OF_PROCESS, q.HOST)} and {BROKERS}", f"copying: {WHO}"),
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


def coverage() -> Iterator[Panel]:
    """What is seen, against what the network devices count."""
    seen = q.moved("instance", *SENT, of="copy_host")
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
