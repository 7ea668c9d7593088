"""The exporter's own use of resources: start, memory, scrapes, and CPU time between scrapes."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.exposition import samples, total
from bench.figures import Section, Target, figure, number
from bench.processes import IDLE_PROCESSES, idle_processes, short_lived_processes
from bench.running_exporter import RunningExporter

PROCESSES = 1000
ROWS = (5, 10)
"""Rows per process; each makes one series of calls and one of bytes."""
COPY_EXPORTER = (str(Path(sys.executable).with_name("copy-exporter")), "serve", "--web.listen-address", "{address}")
MANY_PROCESSES, MANY_ROWS = 10_000, 8
_LINGER_SECONDS = 1
_EXITED_SECONDS = 15
"""What is kept of an exited process for some seconds is gone then."""
_WEB_FRAMEWORK = (sys.executable, "-c", "import fastapi")
_OTHER = "prometheus-process-exporter"
_OTHER_CONFIG = f'process_names: [{{name: "{{{{.PID}}}}", comm: [{IDLE_PROCESSES}]}}]\n'


@dataclass(frozen=True)
class ScrapeCost:
    """Series, CPU time per scrape and memory of an exporter."""

    series: int
    milliseconds: float
    resident_mib: float


def start_copy_exporter(*flags: str) -> RunningExporter:
    """Start ``copy-exporter serve``; it has served a complete scrape."""
    return RunningExporter(*COPY_EXPORTER, *flags, ready='\ncopy_exporter_scrape_success{collector="processes"} 1')


def resource_usage(
    directory: Path, scrapes: int, starts: int, progress: Callable[[], object] = lambda: None
) -> Section:
    """Measure start, memory and scrapes, beside the scrapes of Debian's prometheus-process-exporter."""
    pairs = [(_startup(progress), _import_seconds()) for _ in range(starts)]
    start, ratio = figure([seconds for seconds, _ in pairs]), figure([seconds / imports for seconds, imports in pairs])
    loader = _loader_peak_mib()
    few, many = (_copy_exporter_cost(directory, rows, scrapes, progress) for rows in ROWS)
    other = _other_cost(directory, scrapes, progress)
    values = {
        "start to the first complete scrape, s": start.median,
        "start, compared with python -c 'import fastapi'": ratio.median,
        "loader, peak resident, MiB": loader,
        **_values("copy-exporter, 10 series per process", few),
        **_values("copy-exporter, 20 series per process", many),
        **(_values(_OTHER, other) if other else {}),
    }
    return Section(
        title=f"Start, memory and scrapes, {PROCESSES:,} processes",
        columns=("figure", "measured"),
        rows=tuple((name, number(value)) for name, value in values.items()),
        targets=(
            Target("start to the first complete scrape", start.median, 1.5, " s"),
            Target("start, compared with python -c 'import fastapi'", ratio.median, 4, ""),
            Target("serving process, resident", few.resident_mib, 80, " MB"),
            Target("CPU time of a scrape", few.milliseconds, 100, " ms"),
            *(
                [Target(f"CPU time of a scrape, compared with {_OTHER}", few.milliseconds, other.milliseconds, " ms")]
                if other
                else []
            ),
        ),
        notes=(
            f"Start: median of {starts}, {start.low:.2f} to {start.high:.2f} s. Scrape: mean of {scrapes} scrapes of "
            f"OpenMetrics with gzip. {_OTHER} has a group for each process.",
            "" if other else f"{_OTHER} is not installed: apt-get install {_OTHER}",
        ),
        figures=values,
    )


def _values(name: str, cost: ScrapeCost) -> dict[str, float]:
    return {
        f"{name}: series": cost.series,
        f"{name}: CPU time of a scrape, ms": cost.milliseconds,
        f"{name}: resident, MiB": cost.resident_mib,
    }


def _import_seconds() -> float:
    started = time.monotonic()
    subprocess.run(_WEB_FRAMEWORK, check=True)
    return time.monotonic() - started


def _startup(progress: Callable[[], object]) -> float:
    with start_copy_exporter() as exporter:
        progress()
        return exporter.startup_seconds


