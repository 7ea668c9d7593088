"""Many hosts at once, from recorded series: brokers that lost zero copy, hosts and processes that copy most, health."""

from collections.abc import Iterator

from grafana_foundation_sdk.builders import dashboard

from dashboards import frame, health
from dashboards import queries as q
from dashboards.panels import (
    ANY_IS_BAD,
    BYTE_RATE,
    CORES,
    COUNT,
    HIGH_IS_BAD,
    LOW_IS_BAD,
    NO_NETWORK,
    NOTHING_WRONG,
    OPTIONAL,
    SHARE,
    Column,
    Panel,
    Query,
    lines_at,
    linked,
    listing,
    losses,
    number,
    stacked,
    thresholds,
    timeline,
)
from dashboards.process import NO_COPY_CPU

ALERTS = (
    "CopyHeavyProcess",
    "ZeroCopyLost",
    "ZeroCopyRegression",
    "SmallCopies",
    "SendfileBlocking",
    "JVMSendfileFallback",
    "CopyCpuHigh",
    "NetworkSaturatedBeforeCPU",
    "ExporterBlindDroppedUpdates",
    "ExporterBlindMissedRuns",
    "ExporterBlindProbeNotAttached",
    "ExporterBlindScrapeFailing",
    "ExporterBlindBrokerDiscovery",
    "ExporterDown",
)
NOT_RECORDED = "No data: load dashboards/prometheus/recording.rules.yml into Prometheus and wait five minutes"

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
        "All hosts at once, from the series of the recording rules: cheap for hundreds of hosts. Generated from "
        "copy-exporter's code.",
        frame.instances(),
    )
    rows = {
        "What needs attention": _attention(),
        "Hosts": _hosts(),
        "Processes of all hosts": _processes(),
        "Exporters": _exporters(),
    }
    return frame.with_rows(built, rows)


def _attention() -> Iterator[Panel]:
    yield number(
        "Exporters",
        "Hosts whose exporter was scraped within the last day.",
        COUNT,
        Query(f"count({_EXPORTERS})", "exporters"),
    )
    yield number(
        "Number of exporters down",
        "Nothing is known about these hosts; the table of exporters below names them. Check that the host is up and "
        "that the service runs.",
        COUNT,
        Query(f"count({_DOWN}) or 0 * count({_EXPORTERS})", "down"),
    ).thresholds(thresholds(ANY_IS_BAD))
    reasons = f"copy_kafka_zero_copy_lost{{{q.HOST}}}"
    listeners = f"0 * count(copy_kafka_listener_info{{{q.HOST}}})"
    yield (
        number(
            "Kafka listeners without zero copy",
            "Of all brokers, for any reason, TLS included. The table below names them.",
            COUNT,
            Query(f"count(group by (instance, node_id, port) ({reasons})) or {listeners}", "listeners"),
        )
        .thresholds(thresholds(ANY_IS_BAD))
        .no_value("No broker found")
    )
    rates = f'host:copy_bytes:rate5m{{{q.HOST}, mechanism="%s"}}'
    for title, mechanism, text in (
        ("Copied by the CPU", "cpu", "All hosts together. The panels by host below show where zero copy would help."),
        ("Moved by zero copy", "zero_copy", "All hosts together, by sendfile, splice, MSG_ZEROCOPY and similar calls."),
    ):
        yield number(title, text, BYTE_RATE, Query(f"sum({rates % mechanism})", title)).no_value("Not recorded")
    lost = " or ".join(f"increase({metric}{{{q.HOST}}}[1h])" for metric in health.LOST_EVENTS)
    yield number(
        "Hosts that lose events",
        "In the last hour, by a full map or a skipped probe. Their counts are too low; see the health row of the "
        "host's dashboard.",
        COUNT,
        Query(f"count(sum by (instance) ({lost}) > 0) or 0 * count({_EXPORTERS})", "hosts"),
    ).thresholds(thresholds(ANY_IS_BAD))
    yield from _tables()


