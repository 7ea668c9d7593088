"""Many hosts at once, from recorded totals: which brokers lost zero copy, who copies most, which exporters are down."""

from collections.abc import Iterator

from grafana_foundation_sdk.builders import dashboard

from dashboards import frame
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
    "ExporterBlind",
    "ExporterDown",
)
NOT_RECORDED = "No data: load dashboards/prometheus/recording.rules.yml into Prometheus, and wait for five minutes"

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
        "All hosts at a glance, from the totals that the recording rules keep: cheap for hundreds of hosts. "
        "Made from copy-exporter's code.",
        frame.instances(),
    )
    rows = {
        "Who needs a look?": _attention(),
        "Hosts": _hosts(),
        "Processes, over all hosts": _processes(),
        "Exporters": _exporters(),
    }
    return frame.filled(built, rows)


def _attention() -> Iterator[Panel]:
    yield number(
        "Exporters",
        "Hosts whose exporter answered within a day.",
        COUNT,
        Query(f"count({_EXPORTERS})", "exporters"),
    )
    yield number(
        "Exporters down",
        "Nothing is known of these hosts: see which, in the table of exporters below. Is the host up, does "
        "the service run?",
        COUNT,
        Query(f"count({_DOWN}) or 0 * count({_EXPORTERS})", "down"),
    ).thresholds(thresholds(ANY_IS_BAD))
    reasons = f"copy_kafka_zero_copy_lost_info{{{q.HOST}}}"
    listeners = f"0 * count(copy_kafka_listener_info{{{q.HOST}}})"
    yield (
        number(
            "Kafka listeners without zero copy",
            "Of all brokers, for any reason; TLS listeners count. Which, is in the table below.",
            COUNT,
            Query(f"count(group by (instance, node_id, port) ({reasons})) or {listeners}", "listeners"),
        )
        .thresholds(thresholds(ANY_IS_BAD))
        .no_value("No broker found")
    )
    rates = f'host:copy_bytes:rate5m{{{q.HOST}, mechanism="%s"}}'
    for title, mechanism, text in (
        ("Copied by the CPU", "cpu", "All hosts together. What of it could go by reference, the hosts below tell."),
        ("Passed by reference", "zero", "All hosts together, by sendfile, splice, MSG_ZEROCOPY and their like."),
    ):
        yield number(title, text, BYTE_RATE, Query(f"sum({rates % mechanism})", title)).no_value("Not recorded")
    lost = " or ".join(
        f"increase({metric}{{{q.HOST}}}[1h])"
        for metric in ("copy_dropped_updates_total", "copy_probe_missed_runs_total")
    )
    yield number(
        "Hosts that lose events",
        "Within an hour: a full map or a skipped probe. Their counts are too low; see the health row of the host's "
        "dashboard.",
        COUNT,
        Query(f"count(sum by (instance) ({lost}) > 0) or 0 * count({_EXPORTERS})", "hosts"),
    ).thresholds(thresholds(ANY_IS_BAD))
    yield from _tables()


def _tables() -> Iterator[Panel]:
    yield (
        listing(
            "Alerts",
            "Firing and pending ones of dashboards/prometheus/alerts.rules.yml. Each has a page in "
            "docs/runbooks that tells what it means, how to check and what to do.",
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
            "TLS listeners are here by design. Anything else is worth a look at the broker's dashboard, by "
            "the link above.",
            q.HOST,
        )
        .span(12)
        .no_value(f"{NOTHING_WRONG}, or no Kafka broker was found anywhere")
    )
    ratio = timeline(
        "Sent by zero copy, by watched port",
        "Ports of brokers, and those of --watch.port. Plaintext listeners belong near 100 %, TLS at 0 %; one that "
        "leaves its line changed.",
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
        ("Copied by the CPU, by host", "cpu", "Hosts that copy most; click a line for who it is."),
        (
            "Passed by reference, by host",
            "zero",
            "Where zero copy is in use. A host that falls here and rises beside lost it.",
        ),
        ("Moved by DMA, by host", "dma", "Disk reads: where the page cache does not hold what is read."),
    ):
        panel = timeline(title, text, BYTE_RATE, Query(f"topk(20, {rates % mechanism})", "{{instance}}"))
        linked(panel, frame.host_link())
        yield panel.span(8).no_value(NOT_RECORDED)
    ratio = timeline(
        "Part that goes by zero copy, by host",
        "Of all bytes that system calls moved. Hosts of one role belong together; the one apart is worth a look.",
        SHARE,
        Query(f"host:copy_zero_copied:ratio_rate5m{{{q.HOST}}}", "{{instance}}"),
    ).max(1)
    linked(ratio, frame.host_link())
    yield ratio.span(8).no_value(NOT_RECORDED)
    switches = timeline(
        "Mode switches for each MiB moved, by host",
        "Thousands: calls there move little. See by which process, on the host's dashboard.",
        COUNT,
        Query(f"host:copy_mode_switches_per_mib:ratio_rate5m{{{q.HOST}}}", "{{instance}}"),
    )
    linked(switches, frame.host_link())
    yield switches.span(8).no_value(NOT_RECORDED)
    hops = f"sum by (source, destination, mechanism) (host_hop:copy_bytes:rate5m{{{q.HOST}}})"
    yield (
        stacked(
            "Hops, all hosts",
            "From where to where bytes go, and by what.",
            BYTE_RATE,
            Query(f"topk(12, {hops})", "{{mechanism}}: {{source}} → {{destination}}"),
        )
        .span(8)
        .no_value(NOT_RECORDED)
    )
    yield (
        timeline(
            "CPU time in the kernel's copy routines, by host",
            "Sampled: the CPUs that copying takes, and with that the most that zero copy could free.",
            CORES,
            Query(f"sum by (instance) ({q.rate('copy_host_cpu_seconds_total', q.HOST)})", "{{instance}}"),
        )
        .span(8)
        .no_value(NO_COPY_CPU)
    )
    yield (
        timeline(
            "Copying, as a part of the processes' CPU time",
            "Below 25 % while the network is full (beside): the network saturates first, as it mostly does.",
            SHARE,
            Query(f"host:copy_cpu_share:ratio_rate5m{{{q.HOST}}}", "{{instance}}"),
        )
        .max(1)
        .span(8)
        .no_value(NO_COPY_CPU)
    )
    use = timeline(
        "Network in use, by device",
        "The busier direction against the speed of the device. Above 70 % it is the network that limits.",
        SHARE,
        Query(f"device:copy_network_utilisation:ratio_rate5m{{{q.HOST}}}", "{{instance}}, {{device}}"),
    ).max(1)
    yield lines_at(use, HIGH_IS_BAD).span(8).no_value(NO_NETWORK)