def _loader_peak_mib() -> float:
    answer = subprocess.run([sys.executable, "-m", "bench.loader_peak"], check=True, capture_output=True, text=True)
    return int(answer.stdout) / 1024


def _copy_exporter_cost(directory: Path, rows: int, scrapes: int, progress: Callable[[], object]) -> ScrapeCost:
    exporter = start_copy_exporter("--process.max", str(2 * PROCESSES))
    with exporter, idle_processes(directory, PROCESSES, rows):
        progress()
        return _cost(exporter, scrapes)


def _other_cost(directory: Path, scrapes: int, progress: Callable[[], object]) -> ScrapeCost | None:
    if not shutil.which(_OTHER):
        return None
    config = directory / "process-exporter.yml"
    config.write_text(_OTHER_CONFIG)
    command = (_OTHER, "-web.listen-address", "{address}", "-config.path", str(config))
    with (
        idle_processes(directory, PROCESSES, ROWS[-1]),
        RunningExporter(*command, ready="\nnamedprocess_") as exporter,
    ):
        progress()
        return _cost(exporter, scrapes)


def _cost(exporter: RunningExporter, scrapes: int) -> ScrapeCost:
    milliseconds = exporter.scrape_seconds(scrapes) * 1000
    series = sum("_created{" not in line for line in samples(exporter.scrape()))
    return ScrapeCost(series, milliseconds, exporter.resident_mib())


def many_processes(directory: Path, scrapes: int, progress: Callable[[], object] = lambda: None) -> Section:
    """Measure scrapes of a host with 10,000 processes, without compression, and what memory is kept when they exit."""
    flags = ("--process.max", "12000", "--process.linger", f"{_LINGER_SECONDS}s", "--map.entries", "131072")
    with start_copy_exporter(*flags) as exporter:
        before = exporter.resident_mib()
        with idle_processes(directory, MANY_PROCESSES, MANY_ROWS):
            first = exporter.scrape_seconds(1, openmetrics=False)
            progress()
            later = exporter.scrape_seconds(scrapes, openmetrics=False)
            series = len(samples(exporter.scrape(openmetrics=False)))
            during = exporter.resident_mib()
        progress()
        for _ in range(3):
            time.sleep(_EXITED_SECONDS / 3)
            exporter.scrape(openmetrics=False)
        after = exporter.resident_mib()
    values = {
        "series": series,
        "CPU time of the first scrape, ms": first * 1000,
        "CPU time of a later scrape, ms": later * 1000,
        "resident before, MiB": before,
        "resident while they live, MiB": during,
        "resident after their exit, MiB": after,
    }
    return Section(
        title=f"Scrapes of {MANY_PROCESSES:,} processes",
        columns=("figure", "measured"),
        rows=tuple((name, number(value)) for name, value in values.items()),
        targets=(
            Target(f"CPU time of a scrape of {MANY_PROCESSES:,} processes", later * 1000, 600, " ms"),
            Target("CPU time of the first", first * 1000, 1200, " ms"),
            Target("resident after their exit, more than before", after - before, 30, " MB"),
        ),
        notes=(f"Text format without compression; mean of {scrapes} scrapes, {MANY_ROWS} rows per process.",),
        figures=values,
    )


def unscraped_usage(
    directory: Path, seconds: int, births_per_second: int, progress: Callable[[], object] = lambda: None
) -> Section:
    """Measure CPU time and losses without scrapes, on an idle host and with many short-lived processes."""
    with start_copy_exporter() as exporter:
        idle = exporter.cpu_share(seconds) * 100
        progress()
        with short_lived_processes(directory, births_per_second, seconds):
            busy = exporter.cpu_share(seconds) * 100
        exposition = exporter.scrape()
    lost = total(exposition, "copy_exporter_dropped_updates_total") + total(
        exposition, "copy_exporter_probe_missed_runs_total"
    )
    return Section(
        title="CPU time without scrapes, in per cent of one CPU",
        columns=("while", "per cent"),
        rows=(("idle", f"{idle:.2f}"), (f"{births_per_second:,} process births per second", f"{busy:.2f}")),
        targets=(Target(f"updates lost and runs missed at {births_per_second:,} births per second", lost, 0),),
        notes=(f"Each over {seconds} s.",),
        figures={"idle": idle, "births": busy},
    )
