"""Many hosts at once: brokers that lost zero copy, hosts and processes that copy most, health."""

from collections.abc import Iterator

from grafana_foundation_sdk.builders import dashboard, stat

from dashboards import frame, health
from dashboards import queries as q
from dashboards.computed import recorded
from dashboards.kafka.scopes import ENCRYPTED
from dashboards.panels import (
    ANY_IS_BAD,
    BYTE_RATE,
    CORES,
    COUNT,
    HIGH_IS_BAD,
    NO_NETWORK,
    NOTHING_WRONG,
    OPTIONAL,
    SHARE,
    Column,
    Panel,
    Query,
    lines_at,
    linked,
    linked_columns,
    listing,
    losses,
    number,
    stacked,
    thresholds,
    timeline,
)
from dashboards.process import NO_COPY_CPU

NO_BYTES = "No data: no exporter is scraped, or it started less than two scrapes ago"

_DOWN = (
    f'up{{{q.HOST}, job="copy-exporter"}} == 0 or '
    f"(up{{{q.HOST}}} == 0 and on (job, instance) last_over_time(copy_exporter_build_info{{{q.HOST}}}[1d]))"
)
_EXPORTERS = f"group by (instance) (last_over_time(copy_exporter_build_info{{{q.HOST}}}[1d]))"


def build() -> dashboard.Dashboard:
    """The dashboard."""
    built = frame.frame(
        frame.FLEET,
        "Copy behaviour: fleet",
        "All hosts at once. The recording rules make it cheap for hundreds of hosts; it works without them. Generated "
        "from copy-exporter's code.",
        frame.recorded_hosts(),
        frame.runbooks(),
    )
    rows = {
        "What needs attention": _attention(),
        "Hosts": _hosts(),
        "Processes of all hosts": _processes(),
        "Exporters": _exporters(),
    }
    return frame.with_rows(built, rows)


def _attention() -> Iterator[Panel]:
    for panel in _numbers():
        yield panel.span(6)
    yield from _tables()


def _numbers() -> Iterator[stat.Panel]:
    yield number(
        "Exporters",
        "Hosts whose exporter was scraped within the last day.",
        COUNT,
        Query(f"count({_EXPORTERS})", "exporters"),
    )
    yield number(
        "Exporters silent",
        "Nothing is known about these hosts; the table of exporters below names them. Check that the host is up and "
        "that the service runs.",
        COUNT,
        Query(f"count({_DOWN}) or 0 * count({_EXPORTERS})", "down"),
    ).thresholds(thresholds(ANY_IS_BAD))
    yield number(
        "Alerts firing",
        "Of dashboards/prometheus/alerts.rules.yml; the table below has them. 0 also where the rules are not loaded.",
        COUNT,
        Query(f"count({_alerts('firing')}) or 0 * count({_EXPORTERS})", "alerts"),
    ).thresholds(thresholds(ANY_IS_BAD))
    plaintext = f'copy_kafka_zero_copy_lost{{{q.HOST}, reason!="tls"}}'
    known = f"0 * count(copy_kafka_listener_info{{{q.HOST}}})"
    yield (
        number(
            "Zero copy lost",
            "Plaintext listeners of Kafka brokers that have lost zero copy. The table below names them.",
            COUNT,
            Query(f"count(group by (instance, cluster_id, node_id, port) ({plaintext})) or {known}", "listeners"),
        )
        .thresholds(thresholds(ANY_IS_BAD))
        .no_value("No broker found")
    )
    encrypted = f"copy_kafka_listener_info{{{q.HOST}, {ENCRYPTED}}}"
    yield number(
        "TLS listeners",
        "Listeners of Kafka brokers that encrypt, so that each byte is copied. This is expected.",
        COUNT,
        Query(f"count(group by (instance, cluster_id, node_id, port) ({encrypted})) or {known}", "listeners"),
    ).no_value("No broker found")
    for title, mechanism, text in (
        ("Copied by the CPU", "cpu", "All hosts together. The panels by host below show where zero copy would help."),
        ("Moved by zero copy", "zero_copy", "All hosts together, by sendfile, splice, MSG_ZEROCOPY and similar calls."),
    ):
        yield number(title, text, BYTE_RATE, Query(f"sum({_host_rates(mechanism)})", title))
    lost = " or ".join(f"increase({metric}{{{q.HOST}}}[1h])" for metric in health.LOST_EVENTS)
    yield number(
        "Hosts with losses",
        "In the last hour, by a full map or a skipped probe. Their counts are too low; see the health row of the "
        "host's dashboard.",
        COUNT,
        Query(f"count(sum by (instance) ({lost}) > 0) or 0 * count({_EXPORTERS})", "hosts"),
    ).thresholds(thresholds(ANY_IS_BAD))


