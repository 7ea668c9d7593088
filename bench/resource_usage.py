"""The exporter's own use of resources: start, memory, scrapes, and CPU time between scrapes."""

import shutil
import subprocess
import sys
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
    start = figure([_startup(progress) for _ in range(starts)])
    loader = _loader_peak_mib()
    few, many = (_copy_exporter_cost(directory, rows, scrapes, progress) for rows in ROWS)
    other = _other_cost(directory, scrapes, progress)
    values = {
        "start to the first complete scrape, s": start.median,
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
