"""A real Prometheus server scrapes the service while a process sends files."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.exporter_process import ExporterProcess
from tests.support.prometheus import Prometheus, every_second
from tests.support.wait import wait_until
from tests.support.watched_connection import WatchedConnection

SCRAPES = 12
CHUNK = 65536
_COMPLAINT = re.compile(r"level=(warn|error)|duplicate|out[- ]of[- ]order", re.IGNORECASE)


@pytest.fixture
def service(start: Callable[..., ExporterProcess]) -> ExporterProcess:
    return start()


@pytest.fixture
def server(service: ExporterProcess, tmp_path: Path) -> Iterator[Prometheus]:
    with Prometheus(tmp_path, every_second(service.port)) as running:
        yield running


def send_file(connection: WatchedConnection, path: Path, times: int) -> int:
    """Send a file to the connection's client from its server end; returns the bytes."""

    def sink(expected: int) -> None:
        while expected:
            expected -= len(connection.client.recv(min(expected, CHUNK)))

    size = path.stat().st_size
    reader = threading.Thread(target=sink, args=(size * times,))
    reader.start()
    with path.open("rb") as file:
        for _ in range(times):
            sent = 0
            while sent < size:
                sent += os.sendfile(connection.server.fileno(), file.fileno(), sent, min(CHUNK, size - sent))
    reader.join()
    return size * times


def test_prometheus_scrapes_without_a_complaint(
    server: Prometheus, connection: WatchedConnection, tmp_path: Path
) -> None:
    wait_until(server.ready, "Prometheus")
    file = tmp_path / "file"
    file.write_bytes(os.urandom(300_001))
    truth = send_file(connection, file, 10)

    def scraped_often() -> bool:
        nonlocal truth
        truth += send_file(connection, file, 1)
        return server.number("count_over_time(up[10m])") >= SCRAPES

    wait_until(scraped_often, f"{SCRAPES} scrapes", seconds=60)
    mine = f'sum(copy_bytes_total{{mechanism="zero_copy",port="{connection.label}",pid="{os.getpid()}"}})'
    wait_until(lambda: server.number(mine) == truth, f"{truth} bytes by sendfile", seconds=10)
    sent = 'mechanism="zero_copy",syscall="sendfile",source="page_cache",destination="tcp"'
    of_no_process = f"sum(copy_host_bytes_total{{{sent}}}) - sum(copy_bytes_total{{{sent}}})"
    wait_until(lambda: server.number(of_no_process) == 0, "hidden processes of the host count too", seconds=30)
    assert server.number("min_over_time(up[10m])") == 1
    assert server.number("min_over_time(scrape_samples_scraped[10m])") > 0
    assert server.number("min(min_over_time(copy_exporter_scrape_success[10m]))") == 1
    (target,) = server.get("targets")["activeTargets"]
    assert target["health"] == "up"
    assert target["lastError"] == ""
    assert not [line for line in server.log().splitlines() if _COMPLAINT.search(line)]
