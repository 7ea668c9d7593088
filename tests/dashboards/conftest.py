"""One scene for all queries: a real exporter under a known load, a real Prometheus, and a host where all goes on."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.support.exporter_process import ExporterProcess
from tests.support.ports import free_port
from tests.support.prometheus import Prometheus
from tests.support.requirements import require_bpf
from tests.support.wait import wait_until

from . import constant_series
from .documents import RULES
from .load import BEFORE, FILE_BYTES, TIMES, WAYS, Sender, cold_file

JOB = "copy-exporter"
HOSTS = 2
"""That are up."""


@dataclass(frozen=True)
class Times:
    """Moments of scrapes of the real exporter, in seconds since the epoch: all of the load is between them."""

    parked: float
    """Every process of the load had counts that were scraped, and did nothing."""
    done: float
    """Everything had been scraped."""

    @property
    def seconds(self) -> float:
        """From the one to the other."""
        return self.done - self.parked


@dataclass(frozen=True)
class Scene:
    """What there is to ask, and what is known of it."""

    prometheus: Prometheus
    live: str
    steady: str
    down: str
    senders: dict[str, Sender]
    times: "Times"
    exposition: str
    """What the real exporter said in the end."""


@pytest.fixture(scope="package")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    require_bpf()
    directory = tmp_path_factory.mktemp("scene")
    with ExitStack() as stack:
        senders = {way.name: stack.enter_context(Sender(way, cold_file(directory, way.name))) for way in WAYS}
        watched = [flag for sender in senders.values() for flag in ("--watch.port", sender.port)]
        service = stack.enter_context(ExporterProcess("--probe.stats", "--no-kafka", *watched))
        replay = stack.enter_context(constant_series.serve())
        stack.callback(replay.shutdown)
        ports = (service.port, replay.server_port, free_port())
        live, host, down = (f"127.0.0.1:{port}" for port in ports)
        prometheus = stack.enter_context(Prometheus(directory, configuration(live, host, down)))
        wait_until(prometheus.ready, "Prometheus")
        times = run(prometheus, senders, live)
        yield Scene(prometheus, live, host, down, senders, times, service.metrics(openmetrics=False))


def configuration(*addresses: str) -> dict[str, object]:
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(path) for path in RULES],
        "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": list(addresses)}]}],
    }


def run(prometheus: Prometheus, senders: dict[str, Sender], live: str) -> Times:
    """Let them send; the counts of each are scraped before it goes on, and when it is done."""
    for sender in senders.values():
        sender.begin()
    wait_for_bytes(prometheus, senders, FILE_BYTES * BEFORE)
    parked = last_scrape(prometheus, live)
    for sender in senders.values():
        sender.go_on()
    wait_for_bytes(prometheus, senders, FILE_BYTES * (BEFORE + TIMES))
    wait_for_scrapes(prometheus, 3)
    return Times(parked, last_scrape(prometheus, live))


def last_scrape(prometheus: Prometheus, live: str) -> float:
    """When it was, once both hosts answer: a busy machine may miss one."""
    up = f'sum(up{{job="{JOB}"}})'
    wait_until(lambda: prometheus.number(up) == HOSTS, "both hosts to be scraped", 60)
    return prometheus.number(f'timestamp(up{{instance="{live}"}})')


def wait_for_bytes(prometheus: Prometheus, senders: dict[str, Sender], count: int) -> None:
    for sender in senders.values():
        query = f"sum(copy_bytes_total{{{sender.matchers}}})"
        wait_until(lambda query=query: prometheus.number(query) == count, f"{count} bytes of {sender.comm}", 60)


def wait_for_scrapes(prometheus: Prometheus, count: int) -> None:
    """That went well, of both hosts."""
    query = f'min(sum_over_time(up{{job="{JOB}"}}[10m]) > 0)'
    before = prometheus.number(query)
    wait_until(lambda: prometheus.number(query) >= before + count, f"{count} scrapes", 60)