def _tables() -> Iterator[Panel]:
    yield (
        listing(
            "Alerts",
            "Firing and pending alerts of dashboards/prometheus/alerts.rules.yml. docs/runbooks has a page for each: "
            "what it means, how to check and what to do.",
            {
                "alertname": "Alert",
                "alertstate": "State",
                "severity": "Severity",
                "instance": "Host",
                "name": "Process",
                "port": "Port",
            },
            [
                Column(
                    "Active",
                    COUNT,
                    "max by (alertname, alertstate, severity, instance, name, port) "
                    f'(ALERTS{{{q.HOST}, alertname=~"{"|".join(ALERTS)}"}})',
                )
            ],
        )
        .span(12)
        .no_value(NOTHING_WRONG)
    )
    yield (
        losses(
            "Brokers without zero copy, and why",
            "TLS listeners are always listed. For any other reason open the broker's dashboard, by the link at the "
            "top.",
            q.HOST,
        )
        .span(12)
        .no_value(f"{NOTHING_WRONG}, or no Kafka broker was found")
    )
    ratio = timeline(
        "Sent by zero copy, by watched port",
        "Ports of brokers, and those of --watch.port. Plaintext listeners belong near 100 %, TLS listeners at 0 %. "
        "A line that moves is a change to explain.",
        SHARE,
        Query(f"host_port:copy_zero_copied_sent:ratio_rate5m{{{q.HOST}}}", "{{instance}}, port {{port}}"),
    )
    yield (
        ratio.max(1)
        .span(24)
        .no_value("No data: no port is watched (exporter with --kafka or --watch.port N), or no recording rules")
    )


def _hosts() -> Iterator[Panel]:
    rates = f'host:copy_bytes:rate5m{{{q.HOST}, mechanism="%s"}}'
    for title, mechanism, text in (
        ("Copied by the CPU, by host", "cpu", "The hosts that copy most; click a line for its processes."),
        (
            "Moved by zero copy, by host",
            "zero_copy",
            "A host that drops here and rises in the panel beside it has lost zero copy.",
        ),
        ("Moved by DMA, by host", "dma", "Disk reads: the page cache does not hold what these hosts read."),
    ):
        panel = timeline(title, text, BYTE_RATE, Query(f"topk(20, {rates % mechanism})", "{{instance}}"))
        linked(panel, frame.host_link())
        yield panel.span(8).no_value(NOT_RECORDED)
    ratio = timeline(
        "Part moved by zero copy, by host",
        "Of the bytes that the CPU copied or zero copy moved. Hosts with the same role should be close together.",
        SHARE,
        Query(f"host:copy_zero_copied:ratio_rate5m{{{q.HOST}}}", "{{instance}}"),
    ).max(1)
    linked(ratio, frame.host_link())
    yield ratio.span(8).no_value(NOT_RECORDED)
    switches = timeline(
        "Mode switches per MiB moved, by host",
        "Thousands: calls move few bytes. The host's dashboard shows the processes.",
        COUNT,
        Query(f"host:copy_mode_switches_per_mib:ratio_rate5m{{{q.HOST}}}", "{{instance}}"),
    )
    linked(switches, frame.host_link())
    yield switches.span(8).no_value(NOT_RECORDED)
    hops = f"sum by (source, destination, mechanism) (host_hop:copy_bytes:rate5m{{{q.HOST}}})"
    yield (
        stacked(
            "Hops, all hosts",
            "Source and destination of the bytes, and the mechanism.",
            BYTE_RATE,
            Query(f"topk(12, {hops})", "{{mechanism}}: {{source}} → {{destination}}"),
        )
        .span(8)
        .no_value(NOT_RECORDED)
    )
    yield (
        timeline(
            "CPU time in the kernel's copy routines, by host",
            "Sampled: the CPUs that copying keeps busy. Zero copy cannot save more than this.",
            CORES,
            Query(f"sum by (instance) ({q.rate('copy_host_cpu_seconds_total', q.HOST)})", "{{instance}}"),
        )
        .span(8)
        .no_value(NO_COPY_CPU)
    )
    yield (
        timeline(
            "Part of the processes' CPU time spent copying",
            "Below 25 % while the network is full (panel beside): the network saturates before the CPU.",
            SHARE,
            Query(f"host:copy_cpu_share:ratio_rate5m{{{q.HOST}}}", "{{instance}}"),
        )
        .max(1)
        .span(8)
        .no_value(NO_COPY_CPU)
    )
    use = timeline(
        "Network in use, by device",
        "The busier direction against the speed of the device. Above 70 % the network is the limit.",
        SHARE,
        Query(f"device:copy_network_utilisation:ratio_rate5m{{{q.HOST}}}", "{{instance}}, {{device}}"),
    ).max(1)
    yield lines_at(use, HIGH_IS_BAD).span(8).no_value(NO_NETWORK)


