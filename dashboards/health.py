"""The health of the exporter: panels that show whether the data of the other panels is complete."""

from collections.abc import Iterator

from grafana_foundation_sdk.models import common as kinds

from dashboards import queries as q
from dashboards.panels import (
    ANY_IS_BAD,
    BYTES,
    COUNT,
    HIGH_IS_BAD,
    NONE_IS_BAD,
    NOTHING_WRONG,
    OPTIONAL,
    SECONDS,
    SHARE,
    YES_OR_NO,
    Column,
    Panel,
    Query,
    lines_at,
    listing,
    number,
    stacked,
    thresholds,
    timeline,
)

LOST_EVENTS = ("copy_exporter_dropped_updates_total", "copy_exporter_probe_missed_runs_total")
_LOST = (
    "Each is an event that no counter has. Dropped: a map was full, raise its flag (docs/metrics.md). Missed: the "
    "kernel skipped the probe (docs/accounting.md). While this is not 0, all counts here are too low."
)
PROCESS_METRICS = ("process_cpu_seconds_total", "process_resident_memory_bytes")
"""Metrics of prometheus-client. Any target may have them, so queries join them with a metric of copy-exporter."""


def summary() -> Iterator[Panel]:
    """One line of numbers."""
    success = f"min by (instance) (copy_exporter_scrape_success{{{q.HOST}}})"
    yield (
        number(
            "Collectors succeed",
            "Yes when all collectors succeeded in the last scrape, and Kafka brokers can be found. If not, metrics or "
            "new brokers are missing: read the exporter's log.",
            COUNT,
            Query(
                f"min by (instance) (copy_exporter_scrape_success{{{q.HOST}}} "
                f"or copy_exporter_broker_discovery_success{{{q.HOST}}})",
                "{{instance}}",
            ),
        )
        .thresholds(thresholds(NONE_IS_BAD))
        .mappings(YES_OR_NO)
        .graph_mode(kinds.BigValueGraphMode.NONE)
    )
    lost = " or ".join(f"increase({metric}{{{q.HOST}}}[1h])" for metric in LOST_EVENTS)
    yield number(
        "Events lost, last hour", _LOST, COUNT, Query(f"sum by (instance) ({q.once(lost)})", "{{instance}}")
    ).thresholds(thresholds(ANY_IS_BAD))
    refused = f"{q.gauge('copy_exporter_probe_attached', q.HOST)} == 0"
    yield number(
        "Probes not attached",
        "What these probes count is missing, because this kernel refused them. `copy-exporter doctor` shows the "
        "reason and what to do.",
        COUNT,
        Query(f"count by (instance) ({refused}) or 0 * {success}", "{{instance}}"),
    ).thresholds(thresholds(ANY_IS_BAD))
    yield number(
        "Fullest map",
        "At 100 % new entries are dropped. Above 70 %: raise the flag of the map (docs/metrics.md), or check whether "
        "processes start very often.",
        SHARE,
        Query(f"max by (instance) ({_fill()})", "{{instance}}"),
    ).thresholds(thresholds(HIGH_IS_BAD))
    aggregated = q.gauge("copy_exporter_processes", q.HOST, 'state="aggregated"')
    yield number(
        "Aggregated processes",
        "They count in pid=other, because --process.max processes have series already. Raise it, or exclude processes "
        "with --process.exclude.",
        COUNT,
        Query(f"sum by (instance) ({aggregated})", "{{instance}}"),
    )
    yield number(
        "Time of a scrape",
        "Time that all collectors took. If it comes near the scrape timeout, lower --process.max or use "
        "--process.labels=comm.",
        SECONDS,
        Query(f"sum by (instance) ({q.gauge('copy_exporter_scrape_duration_seconds', q.HOST)})", "{{instance}}"),
    )


