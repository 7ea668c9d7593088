"""``python -m bench.series``: how many series a host has, by setting, for docs/fleet.md."""

import gzip
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.crowd import crowd
from bench.figures import markdown, number
from bench.footprint import ours
from bench.served import samples

PROCESSES, NAMES, ROWS = 1000, 50, 5
SCRAPES = 3
SETTINGS = {
    "(none)": (),
    "--process.max 100": ("--process.max", "100"),
    "--process.include '^(java\\|host-1.)'": ("--process.include", "^(java|host-1.)"),
    "--process.labels comm": ("--process.labels", "comm"),
    "--process.labels comm --process.comms.max 20": ("--process.labels", "comm", "--process.comms.max", "20"),
    "--process.max 0 --process.comms.max 0": ("--process.max", "0", "--process.comms.max", "0"),
}
_CREATED = re.compile(r"^\w+_created\{", re.MULTILINE)
_HOST = re.compile(r"^copy_host_", re.MULTILINE)
_PROCESS = re.compile(r'^copy_\w+\{(?:pid="[^"]*",)?comm="', re.MULTILINE)


@dataclass(frozen=True)
class Size:
    """Of one exposition in OpenMetrics."""

    series: int
    of_processes: int
    of_host: int
    created: int
    kib: float
    zipped_kib: float

    def row(self) -> tuple[str, ...]:
        """For the table."""
        counts = (self.series, self.of_processes, self.of_host, self.created)
        return (*(f"{count:,}" for count in counts), number(self.kib), number(self.zipped_kib))


def size(exposition: str) -> Size:
    """Count the series; ``_created`` ones are counted apart."""
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
    """So many processes under so many names, with so many rows each: a row is a series of calls and one of bytes."""
    with ExitStack() as stack:
        for name in range(names):
            stack.enter_context(crowd(directory, processes // names, rows, f"host-{name}"))
        yield


def record(directory: Path, flags: tuple[str, ...], host: tuple[int, int, int], scrapes: int) -> list[str]:
    """Successive expositions of a service with these flags, on a host with so many processes, names and rows."""
    with ours(*flags) as served, busy_host(directory, *host):
        return [served.scrape() for _ in range(scrapes)]


def main() -> int:
    """Print the table."""
    if os.geteuid():
        print("bench.series: attaching probes needs root", file=sys.stderr)
        return 1
    rows = []
    with tempfile.TemporaryDirectory(prefix="copy-exporter-series-") as name:
        for setting, flags in SETTINGS.items():
            measured = size(record(Path(name), flags, (PROCESSES, NAMES, ROWS), SCRAPES)[-1])
            rows.append((f"`{setting}`", *measured.row()))
    print(f"{PROCESSES:,} processes under {NAMES} names, {2 * ROWS} series of calls and bytes each:\n")
    columns = ("flags", "series", "of processes", "of the host", "and `_created`", "KiB", "gzip KiB")
    print(markdown(columns, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
