"""``python -m bench.remote_write``: 200 hosts, written by Prometheus to VictoriaMetrics, for docs/fleet.md."""

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.figures import markdown, number
from bench.fleet import HOST, SETTINGS, configuration, growing_expositions, rules_of, serve_expositions
from bench.series import record
from tests.support.engines import VERSION, VictoriaMetrics, program
from tests.support.process_usage import ThreadTimes, cpu_seconds, resident_kib, thread_times
from tests.support.prometheus import Prometheus, QueryServer
from tests.support.wait import wait_until

TARGETS, INTERVAL, SCRAPES = 200, 15, 4
SETTING = SETTINGS[2]
_SERIES = 'count({job="fleet"})'


@dataclass
class Engine:
    """A server whose CPU time is measured from its creation on."""

    name: str
    server: QueryServer
    data: Path

    def __post_init__(self) -> None:
        self._before: ThreadTimes = thread_times(self.server.pid)
        self._start = time.monotonic()

    def row(self) -> tuple[str, ...]:
        """The row of the table."""
        spent = cpu_seconds(self._before, thread_times(self.server.pid)) / (time.monotonic() - self._start)
        disk = sum(file.stat().st_size for file in self.data.rglob("*") if file.is_file())
        series = self.server.number(_SERIES)
        return (self.name, *map(number, (series, resident_kib(self.server.pid) / 1024, spent * 100, disk / 2**20)))


def measure(directory: Path) -> list[tuple[str, ...]]:
    """The rows of the table. Raises TimeoutError if VictoriaMetrics has not every series of Prometheus."""
    (exposition,) = record(directory, SETTING.flags, HOST, 1)
    with (
        serve_expositions(growing_expositions(exposition, SCRAPES + 2)) as port,
        VictoriaMetrics(directory) as victoria,
    ):
        config = configuration(port, TARGETS, INTERVAL, rules_of(SETTING.job))
        config["remote_write"] = [{"url": f"{victoria.url}/api/v1/write"}]
        with Prometheus(directory, config, program("prometheus")) as prometheus:
            wait_until(lambda: prometheus.ready() and victoria.ready(), "Prometheus and VictoriaMetrics", 60)
            up = f"sum(up) == {TARGETS}"
            wait_until(lambda: prometheus.instant(up) and victoria.instant(up), "a scrape of all hosts", 180)
            engines = (
                Engine(f"Prometheus {VERSION['prometheus']}", prometheus, directory / "data"),
                Engine(f"VictoriaMetrics {VERSION['victoria-metrics']}", victoria, directory / "victoria-metrics"),
            )
            time.sleep(INTERVAL * SCRAPES)
            wait_until(lambda: prometheus.number(_SERIES) == victoria.number(_SERIES), "every series in both", 60)
            return [engine.row() for engine in engines]


def main() -> int:
    """Print the table."""
    if os.geteuid():
        print("bench.remote_write: attaching probes needs root", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="copy-exporter-fleet-") as name:
        rows = measure(Path(name))
    print(f"{TARGETS} hosts ({SETTING.name}), scraped by Prometheus and written to VictoriaMetrics:\n")
    print(markdown(("engine", "series", "resident, MiB", "CPU, % of one", "on disk, MiB"), rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