def details() -> Iterator[Panel]:
    """Probes, maps, processes, and what the exporter costs."""
    attached = f"min by (instance, probe, hook, attach_method) (copy_exporter_probe_attached{{{q.HOST}}})"
    yield listing(
        "Probes",
        "Yes: attached to this hook. No: refused by this kernel, so what it counts is missing; run "
        "`copy-exporter doctor`.",
        {"instance": "Host", "probe": "Probe", "hook": "Hook", "attach_method": "Attach method"},
        [Column("Attached", COUNT, attached, NONE_IS_BAD)],
    ).span(12)
    dropped, missed = LOST_EVENTS
    lost = [
        Query(q.total(dropped, "instance, map", q.HOST), "dropped: map {{map}}, {{instance}}"),
        Query(q.total(missed, "instance, probe", q.HOST), "missed: {{probe}}, {{instance}}"),
        Query(q.total("copy_exporter_log_lines_lost_total", "instance", q.HOST), "log lines: {{instance}}"),
    ]
    text = f"{_LOST} Log lines: they could not be written, the disk may be full."
    yield timeline("Events lost", text, "eps", *lost).no_value(NOTHING_WRONG).height(9)
    filled = timeline(
        "Map usage",
        "Entries in use, of those that the map can hold. A full map drops updates: raise its flag (docs/metrics.md).",
        SHARE,
        Query(f"max by (instance, map) ({_fill()})", "{{map}}, {{instance}}"),
    ).max(1)
    yield lines_at(filled, HIGH_IS_BAD).span(8)
    gave_way = q.once(f"increase(copy_exporter_series_evicted_total{{{q.HOST}}}[1h])")
    yield stacked(
        "Processes by state",
        "tracked: with series of their own. exited: their series end after --process.linger. aggregated: alive, and "
        "counted in pid=other; if there are many, raise --process.max. gave way: exited processes whose series ended "
        "early, in the last hour.",
        COUNT,
        Query(f"sum by (instance, state) ({q.gauge('copy_exporter_processes', q.HOST)})", "{{state}}, {{instance}}"),
        Query(f"sum by (instance) ({gave_way})", "gave way, {{instance}}"),
    ).span(8)
    yield timeline(
        "Scrape time by collector",
        "The time of the collector processes grows with the number of series: --process.max, --process.labels=comm.",
        SECONDS,
        Query(
            f"max by (instance, collector) (copy_exporter_scrape_duration_seconds{{{q.HOST}}})",
            "{{collector}}, {{instance}}",
        ),
    ).span(8)
    yield timeline(
        "Exporter's memory",
        "Resident memory of the serving process. Steady growth is a bug: please report it.",
        BYTES,
        Query(q.once(f"process_resident_memory_bytes{{{q.HOST}}} and {q.OWN}"), "{{instance}}"),
    ).span(8)
    cpu = q.once(f"rate(process_cpu_seconds_total{{{q.HOST}}}[$__rate_interval]) and {q.OWN}")
    run_seconds = "copy_exporter_probe_run_seconds_total"
    yield timeline(
        "Exporter's CPU time",
        "CPU time of the serving process, and (with --probe.stats) of the probes in the kernel, which is spent in the "
        "processes that make system calls. Too much: scrape less often, or disable probes with --no-probe.NAME.",
        SHARE,
        Query(cpu, "serving, {{instance}}"),
        Query(q.total(run_seconds, "instance", q.HOST), "probes, {{instance}}"),
    ).span(8)
    runs = q.total("copy_exporter_probe_runs_total", "instance, probe", q.HOST)
    of_a_run = q.per(q.total(run_seconds, "instance, probe", q.HOST), runs)
    yield (
        timeline(
            "Time of one probe run",
            "What a probe adds to each event that it sees (with --probe.stats, which has a cost of its own). Above "
            "1 µs: see docs/performance.md.",
            SECONDS,
            Query(of_a_run, "{{probe}}, {{instance}}"),
        )
        .span(8)
        .no_value(OPTIONAL)
    )


def _fill() -> str:
    return f"copy_exporter_map_entries{{{q.HOST}}} / copy_exporter_map_max_entries{{{q.HOST}}}"
