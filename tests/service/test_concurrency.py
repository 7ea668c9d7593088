"""Many scrapes at once, and many one after the other."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.support.exporter_process import OPENMETRICS, ExporterProcess
from tests.support.process_usage import resident_kib
from tests.support.scrape import Scrape
from tests.support.scrape_recorder import ScrapeRecorder
from tests.support.watched_connection import BYTES, WatchedConnection

from .movers import agree, births, born_bytes

PARALLEL = 50
EARLY, LATE = 50, 300
GROWTH_KB = 4096


@pytest.fixture
def service(start: Callable[..., ExporterProcess]) -> ExporterProcess:
    return start()


@pytest.fixture
def clients(service: ExporterProcess) -> Iterator[list[httpx.Client]]:
    with ExitStack() as stack:
        url = f"http://127.0.0.1:{service.port}"
        yield [stack.enter_context(httpx.Client(base_url=url, timeout=60)) for _ in range(PARALLEL)]


def test_parallel_scrapes(
    service: ExporterProcess,
    clients: list[httpx.Client],
    workload: Callable[[str], Path],
    connection: WatchedConnection,
) -> None:
    count, rounds = 4000, 3
    recorder = ScrapeRecorder()
    recorder.add_text(service.metrics())
    with births(workload("births"), connection, count) as parent, ThreadPoolExecutor(PARALLEL) as pool:
        for _ in range(rounds):
            answers = list(pool.map(lambda client: client.get("/metrics", headers=OPENMETRICS), clients))
            assert {answer.status_code for answer in answers} == {200}
            # Each is a moment of its own; in the order of what the host had moved they are scrapes like any other.
            for scrape in sorted((Scrape(answer.text) for answer in answers[::10]), key=moment):
                recorder.add(scrape)
    assert parent.returncode == 0
    agree(service, recorder, connection, count, born_bytes(count))


def moment(scrape: Scrape) -> float:
    return sum(value for (name, _), value in scrape.values.items() if name.startswith("copy_host_"))


def test_memory_stays(service: ExporterProcess, workload: Callable[[str], Path], connection: WatchedConnection) -> None:
    resident_early = 0
    for number in range(1, LATE + 1):
        service.metrics(openmetrics=number % 2 == 0)
        if number % 25 == 0:
            with births(workload("births"), connection, 200) as parent:
                pass
            assert parent.returncode == 0
        if number == EARLY:
            resident_early = resident_kib(service.pid)
    assert resident_kib(service.pid) - resident_early < GROWTH_KB
    assert resident_kib(service.pid) < 80 * 1024
    assert Scrape(service.metrics()).sum(BYTES, port=connection.label) == LATE // 25 * born_bytes(200)