def _processes() -> Iterator[Panel]:
    by_name = 'sum by (comm) (process:copy_bytes:rate5m{%s, mechanism="%s"})'
    for title, mechanism in (("Copied by the CPU", "cpu"), ("Passed by reference", "zero")):
        yield timeline(
            f"{title}, by name of process",
            "The fifteen names with most, all hosts together. A name that changes sides lost or won zero copy.",
            BYTE_RATE,
            Query(f"topk(15, {by_name % (q.HOST, mechanism)})", "{{comm}}"),
        ).no_value(NOT_RECORDED)
    names = f"max by ({q.OF_PROCESS}, name) (process:copy_name:info{{{q.HOST}}})"
    named = f"* on ({q.OF_PROCESS}) group_left (name) {names}"
    most = f'topk(25, sum by ({q.OF_PROCESS}) (process:copy_bytes:rate5m{{{q.HOST}, mechanism="cpu"}}))'
    ratio = f"max by ({q.OF_PROCESS}) (process:copy_zero_copied:ratio_rate5m{{{q.HOST}}})"
    switches = f"max by ({q.OF_PROCESS}) (process:copy_mode_switches_per_mib:ratio_rate5m{{{q.HOST}}})"
    table = listing(
        "Processes that copy most, with their hosts",
        "Click a row for the process in depth. Much copied at 0 % by reference and few mode switches: a plain "
        "copier of large buffers, where sendfile would help. Many switches: small calls.",
        {"instance": "Host", "comm": "Process", "pid": "Process id", "name": "Runs"},
        [
            Column("CPU-copied", BYTE_RATE, f"{most} {named}"),
            Column("By zero copy", SHARE, f"({ratio} and {most}) {named}", LOW_IS_BAD),
            Column("Switches for each MiB", COUNT, f"({switches} and {most}) {named}"),
        ],
    )
    linked(table, frame.process_row_link())
    yield table.no_value(NOT_RECORDED)


def _exporters() -> Iterator[Panel]:
    yield (
        listing(
            "Which exporters are down",
            "Their last scrape failed. Is the host up, does the service run, what does its log say?",
            {"instance": "Host", "job": "Job"},
            [Column("Up", COUNT, f"max by (instance, job) ({_DOWN})", ANY_IS_BAD)],
        )
        .span(8)
        .no_value(NOTHING_WRONG)
    )
    refused = f"min by (instance, probe, hook, mechanism) (copy_probe_attached{{{q.HOST}}}) == 0"
    yield (
        listing(
            "Probes not attached",
            "What these count is missing on these hosts: `copy-exporter doctor` there tells why. Those of the "
            "kernel's own copy functions may be missing for good.",
            {"instance": "Host", "probe": "Probe", "hook": "Hook", "mechanism": "Mechanism"},
            [Column("Attached", COUNT, refused)],
        )
        .span(8)
        .no_value(NOTHING_WRONG)
    )
    builds = f"count by (version, pythonversion) (copy_exporter_build_info{{{q.HOST}}})"
    yield (
        listing(
            "Versions",
            "How many exporters run which version. More than one: an update that is not done yet.",
            {"version": "Version", "pythonversion": "Python"},
            [Column("Exporters", COUNT, builds)],
        )
        .span(8)
        .no_value(OPTIONAL)
    )