def _host_rates(mechanism: str) -> str:
    return recorded("host:copy_bytes:rate5m", f'mechanism="{mechanism}"')


def _alerts(state: str = ".*") -> str:
    return f'ALERTS{{{q.HOST}, alertstate=~"{state}", alertname=~"{"|".join(frame.ALERTS)}"}}'


def _tables() -> Iterator[Panel]:
    labels = ("alertname", "alertstate", "severity", "instance", "name", "port")
    active = f"max by ({', '.join(labels)}) ({_alerts()})"
    with_page = f'label_replace({active}, "runbook", "$1", "alertname", "(ExporterBlind|.*).*")'
    alerts = listing(
        "Alerts",
        "Firing and pending alerts of dashboards/prometheus/alerts.rules.yml. The column Runbook leads to a "
        "page: what the alert means, how to check and what to do.",
        dict(zip(labels, ("Alert", "State", "Severity", "Host", "Process", "Port"), strict=True))
        | {"runbook": "Runbook"},
        facts=with_page,
    )
    linked_columns(alerts, frame.row_links("Host", "Runbook"))
    yield alerts.span(24).height(6).no_value(NOTHING_WRONG)
    lost = losses(
        "Brokers without zero copy, and why",
        "TLS listeners are always listed. For any other reason click the port for the broker's dashboard.",
        q.HOST,
    )
    linked_columns(lost, frame.row_links("Host", "Port"))
    yield lost.span(24).height(6).no_value(f"{NOTHING_WRONG}, or no Kafka broker was found")
    sent = f"sum without (mechanism) {recorded('host_port:copy_sent_bytes:rate5m')}"
    ratio = timeline(
        "Sent by zero copy, by watched port",
        "Ports of brokers, and those of --watch.port. Plaintext listeners belong near 100 %, TLS listeners at 0 %; "
        "those that send less than 256 KiB/s are left out. A line that moves is a change to explain.",
        SHARE,
        Query(q.busy(recorded("host_port:copy_zero_copied_sent:ratio_rate5m"), sent), "port {{port}} {{instance}}"),
    )
    linked(ratio, frame.host_link())
    yield ratio.max(1).span(24).no_value("No data: no port is watched (exporter with --kafka or --watch.port N)")


def _hosts() -> Iterator[Panel]:
    for title, mechanism, text in (
        ("CPU copies by host", "cpu", "The hosts that copy most; click a line for its processes."),
        (
            "Zero copy by host",
            "zero_copy",
            "A host that drops here and rises in the panel beside it has lost zero copy.",
        ),
        ("DMA by host", "dma", "Disk reads: the page cache does not hold what these hosts read."),
    ):
        panel = timeline(title, text, BYTE_RATE, Query(f"topk(20, {_host_rates(mechanism)})", "{{instance}}"))
        linked(panel, frame.host_link())
        yield panel.span(8).no_value(NO_BYTES)
    ratio = timeline(
        "Zero-copy part by host",
        "Of the bytes that the CPU copied or zero copy moved. Hosts with the same role should be close together.",
        SHARE,
        Query(recorded("host:copy_zero_copied:ratio_rate5m"), "{{instance}}"),
    ).max(1)
    linked(ratio, frame.host_link())
    yield ratio.span(8).no_value(NO_BYTES)
    switches = timeline(
        "Mode switches per MiB",
        "Of hosts that move at least 256 KiB/s. Thousands: calls move few bytes. The host's dashboard shows the "
        "processes.",
        COUNT,
        Query(_where_enough_moves("host"), "{{instance}}"),
    )
    linked(switches, frame.host_link())
    yield switches.span(8).no_value(NO_BYTES)
    hops = f"sum by (source, destination, mechanism) {recorded('host_hop:copy_bytes:rate5m')}"
    yield (
        stacked(
            "Hops of all hosts",
            "Source and destination of the bytes, and the mechanism.",
            BYTE_RATE,
            Query(f"topk(12, {hops})", q.HOP_LEGEND),
        )
        .span(8)
        .no_value(NO_BYTES)
    )
    yield (
        timeline(
            "CPU time in copies",
            "In the kernel's copy routines, sampled: the CPUs that copying keeps busy. Zero copy cannot save more.",
            CORES,
            Query(f"sum by (instance) ({q.rate('copy_host_cpu_seconds_total', q.HOST)})", "{{instance}}"),
        )
        .span(8)
        .no_value(NO_COPY_CPU)
    )
    yield (
        timeline(
            "Part of CPU time copying",
            "Of the CPU time of the processes. Below 25 % while the network is full (panel beside): the network "
            "saturates before the CPU.",
            SHARE,
            Query(recorded("host:copy_cpu_share:ratio_rate5m"), "{{instance}}"),
        )
        .max(1)
        .span(8)
        .no_value(NO_COPY_CPU)
    )
    use = timeline(
        "Network in use",
        "The busier direction against the speed of the device. Above 70 % the network is the limit.",
        SHARE,
        Query(recorded("device:copy_network_utilisation:ratio_rate5m"), "{{device}} {{instance}}"),
    ).max(1)
    yield lines_at(use, HIGH_IS_BAD).span(8).no_value(NO_NETWORK)