def _processes() -> Iterator[Panel]:
    by_name = 'sum by (comm) (process:copy_bytes:rate5m{%s, mechanism="%s"})'
    for title, mechanism in (("Copied by the CPU", "cpu"), ("Moved by zero copy", "zero_copy")):
        yield timeline(
            f"{title}, by process name",
            "The fifteen largest, all hosts together. A name that changes panels lost or gained zero copy.",
            BYTE_RATE,
            Query(f"topk(15, {by_name % (q.HOST, mechanism)})", "{{comm}}"),
        ).no_value(NOT_RECORDED)
    names = f"max by ({q.PROCESS_LABELS}, name) (process:copy_name:info{{{q.HOST}}})"
    named = f"* on ({q.PROCESS_LABELS}) group_left (name) {names}"
    most = f'topk(25, sum by ({q.PROCESS_LABELS}) (process:copy_bytes:rate5m{{{q.HOST}, mechanism="cpu"}}))'
    ratio = f"max by ({q.PROCESS_LABELS}) (process:copy_zero_copied:ratio_rate5m{{{q.HOST}}})"
    switches = f"max by ({q.PROCESS_LABELS}) (process:copy_mode_switches_per_mib:ratio_rate5m{{{q.HOST}}})"
    table = listing(
        "Processes that copy most, with their hosts",
        "Click a row for the details of the process. Many bytes copied, 0 % by zero copy and few mode switches: large "
        "buffers that sendfile could replace. Many mode switches: small calls.",
        {"instance": "Host", "comm": "Process", "pid": "Process id", "name": "Name"},
        [
            Column("CPU copy", BYTE_RATE, f"{most} {named}"),
            Column("Part by zero copy", SHARE, f"({ratio} and {most}) {named}", LOW_IS_BAD),
            Column("Mode switches per MiB", COUNT, f"({switches} and {most}) {named}"),
        ],
    )
    linked(table, frame.process_row_link())
    yield table.no_value(NOT_RECORDED)


def _exporters() -> Iterator[Panel]:
    yield (
        listing(
            "Exporters down",
            "The last scrape failed. Check that the host is up and that the service runs, and read its log.",
            {"instance": "Host", "job": "Job"},
            [Column("Up", COUNT, f"max by (instance, job) ({_DOWN})", ANY_IS_BAD)],
        )
        .span(8)
        .no_value(NOTHING_WRONG)
    )
    refused = f"min by (instance, probe, hook, attach_method) (copy_exporter_probe_attached{{{q.HOST}}}) == 0"
    yield (
        listing(
            "Probes not attached",
            "What these probes count is missing on these hosts; `copy-exporter doctor` shows the reason. Many kernels "
            "do not support the optional probes of the kernel's own copy functions.",
            {"instance": "Host", "probe": "Probe", "hook": "Hook", "attach_method": "Attach method"},
            [Column("Attached", COUNT, refused)],
        )
        .span(8)
        .no_value(NOTHING_WRONG)
    )
    builds = f"count by (version, pythonversion) (copy_exporter_build_info{{{q.HOST}}})"
    yield (
        listing(
            "Versions",
            "Exporters per version. More than one version: an update is not complete.",
            {"version": "Version", "pythonversion": "Python"},
            [Column("Exporters", COUNT, builds)],
        )
        .span(8)
        .no_value(OPTIONAL)
    )
