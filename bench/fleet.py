"""``python -m bench.fleet``: a real Prometheus that scrapes recorded expositions of a fleet, for docs/fleet.md."""

import argparse
import gzip
import os
import re
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from bench.figures import markdown, number
from bench.series import record
from tests.support.paths import ROOT
from tests.support.ports import LOOPBACK
from tests.support.process_usage import cpu_seconds, resident_kib, thread_times
from tests.support.prometheus import Prometheus
from tests.support.wait import wait_until

HOST = (100, 20, 5)
"""Processes, names and rows per process on each host of the fleet."""
COUNTER = re.compile(r"^(\w+_total(?:\{.*\})?) (\d+)$", re.MULTILINE)
TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
RULES = ROOT / "deploy/prometheus/fleet.yml"
_SCRAPE_SECONDS = 120.0


@dataclass(frozen=True)
class Setting:
    """Flags of the exporters, and the rules with which Prometheus scrapes them."""

    name: str
    flags: tuple[str, ...] = ()
    job: str = ""
    """The job of fleet.yml whose rules apply; empty: no rules."""


SETTINGS = (
    Setting("every process, no rules"),
    Setting("every process, rules of copy-exporter", (), "copy-exporter"),
    Setting("by name, rules of copy-exporter", ("--process.labels", "comm"), "copy-exporter"),
    Setting("by name, rules of copy-exporter-totals", ("--process.labels", "comm"), "copy-exporter-totals"),
)


@dataclass(frozen=True)
class Cost:
    """The cost of a Prometheus that scrapes the fleet."""

    up: float
    """The share of scrapes that succeeded."""
    series: float
    samples_per_second: float
    resident_mib: float
    cpu_percent: float
    slowest_scrape_ms: float

    def row(self) -> tuple[str, ...]:
        """The row of the table."""
        values = (self.series, self.samples_per_second, self.resident_mib, self.cpu_percent, self.slowest_scrape_ms)
        return tuple(number(value) for value in values)


def growing_expositions(exposition: str, scrapes: int) -> list[bytes]:
    """Compressed expositions of successive scrapes, in which every counter grows at its own rate."""

    def at(scrape: int) -> bytes:
        position = iter(range(10**9))
        text = COUNTER.sub(lambda m: f"{m[1]} {int(m[2]) + scrape * (next(position) % 997) * 4096}", exposition)
        return gzip.compress(text.encode(), 1)

    return [at(scrape) for scrape in range(scrapes)]


@contextmanager
def serve_expositions(bodies: Sequence[bytes]) -> Iterator[int]:
    """Serve all exporters on one port: each scrape of ``/N/metrics`` gets the next body of exporter N."""
    seen: dict[str, int] = defaultdict(int)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = bodies[min(seen[self.path], len(bodies) - 1)]
            seen[self.path] += 1
            self.send_response(200)
            for name, value in (("Content-Type", TYPE), ("Content-Encoding", "gzip"), ("Content-Length", len(body))):
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 1024
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def configuration(port: int, targets: int, interval: int, rules: list[dict[str, Any]]) -> dict[str, Any]:
    """Of a Prometheus that scrapes every target of :func:`serve_expositions` on this port."""
    scrape = {
        "job_name": "fleet",
        "metric_relabel_configs": rules,
        "static_configs": [
            {
                "targets": [f"{LOOPBACK}:{port}"],
                "labels": {"__metrics_path__": f"/{number}/metrics", "instance": f"host-{number}"},
            }
            for number in range(targets)
        ],
    }
    every = f"{interval}s"
    return {"global": {"scrape_interval": every, "scrape_timeout": every}, "scrape_configs": [scrape]}


def rules_of(job: str) -> list[dict[str, Any]]:
    """The relabelling rules of a job in fleet.yml."""
    jobs = {config["job_name"]: config for config in yaml.safe_load(RULES.read_text())["scrape_configs"]}
    return list(jobs[job]["metric_relabel_configs"]) if job else []


def simulate(directory: Path, setting: Setting, targets: int, interval: int, scrapes: int) -> Cost:
    """Let a Prometheus scrape the fleet ``scrapes`` times; its cost in the second half, when it has every series."""
    (exposition,) = record(directory, setting.flags, HOST, 1)
    data = Path(tempfile.mkdtemp(dir=directory))
    with (
        serve_expositions(growing_expositions(exposition, scrapes + 2)) as port,
        Prometheus(data, configuration(port, targets, interval, rules_of(setting.job))) as prometheus,
    ):
        wait_until(prometheus.ready, "Prometheus to start")
        wait_until(lambda: prometheus.number("sum(up)") == targets, f"a scrape of {targets} targets", _SCRAPE_SECONDS)
        time.sleep(interval * scrapes / 2)
        before, start = thread_times(prometheus.pid), time.monotonic()
        time.sleep(interval * scrapes / 2)
        spent = cpu_seconds(before, thread_times(prometheus.pid))
        window = f"[{round(time.monotonic() - start)}s]"
        return Cost(
            up=prometheus.number(f"avg(avg_over_time(up{window})) * (count(up) == bool {targets})"),
            series=prometheus.number("sum(scrape_samples_post_metric_relabeling)"),
            samples_per_second=prometheus.number("sum(scrape_samples_post_metric_relabeling)") / interval,
            resident_mib=resident_kib(prometheus.pid) / 1024,
            cpu_percent=spent / (time.monotonic() - start) * 100,
            slowest_scrape_ms=prometheus.number(f"max(max_over_time(scrape_duration_seconds{window}))") * 1000,
        )


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=__doc__)
    for flag, default in (("targets", 200), ("interval", 15), ("scrapes", 4)):
        parser.add_argument(f"--{flag}", type=int, default=default, help="default: %(default)s")
    arguments = vars(parser.parse_args())
    if os.geteuid():
        print("bench.fleet: attaching probes needs root", file=sys.stderr)
        return 1
    rows, failed = [], 0
    with tempfile.TemporaryDirectory(prefix="copy-exporter-fleet-") as name:
        for setting in SETTINGS:
            cost = simulate(Path(name), setting, **arguments)
            failed += cost.up != 1
            rows.append((setting.name, *cost.row()))
    processes, names, calls = HOST
    print(f"{arguments['targets']} hosts of {processes} processes under {names} names, {2 * calls} series each:\n")
    columns = ("fleet", "series", "samples per second", "resident, MiB", "CPU, % of one", "slowest scrape, ms")
    print(markdown(columns, rows))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
