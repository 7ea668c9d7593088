"""A real Prometheus that scrapes a real exporter under a known load, and an exporter with made-up constant rates."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.support.exporter_process import ExporterProcess
from tests.support.ports import LOOPBACK, free_port
from tests.support.prometheus import JOB, Prometheus, every_second
from tests.support.requirements import require_bpf
from tests.support.rule_files import RULE_FILES
from tests.support.wait import wait_until

from . import constant_series
from .load import FILE_BYTES, INTERVAL_SECONDS, LOADS, TIMES, TIMES_BEFORE, LoadProcess

_HOSTS_UP = 2
CLUSTER = "east"
IN_CLUSTER = {"relabel_configs": [{"target_label": "cluster", "replacement": CLUSTER}]}
"""A label that the scrape configuration gives to all targets."""


@dataclass(frozen=True)
class Times:
    """Times of two scrapes of the real exporter, in seconds since the epoch; the measured load is between them."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """From the start to the end."""
        return self.end - self.start


@dataclass(frozen=True)
class Scene:
    """A Prometheus and the instances that it scrapes: the real exporter, the constant series, and one that is down."""

    prometheus: Prometheus
    without_rules: Prometheus
    """Scrapes the same targets, and has no rules."""
    live: str
    constant: str
    down: str
    processes: Mapping[str, LoadProcess]
    """Of the load, by its name."""
    times: Times
    exposition: str
    """What the real exporter exposes at the end."""


@pytest.fixture(scope="package")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    require_bpf()
    directory = tmp_path_factory.mktemp("scene")
    for name in ("rules", "none"):
        (directory / name).mkdir()
    with ExitStack() as stack:
        processes = {load.name: stack.enter_context(LoadProcess(load, directory)) for load in LOADS}
        watched = [flag for process in processes.values() for flag in ("--watch.port", process.port)]
        exporter = stack.enter_context(ExporterProcess("--probe.stats", "--no-kafka", *watched))
        replay = stack.enter_context(constant_series.serve())
        stack.callback(replay.shutdown)
        ports = (exporter.port, replay.server_port, free_port())
        prometheus, without_rules = (
            stack.enter_context(Prometheus(directory / name, every_second(*ports, rule_files=files, **IN_CLUSTER)))
            for name, files in (("rules", RULE_FILES), ("none", ()))
        )
        for server in (prometheus, without_rules):
            wait_until(server.ready, "Prometheus")
        live, constant, down = (f"{LOOPBACK}:{port}" for port in ports)
        times = _run_load(prometheus, processes, live)
        yield Scene(
            prometheus, without_rules, live, constant, down, processes, times, exporter.metrics(openmetrics=False)
        )


def _run_load(prometheus: Prometheus, processes: Mapping[str, LoadProcess], live: str) -> Times:
    """Run the load; Prometheus has scraped the counts of each process before its start and after its end."""
    for process in processes.values():
        process.start()
        process.move(TIMES_BEFORE)
    _wait_for_bytes(prometheus, processes, FILE_BYTES * TIMES_BEFORE)
    start = _last_scrape(prometheus, live)
    for process in processes.values():
        process.move(TIMES, INTERVAL_SECONDS)
    _wait_for_bytes(prometheus, processes, FILE_BYTES * (TIMES_BEFORE + TIMES))
    prometheus.wait_for_scrapes(3)
    return Times(start, _last_scrape(prometheus, live))


def _last_scrape(prometheus: Prometheus, live: str) -> float:
    """The time of it. Both hosts must be up, because a busy machine may miss a scrape."""
    wait_until(lambda: prometheus.number(f'sum(up{{job="{JOB}"}})') == _HOSTS_UP, "both hosts to be scraped", 60)
    return prometheus.number(f'timestamp(up{{instance="{live}"}})')


def _wait_for_bytes(prometheus: Prometheus, processes: Mapping[str, LoadProcess], count: int) -> None:
    for process in processes.values():
        query = f"sum(copy_bytes_total{{{process.matchers}}})"
        wait_until(lambda query=query: prometheus.number(query) == count, f"{count} bytes of {process.comm}", 60)