def _where_enough_moves(level: str) -> str:
    """Mode switches per MiB, where enough bytes move for it to mean anything."""
    switches = recorded(f"{level}:copy_mode_switches_per_mib:ratio_rate5m")
    return f"({switches} and {recorded(f'{level}:copy_moved_bytes:rate5m')} >= {q.MOVES_ENOUGH})"


def _processes() -> Iterator[Panel]:
    for title, mechanism in (("CPU copies by process name", "cpu"), ("Zero copy by process name", "zero_copy")):
        rates = recorded("process:copy_bytes:rate5m", f'mechanism="{mechanism}"')
        yield timeline(
            title,
            "The fifteen largest, all hosts together. A name that changes panels lost or gained zero copy.",
            BYTE_RATE,
            Query(f"topk(15, sum by (comm) {rates})", "{{comm}}"),
        ).no_value(NO_BYTES)
    names = f"max by ({q.PROCESS_LABELS}, name) {recorded('process:copy_name:info')}"
    named = f"* on ({q.PROCESS_LABELS}) group_left (name) {names}"
    copied = recorded("process:copy_bytes:rate5m", q.CPU)
    most = f"topk(25, sum by ({q.PROCESS_LABELS}) {copied})"
    ratio = f"max by ({q.PROCESS_LABELS}) {recorded('process:copy_zero_copied:ratio_rate5m')}"
    switches = f"max by ({q.PROCESS_LABELS}) {_where_enough_moves('process')}"
    table = listing(
        "Processes that copy most, with their hosts",
        "Click a process for its details. Many bytes copied, 0 % by zero copy and few mode switches: large "
        "buffers that sendfile could replace. Many mode switches (shown from 256 KiB/s on): small calls.",
        {"instance": "Host", "comm": "Process", "pid": "Process id", "name": "Name"},
        [
            Column("CPU copy", BYTE_RATE, f"{most} {named}"),
            Column("Zero copy", SHARE, f"({ratio} and {most}) {named}"),
            Column("Switches/MiB", COUNT, f"({switches} and {most}) {named}"),
        ],
    )
    linked_columns(table, frame.row_links("Host", "Process"))
    yield table.no_value(NO_BYTES)


def _exporters() -> Iterator[Panel]:
    down = listing(
        "Exporters down",
        "The last scrape failed. Check that the host is up and that the service runs, and read its log.",
        {"instance": "Host", "job": "Job"},
        facts=f"max by (instance, job) ({_DOWN})",
    )
    linked_columns(down, frame.row_links("Host"))
    yield down.span(12).height(6).no_value(NOTHING_WRONG)
    builds = f"count by (version, pythonversion) ({q.gauge('copy_exporter_build_info', q.HOST)})"
    yield (
        listing(
            "Versions",
            "Exporters per version. More than one version: an update is not complete.",
            {"version": "Version", "pythonversion": "Python"},
            [Column("Exporters", COUNT, builds)],
        )
        .span(12)
        .height(6)
        .no_value(OPTIONAL)
    )
    refused = f"min by (instance, probe, hook, attach_method) (copy_exporter_probe_attached{{{q.HOST}}}) == 0"
    without = listing(
        "Probes not attached",
        "What these probes count is missing on these hosts; `copy-exporter doctor` shows the reason. Many kernels "
        "do not support the optional probes of the kernel's own copy functions.",
        {"instance": "Host", "probe": "Probe", "hook": "Hook", "attach_method": "Attach method"},
        facts=refused,
    )
    linked_columns(without, frame.row_links("Host"))
    yield without.span(24).height(6).no_value(NOTHING_WRONG)
