"""Many concurrent scrapes, and many consecutive ones."""

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

CONCURRENT = 50
WARM_UP_SCRAPES, SCRAPES = 50, 300
SCRAPES_PER_LOAD, PROCESSES_PER_LOAD = 25, 200
MAX_GROWTH_KIB = 4096
MAX_RESIDENT_KIB = 80 * 1024


@pytest.fixture
def service(start: Callable[..., ExporterProcess]) -> ExporterProcess:
    return start()


@pytest.fixture
def clients(service: ExporterProcess) -> Iterator[list[httpx.Client]]:
    with ExitStack() as stack:
        url = f"http://127.0.0.1:{service.port}"
        yield [stack.enter_context(httpx.Client(base_url=url, timeout=60)) for _ in range(CONCURRENT)]


def test_concurrent_scrapes(
    service: ExporterProcess,
    clients: list[httpx.Client],
    workload: Callable[[str], Path],
    connection: WatchedConnection,
) -> None:
    count, rounds = 4000, 3
    recorder = ScrapeRecorder()
    recorder.add_text(service.metrics())
    with births(workload("births"), connection, count) as parent, ThreadPoolExecutor(CONCURRENT) as pool:
        for _ in range(rounds):
            answers = list(pool.map(lambda client: client.get("/metrics", headers=OPENMETRICS), clients))
            assert {answer.status_code for answer in answers} == {200}
            # Each has the counts of another time. Sorted by what the host had moved, they are consecutive scrapes.
            for scrape in sorted((Scrape(answer.text) for answer in answers[::10]), key=host_total):
                recorder.add(scrape)
    assert parent.returncode == 0
    agree(service, recorder, connection, count, born_bytes(count))


def host_total(scrape: Scrape) -> float:
    return sum(value for (name, _), value in scrape.values.items() if name.startswith("copy_host_"))


def test_memory_does_not_grow(
    service: ExporterProcess, workload: Callable[[str], Path], connection: WatchedConnection
) -> None:
    warm = 0
    for number in range(1, SCRAPES + 1):
        service.metrics(openmetrics=number % 2 == 0)
        if number % SCRAPES_PER_LOAD == 0:
            with births(workload("births"), connection, PROCESSES_PER_LOAD) as parent:
                pass
            assert parent.returncode == 0
        if number == WARM_UP_SCRAPES:
            warm = resident_kib(service.pid)
    assert resident_kib(service.pid) - warm < MAX_GROWTH_KIB
    assert resident_kib(service.pid) < MAX_RESIDENT_KIB
    moved = SCRAPES // SCRAPES_PER_LOAD * born_bytes(PROCESSES_PER_LOAD)
    assert Scrape(service.metrics()).sum(BYTES, port=connection.label) == moved
