"""Is what the other panels show complete? The exporter's own health, for a row of its own."""

from collections.abc import Iterator

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

_LOST = (
    "Each is an event that no counter has. Dropped: a map was full, raise --map.entries. Missed: the kernel skipped "
    "the probe (docs/accounting.md). While this is not 0, all counts here are too low."
)
_OWN = f"on (instance, job) group by (instance, job) (copy_exporter_build_info{{{q.HOST}}})"
PROCESS_METRICS = ("process_cpu_seconds_total", "process_resident_memory_bytes")
"""Of prometheus-client: every target may have them, so they are joined with what only our exporter has."""


def verdict() -> Iterator[Panel]:
    """Whether the rest can be believed, in one line."""
    success = f"min by (instance) (copy_scrape_success{{{q.HOST}}})"
    yield number(
        "Maps read",
        "1 when the last scrape could read the probes' maps. At 0 the counts stand still: see the exporter's log.",
        COUNT,
        Query(success, "{{instance}}"),
    ).thresholds(thresholds(NONE_IS_BAD))
    lost = " or ".join(_increase(metric) for metric in ("copy_dropped_updates_total", "copy_probe_missed_runs_total"))
    yield number(
        "Events lost in the last hour", _LOST, COUNT, Query(f"sum by (instance) ({lost})", "{{instance}}")
    ).thresholds(thresholds(ANY_IS_BAD))
    yield number(
        "Probes not attached",
        "Probes that this kernel refused: what they count is missing. `copy-exporter doctor` tells why and what to do.",
        COUNT,
        Query(f"count by (instance) (copy_probe_attached{{{q.HOST}}} == 0) or 0 * {success}", "{{instance}}"),
    ).thresholds(thresholds(ANY_IS_BAD))
    yield number(
        "Fullest map",
        "At 100 % new rows are dropped. Above 70 %: raise --map.entries, or see whether processes are born very fast.",
        SHARE,
        Query(f"max by (instance) (copy_map_entries{{{q.HOST}}} / copy_map_max_entries{{{q.HOST}}})", "{{instance}}"),
    ).thresholds(thresholds(HIGH_IS_BAD))
    yield number(
        "Processes without series of their own",
        "They count in pid=other, because --process.max others were first. Raise it, or leave processes out by "
        "--process.exclude.",
        COUNT,
        Query(f'sum by (instance) (copy_processes{{{q.HOST}, state="other"}})', "{{instance}}"),
    )
    yield number(
        "Scrape takes",
        "Time that reading and attributing took. Near the scrape timeout, lower --process.max or use "
        "--process.labels=comm.",
        SECONDS,
        Query(f"max by (instance) (copy_scrape_duration_seconds{{{q.HOST}}})", "{{instance}}"),
    )


def details() -> Iterator[Panel]:
    """Why, and what the exporter costs."""
    attached = f"min by (instance, probe, hook, mechanism) (copy_probe_attached{{{q.HOST}}})"
    yield listing(
        "Probes",
        "1: attached, by this hook. 0: refused by this kernel, so what it counts is missing; ask "
        "`copy-exporter doctor`.",
        {"instance": "Host", "probe": "Probe", "hook": "Hook", "mechanism": "Mechanism"},
        [Column("Attached", COUNT, attached, NONE_IS_BAD)],
    ).span(12)
    lost = [
        Query(q.total("copy_dropped_updates_total", "instance, map", q.HOST), "dropped: map {{map}}, {{instance}}"),
        Query(q.total("copy_probe_missed_runs_total", "instance, probe", q.HOST), "missed: {{probe}}, {{instance}}"),
        Query(q.total("copy_exporter_log_lines_lost_total", "instance", q.HOST), "log lines: {{instance}}"),
    ]
    text = f"{_LOST} Log lines: they could not be written, the disk may be full."
    yield timeline("Events lost", text, "eps", *lost).no_value(NOTHING_WRONG).height(9)
    entries = f"max by (instance, map) (copy_map_entries{{{q.HOST}}} / copy_map_max_entries{{{q.HOST}}})"
    filled = timeline(
        "Maps: how full",
        "Entries in use of what the map can hold. A map that fills up drops updates: raise --map.entries.",
        SHARE,
        Query(entries, "{{map}}, {{instance}}"),
    ).max(1)
    yield lines_at(filled, HIGH_IS_BAD).span(8)
    yield stacked(
        "Processes by state",
        "own: with series of their own; lingering: ended, their series end after --process.linger; other: alive and "
        "counted in pid=other. Many of the last: raise --process.max.",
        COUNT,
        Query(f"sum by (instance, state) (copy_processes{{{q.HOST}}})", "{{state}}, {{instance}}"),
    ).span(8)
    yield timeline(
        "Time of a scrape",
        "Reading maps and attributing rows. It grows with the number of series: --process.max, --process.labels=comm.",
        SECONDS,
        Query(f"max by (instance) (copy_scrape_duration_seconds{{{q.HOST}}})", "{{instance}}"),
    ).span(8)
    yield timeline(
        "Exporter's memory",
        "Resident memory of the serving process. Steady growth is a bug: please report it.",
        BYTES,
        Query(f"process_resident_memory_bytes{{{q.HOST}}} and {_OWN}", "{{instance}}"),
    ).span(8)
    cpu = f"{q.rate('process_cpu_seconds_total', q.HOST)} and {_OWN}"
    run = q.total("copy_probe_run_seconds_total", "instance", q.HOST)
    yield timeline(
        "Exporter's CPU",
        "CPU time of the serving process, and (with --probe.stats) of the probes in the kernel, which the processes "
        "that make system calls pay. Too much: scrape more seldom, or switch probes off by --no-probe.NAME.",
        SHARE,
        Query(cpu, "serving, {{instance}}"),
        Query(run, "probes, {{instance}}"),
    ).span(8)
    runs = q.total("copy_probe_runs_total", "instance, probe", q.HOST)
    yield (
        timeline(
            "Time of one run of a probe",
            "What a probe adds to each event that it sees (with --probe.stats, which itself costs a little). Above a "
            "microsecond: see docs/performance.md.",
            SECONDS,
            Query(
                q.per(q.total("copy_probe_run_seconds_total", "instance, probe", q.HOST), runs),
                "{{probe}}, {{instance}}",
            ),
        )
        .span(8)
        .no_value(OPTIONAL)
    )


def _increase(metric: str) -> str:
    return f"increase({metric}{{{q.HOST}}}[1h])"
