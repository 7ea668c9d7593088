"""``python -m bench.fleet``: one real Prometheus and the recorded expositions of a fleet, for docs/fleet.md."""

import argparse
import gzip
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
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

HOST = (100, 20, 5)
"""Processes, names, and rows of a process on each host of the fleet."""
COUNTER = re.compile(r"^(\w+_total(?:\{.*\})?) (\d+)$", re.MULTILINE)
TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
RULES = Path(__file__).parents[1] / "deploy/prometheus/fleet.yml"
_PATIENCE = 30.0


@dataclass(frozen=True)
class Setting:
    """How the fleet is run and scraped."""

    name: str
    flags: tuple[str, ...] = ()
    job: str = ""
    """Whose rules of fleet.yml; empty: none."""


SETTINGS = (
    Setting("every process, no rules"),
    Setting("every process, rules of copy-exporter", (), "copy-exporter"),
    Setting("by name, rules of copy-exporter", ("--process.labels", "comm"), "copy-exporter"),
    Setting("by name, rules of copy-exporter-totals", ("--process.labels", "comm"), "copy-exporter-totals"),
)


@dataclass(frozen=True)
class Cost:
    """Of a Prometheus that scrapes the fleet."""

    up: float
    """The part of all scrapes that succeeded."""
    series: float
    samples_a_second: float
    resident_mib: float
    cpu_percent: float
    slowest_scrape_ms: float

    def row(self) -> tuple[str, ...]:
        """For the table."""
        values = (self.series, self.samples_a_second, self.resident_mib, self.cpu_percent, self.slowest_scrape_ms)
        return tuple(number(value) for value in values)


def growing(exposition: str, scrapes: int) -> list[bytes]:
    """The exposition as so many scrapes would have it: every counter goes on, each at a pace of its own."""

    def at(scrape: int) -> bytes:
        position = iter(range(10**9))
        text = COUNTER.sub(lambda m: f"{m[1]} {int(m[2]) + scrape * (next(position) % 997) * 4096}", exposition)
        return gzip.compress(text.encode(), 1)

    return [at(scrape) for scrape in range(scrapes)]


@contextmanager
def served(bodies: Sequence[bytes]) -> Iterator[int]:
    """All exporters behind one port: ``/N/metrics`` is the N-th, and each scrape of it gets the next body."""
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


class Prometheus:
    """Debian's, with all of the fleet for its targets."""

    def __init__(self, directory: Path, port: int, targets: int, interval: int, rules: list[dict[str, Any]]) -> None:
        scrape = {
            "job_name": "fleet",
            "metric_relabel_configs": rules,
            "static_configs": [
                {
                    "targets": [f"127.0.0.1:{port}"],
                    "labels": {"__metrics_path__": f"/{number}/metrics", "instance": f"host-{number}"},
                }
                for number in range(targets)
            ],
        }
        config = {"global": {"scrape_interval": f"{interval}s", "scrape_timeout": f"{interval}s"}}
        (directory / "prometheus.yml").write_text(json.dumps(config | {"scrape_configs": [scrape]}))  # JSON is YAML
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._address = f"127.0.0.1:{free.getsockname()[1]}"
        flags = {"config.file": directory / "prometheus.yml", "storage.tsdb.path": directory / "data"}
        command = ["prometheus", *(f"--{name}={value}" for name, value in flags.items())]
        self.process = subprocess.Popen(
            [*command, f"--web.listen-address={self._address}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> "Prometheus":
        return self

    def __exit__(self, *problem: object) -> None:
        self.process.terminate()
        self.process.wait()

    def value(self, expression: str) -> float:
        """The one number that an expression has now; 0 when it has none."""
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"http://{self._address}/api/v1/query?{query}", timeout=_PATIENCE) as answer:
            found = json.load(answer)["data"]["result"]
        return float(found[0]["value"][1]) if found else 0.0

    def wait_for(self, targets: int) -> None:
        """Until each target was scraped once."""
        end = time.monotonic() + _PATIENCE * 4
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.value("sum(up)") == targets:
                    return
            except OSError:  # it does not listen yet
                pass
            time.sleep(0.2)
        raise RuntimeError(f"Prometheus did not scrape {targets} targets, status {self.process.poll()}")

    def resident_mib(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def cpu_seconds(self) -> float:
        """CPU time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rules_of(job: str) -> list[dict[str, Any]]:
    """The relabelling of a job in fleet.yml."""
    jobs = {one["job_name"]: one for one in yaml.safe_load(RULES.read_text())["scrape_configs"]}
    return list(jobs[job]["metric_relabel_configs"]) if job else []


def simulate(directory: Path, setting: Setting, targets: int, interval: int, scrapes: int) -> Cost:
    """Let a Prometheus scrape the fleet so many times; over the second half, in which every series is known already."""
    (exposition,) = record(directory, setting.flags, HOST, 1)
    data = Path(tempfile.mkdtemp(dir=directory))
    with (
        served(growing(exposition, scrapes + 2)) as port,
        Prometheus(data, port, targets, interval, rules_of(setting.job)) as prometheus,
    ):
        prometheus.wait_for(targets)
        time.sleep(interval * scrapes / 2)
        before, start = prometheus.cpu_seconds(), time.monotonic()
        time.sleep(interval * scrapes / 2)
        spent = prometheus.cpu_seconds() - before
        window = f"[{round(time.monotonic() - start)}s]"
        return Cost(
            up=prometheus.value(f"avg(avg_over_time(up{window})) * (count(up) == bool {targets})"),
            series=prometheus.value("sum(scrape_samples_post_metric_relabeling)"),
            samples_a_second=prometheus.value("sum(scrape_samples_post_metric_relabeling)") / interval,
            resident_mib=prometheus.resident_mib(),
            cpu_percent=spent / (time.monotonic() - start) * 100,
            slowest_scrape_ms=prometheus.value(f"max(max_over_time(scrape_duration_seconds{window}))") * 1000,
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
    columns = ("fleet", "series", "samples a second", "resident, MiB", "CPU, % of one", "slowest scrape, ms")
    print(markdown(columns, rows))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
