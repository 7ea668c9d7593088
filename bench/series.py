"""``python -m bench.series``: series, memory and CPU time of an exporter, by flags, for docs/sizing.md."""

import gzip
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.exposition import samples
from bench.figures import markdown, number
from bench.processes import idle_processes
from bench.resource_usage import start_copy_exporter
from bench.running_exporter import RunningExporter

PROCESSES, NAMES, ROWS = 1000, 50, 5
TIMED_SCRAPES = 20
SETTINGS = {
    "(none)": (),
    "--process.max 100": ("--process.max", "100"),
    "--process.include '^(java\\|host-1.)'": ("--process.include", "^(java|host-1.)"),
    "--process.labels comm": ("--process.labels", "comm"),
    "--process.labels comm --process.comms.max 20": ("--process.labels", "comm", "--process.comms.max", "20"),
    "--process.max 0 --process.comms.max 0": ("--process.max", "0", "--process.comms.max", "0"),
    "--process.max 2000": ("--process.max", "2000"),
    "--process.max 2000 --map.entries 262144": ("--process.max", "2000", "--map.entries", "262144"),
}
_CREATED = re.compile(r"^\w+_created\{", re.MULTILINE)
_HOST = re.compile(r"^copy_host_", re.MULTILINE)
_PROCESS = re.compile(r'^copy_\w+\{(?:pid="[^"]*",)?comm="', re.MULTILINE)


@dataclass(frozen=True)
class Size:
    """The size of an exposition in OpenMetrics."""

    series: int
    of_processes: int
    of_host: int
    created: int
    kib: float
    zipped_kib: float

    def row(self) -> tuple[str, ...]:
        """The row of the table."""
        counts = (self.series, self.of_processes, self.of_host, self.created)
        return (*(f"{count:,}" for count in counts), number(self.kib), number(self.zipped_kib))


def size(exposition: str) -> Size:
    """Count the series, those that end in ``_created`` separately."""
    created = len(_CREATED.findall(exposition))
    return Size(
        series=len(samples(exposition)) - created,
        of_processes=len(_PROCESS.findall(exposition)) - created,
        of_host=len(_HOST.findall(exposition)),
        created=created,
        kib=len(exposition) / 1024,
        zipped_kib=len(gzip.compress(exposition.encode(), 1)) / 1024,
    )


@contextmanager
def busy_host(directory: Path, processes: int, names: int, rows: int) -> Iterator[None]:
    """``processes`` processes of ``names`` names with ``rows`` rows each, of two series: calls and bytes."""
    with ExitStack() as stack:
        for name in range(names):
            stack.enter_context(idle_processes(directory, processes // names, rows, f"host-{name}"))
        yield


@contextmanager
def exporter_of(directory: Path, flags: tuple[str, ...], host: tuple[int, int, int]) -> Iterator[RunningExporter]:
    """An exporter with these flags; ``host``: processes, names and rows per process."""
    with start_copy_exporter(*flags) as exporter, busy_host(directory, *host):
        yield exporter


def record(directory: Path, flags: tuple[str, ...], host: tuple[int, int, int], scrapes: int) -> list[str]:
    """Successive expositions of :func:`exporter_of`."""
    with exporter_of(directory, flags, host) as exporter:
        return [exporter.scrape() for _ in range(scrapes)]


def measure(directory: Path, flags: tuple[str, ...]) -> tuple[str, ...]:
    """The row of the table for these flags."""
    with exporter_of(directory, flags, (PROCESSES, NAMES, ROWS)) as exporter:
        milliseconds = exporter.scrape_seconds(TIMED_SCRAPES) * 1000
        measured = size(exporter.scrape())
        memory = (exporter.resident_mib(), exporter.kernel_mib())
        return (*measured.row(), number(milliseconds), *map(number, memory))


def main() -> int:
    """Print the table."""
    if os.geteuid():
        print("bench.series: attaching probes needs root", file=sys.stderr)
        return 1
    rows = []
    with tempfile.TemporaryDirectory(prefix="copy-exporter-series-") as name:
        for setting, flags in SETTINGS.items():
            rows.append((f"`{setting}`", *measure(Path(name), flags)))
    print(f"{PROCESSES:,} processes under {NAMES} names, {2 * ROWS} series of calls and bytes each:\n")
    of_answer = ("series", "of processes", "of the host", "and `_created`", "KiB", "gzip KiB")
    print(markdown(("flags", *of_answer, "CPU of a scrape, ms", "resident, MiB", "kernel, MiB"), rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
