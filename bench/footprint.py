"""What the exporter itself takes: start-up, memory, scrapes, and its time when nobody scrapes."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.crowd import births, crowd
from bench.figures import Section, Target, figure, number
from bench.served import Served, samples, total

PROCESSES = 1000
ROWS = (5, 10)
"""Rows of a process: each gives one series of calls and one of bytes."""
OURS = (str(Path(sys.executable).with_name("copy-exporter")), "serve", "--web.listen-address", "{address}")
_OTHER = "prometheus-process-exporter"
_OTHER_CONFIG = 'process_names: [{name: "{{.PID}}", comm: [crowd]}]\n'


@dataclass(frozen=True)
class Scraped:
    """A scrape of one exporter."""

    series: int
    milliseconds: float
    resident_mib: float


def ours(*flags: str) -> Served:
    """The service."""
    return Served(*OURS, *flags, good='\ncopy_exporter_scrape_success{collector="processes"} 1')


def footprint(directory: Path, scrapes: int, starts: int, progress: Callable[[], object] = lambda: None) -> Section:
    """Start-up, resident memory, and CPU time of a scrape beside that of Debian's prometheus-process-exporter."""
    start = figure([_startup(progress) for _ in range(starts)])
    loader = _loader_peak_mib()
    few, many = (_scraped_ours(directory, rows, scrapes, progress) for rows in ROWS)
    other = _scraped_other(directory, scrapes, progress)
    values = {
        "start to first good /metrics, s": start.median,
        "loader, peak resident, MiB": loader,
        **_values("copy-exporter, 10 series a process", few),
        **_values("copy-exporter, 20 series a process", many),
        **(_values(_OTHER, other) if other else {}),
    }
    return Section(
        title=f"Start, memory and scrapes, {PROCESSES:,} processes",
        columns=("what", "measured"),
        rows=tuple((name, number(value)) for name, value in values.items()),
        targets=(
            Target("start to first good /metrics", start.median, 1.5, " s"),
            Target("serving process, resident", few.resident_mib, 80, " MB"),
            Target("CPU time of a scrape", few.milliseconds, 100, " ms"),
            *(
                [Target(f"CPU time of a scrape, against {_OTHER}", few.milliseconds, other.milliseconds, " ms")]
                if other
                else []
            ),
        ),
        notes=(
            f"Start: median of {starts}, {start.low:.2f} to {start.high:.2f} s. A scrape: CPU time of the exporter, "
            f"over {scrapes} scrapes of OpenMetrics with gzip. {_OTHER} has a group for each process.",
            "" if other else f"{_OTHER} is not installed: apt-get install {_OTHER}",
        ),
        figures=values,
    )


def _values(name: str, scraped: Scraped) -> dict[str, float]:
    return {
        f"{name}: series": scraped.series,
        f"{name}: CPU time of a scrape, ms": scraped.milliseconds,
        f"{name}: resident, MiB": scraped.resident_mib,
    }


def _startup(progress: Callable[[], object]) -> float:
    with ours() as served:
        progress()
        return served.startup_seconds


def _loader_peak_mib() -> float:
    answer = subprocess.run([sys.executable, "-m", "bench.loader_peak"], check=True, capture_output=True, text=True)
    return int(answer.stdout) / 1024


def _scraped_ours(directory: Path, rows: int, scrapes: int, progress: Callable[[], object]) -> Scraped:
    with ours("--process.max", str(2 * PROCESSES)) as served, crowd(directory, PROCESSES, rows):
        progress()
        return _scraped(served, scrapes)


def _scraped_other(directory: Path, scrapes: int, progress: Callable[[], object]) -> Scraped | None:
    if not shutil.which(_OTHER):
        return None
    config = directory / "process-exporter.yml"
    config.write_text(_OTHER_CONFIG)
    command = (_OTHER, "-web.listen-address", "{address}", "-config.path", str(config))
    with crowd(directory, PROCESSES, ROWS[-1]), Served(*command, good="\nnamedprocess_") as served:
        progress()
        return _scraped(served, scrapes)


def _scraped(served: Served, scrapes: int) -> Scraped:
    milliseconds = served.scrape_seconds(scrapes) * 1000
    series = sum("_created{" not in line for line in samples(served.scrape()))
    return Scraped(series, milliseconds, served.resident_mib())


def unattended(directory: Path, seconds: int, rate: int, progress: Callable[[], object] = lambda: None) -> Section:
    """CPU time while nobody scrapes, and what is lost, with nothing going on and with many births a second."""
    with ours() as served:
        idle = served.idle_share(seconds) * 100
        progress()
        with births(directory, rate, seconds):
            busy = served.idle_share(seconds) * 100
        exposition = served.scrape()
    lost = total(exposition, "copy_exporter_dropped_updates_total") + total(
        exposition, "copy_exporter_probe_missed_runs_total"
    )
    return Section(
        title="CPU time while nobody scrapes, in per cent of one CPU",
        columns=("while", "per cent"),
        rows=(("idle", f"{idle:.2f}"), (f"{rate:,} process births a second", f"{busy:.2f}")),
        targets=(Target(f"updates lost and runs missed at {rate:,} births a second", lost, 0),),
        notes=(f"Each over {seconds} s.",),
        figures={"idle": idle, "births": busy},
    )
