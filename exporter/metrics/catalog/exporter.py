"""What the exporter reports about itself: its probes, its maps, its scrapes and the host it runs on."""

import os
import platform
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from exporter import __version__, logs
from exporter.counting.sampler import Reading
from exporter.metrics.family import ValueFamily, Values
from exporter.model import ProbeState
from exporter.revision import REVISION


@dataclass(frozen=True)
class Scrape:
    """How one collector did in this scrape."""

    success: bool
    seconds: float


@dataclass(frozen=True)
class ExporterReading:
    """What is known even when every collector fails."""

    probes: Collection[ProbeState]
    stalled_probes: Collection[str]
    """Probes that are attached and have stopped counting."""
    scrapes: Mapping[str, Scrape]
    """By the name of the collector."""


def _by_label(values: Iterable[tuple[str, float]]) -> Values:
    return (((label,), value) for label, value in values)


def _probes_attached(reading: ExporterReading) -> Values:
    for probe in reading.probes:
        counting = probe.attached and probe.name not in reading.stalled_probes
        yield (probe.name, probe.hook, probe.attach_method), int(counting)


def _evicted(reading: Reading) -> Values:
    return [((), reading.snapshot.evicted)]


def _processes(reading: Reading) -> Values:
    snapshot = reading.snapshot
    states = {"tracked": snapshot.tracked, "exited": snapshot.exited, "aggregated": snapshot.aggregated}
    states["hidden"] = snapshot.hidden
    return _by_label(states.items())


PROBE_MISSED_RUNS = ValueFamily[Reading](
    name="copy_exporter_probe_missed_runs_total",
    type="counter",
    labels=("probe",),
    help="Events that the kernel skipped the probe for: what it would have counted is lost.",
    values=lambda reading: _by_label((run.probe, run.missed) for run in reading.runs),
)
PROBE_RUNS = ValueFamily[Reading](
    name="copy_exporter_probe_runs_total",
    type="counter",
    labels=("probe",),
    help="Runs of the probe, as the kernel counts them.",
    flag="--probe.stats",
    values=lambda reading: _by_label((run.probe, run.runs) for run in reading.runs),
)
PROBE_RUN_SECONDS = ValueFamily[Reading](
    name="copy_exporter_probe_run_seconds_total",
    type="counter",
    labels=("probe",),
    help="CPU time of the probe, as the kernel measures it.",
    unit="seconds",
    flag="--probe.stats",
    values=lambda reading: _by_label((run.probe, run.seconds) for run in reading.runs),
)
MAP_ENTRIES = ValueFamily[Reading](
    name="copy_exporter_map_entries",
    type="gauge",
    labels=("map",),
    help="Entries of a map of the probes when it was last read. Maps that no scrape reads are missing.",
    values=lambda reading: _by_label((use.name, use.entries) for use in reading.maps),
)
MAP_MAX_ENTRIES = ValueFamily[Reading](
    name="copy_exporter_map_max_entries",
    type="gauge",
    labels=("map",),
    help="Maximum number of entries of the map, for the same maps.",
    values=lambda reading: _by_label((use.name, use.max_entries) for use in reading.maps),
)
DROPPED_UPDATES = ValueFamily[Reading](
    name="copy_exporter_dropped_updates_total",
    type="counter",
    labels=("map",),
    help="Updates that were lost because the map was full: raise the flag of the map (docs/metrics.md).",
    values=lambda reading: _by_label(reading.dropped.items()),
)
PROCESSES = ValueFamily(
    name="copy_exporter_processes",
    type="gauge",
    labels=("state",),
    help="Processes with series of their own (tracked), exited processes whose series linger (exited), and live ones "
    "that count in pid=other (aggregated); those that /proc does not show (hidden: hidepid, or a pid namespace).",
    values=_processes,
)
SERIES_EVICTED = ValueFamily(
    name="copy_exporter_series_evicted_total",
    type="counter",
    help="Sets of series of exited processes that gave way to a living one before --process.linger was over.",
    values=_evicted,
)
PROBE_ATTACHED = ValueFamily(
    name="copy_exporter_probe_attached",
    type="gauge",
    labels=("probe", "hook", "attach_method"),
    help="1 when the probe is attached and counts; 0 when it could not be attached (`copy-exporter doctor` shows why), "
    "or has stopped counting.",
    values=_probes_attached,
)
SCRAPE_SUCCESS = ValueFamily[ExporterReading](
    name="copy_exporter_scrape_success",
    type="gauge",
    labels=("collector",),
    help="1 when the collector could read what it shows; 0 when its families are missing from this scrape.",
    values=lambda reading: _by_label((name, int(scrape.success)) for name, scrape in reading.scrapes.items()),
)
SCRAPE_DURATION = ValueFamily[ExporterReading](
    name="copy_exporter_scrape_duration_seconds",
    type="gauge",
    labels=("collector",),
    help="Time that the collector took for this scrape.",
    unit="seconds",
    values=lambda reading: _by_label((name, scrape.seconds) for name, scrape in reading.scrapes.items()),
)
LOG_LINES_LOST = ValueFamily[ExporterReading](
    name="copy_exporter_log_lines_lost_total",
    type="counter",
    help="Log lines that could not be written: the disk may be full, or the reader of the log is gone.",
    values=lambda _: [((), logs.lost_lines())],
)
BUILD_INFO = ValueFamily[ExporterReading](
    name="copy_exporter_build_info",
    type="gauge",
    labels=("version", "revision", "pythonversion"),
    help="1; the version of copy-exporter, and the git revision that it was built from.",
    values=lambda _: [((__version__, REVISION, platform.python_version()), 1)],
)
HOST_CPUS = ValueFamily[ExporterReading](
    name="copy_host_cpus",
    type="gauge",
    help="CPUs of the host that are online: CPU seconds per second of all processes cannot exceed it.",
    values=lambda _: [((), os.cpu_count() or 1)],
)

PROBE_FAMILIES = (
    PROBE_MISSED_RUNS,
    PROBE_RUNS,
    PROBE_RUN_SECONDS,
    MAP_ENTRIES,
    MAP_MAX_ENTRIES,
    DROPPED_UPDATES,
    PROCESSES,
    SERIES_EVICTED,
)
"""What is read together with the counts."""
EXPORTER_FAMILIES = (PROBE_ATTACHED, SCRAPE_SUCCESS, SCRAPE_DURATION, LOG_LINES_LOST, BUILD_INFO, HOST_CPUS)
"""What is exposed even when every collector fails."""
