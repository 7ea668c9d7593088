"""Clients that misbehave as fast as they can write hardly anything to the log, and the service answers afterwards."""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.support.exporter_process import SERVE, ExporterProcess
from tests.support.wait import wait_until

MAX_LOG_BYTES = 16384
"""Of each test: ten lines with a traceback."""
MAX_DESCRIPTORS = 60
"""Enough to start."""
OK = b"HTTP/1.1 200 "
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: here\r\n"


@pytest.fixture(scope="module")
def service() -> Iterator[ExporterProcess]:
    with ExporterProcess() as started:
        yield started


@pytest.fixture(autouse=True)
def _log_stays_small(service: ExporterProcess) -> Iterator[None]:
    before = len(service.log())
    yield
    wait_until(lambda: service.get("/metrics").status_code == 200, "a scrape")
    assert len(service.log()) < before + MAX_LOG_BYTES


def send(service: ExporterProcess, data: bytes, receive_buffer: int = 65536) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(20)
    client.connect(("127.0.0.1", service.port))
    client.sendall(data)
    return client


def scrape(service: ExporterProcess) -> bytes:
    """The whole answer to a scrape with a connection of its own."""
    with send(service, REQUEST + b"Connection: close\r\n\r\n") as scraper:
        answer = b""
        while part := scraper.recv(65536):
            answer += part
    return answer


def test_malformed_chunked_bodies(service: ExporterProcess) -> None:
    for number in range(300):
        body = b"zz\r\n" if number % 2 else b"1\r\naXX\r\n"
        with send(service, REQUEST + b"Transfer-Encoding: chunked\r\n\r\n" + body) as client:
            assert client.recv(12) == b"HTTP/1.1 400"
    assert "Traceback" not in service.log()


def test_malformed_bodies_after_the_answer_has_started(service: ExporterProcess) -> None:
    for _ in range(100):
        with send(service, REQUEST + b"Content-Length: 5\r\n\r\n12345") as client:
            client.recv(12)
            with suppress(OSError):
                client.sendall(b"\0\r\n\r\n" * 10)
    assert "Traceback" not in service.log()


def test_clients_that_leave_in_the_middle_of_an_answer(service: ExporterProcess) -> None:
    for _ in range(200):
        with send(service, (REQUEST + b"\r\n") * 40, receive_buffer=4096) as client:
            client.recv(1000)
    assert "Traceback" not in service.log()


def test_no_free_descriptor() -> None:
    with ExporterProcess(command=("prlimit", f"--nofile={MAX_DESCRIPTORS}", *SERVE)) as service, ExitStack() as stack:
        before = len(service.log())
        for _ in range(2 * MAX_DESCRIPTORS):
            stack.enter_context(send(service, b"G"))
        wait_until(lambda: "out of system resource" in service.log(), "the lack of descriptors")
        time.sleep(3)
        assert len(service.log()) < before + MAX_LOG_BYTES
        stack.close()
        wait_until(lambda: service.get("/metrics").status_code == 200, "a scrape")


@pytest.mark.parametrize("pieces", [1, 40])
def test_a_long_url(service: ExporterProcess, pieces: int) -> None:
    request = b"GET /metrics?" + b"x" * 60_000 + b" HTTP/1.1\r\nHost: here\r\n\r\n"
    step = len(request) // pieces + 1
    with send(service, b"") as client:
        with suppress(OSError):
            for start in range(0, len(request), step):
                client.sendall(request[start : start + step])
        assert client.recv(12) in (b"HTTP/1.1 414", b"HTTP/1.1 431")


def test_a_thousand_slow_readers(service: ExporterProcess) -> None:
    """Each new one and each scraper takes the place of one that does not read."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with ExitStack() as stack:
        for _ in range(1000):
            with suppress(ConnectionError):  # it has been evicted
                stack.enter_context(send(service, (REQUEST + b"\r\n") * 8, receive_buffer=2048))
        wait_until(lambda: scrape(service).startswith(OK), "the end of the burst of requests")
        for _ in range(5):
            answer = scrape(service)
            assert answer.startswith(OK)
            assert b'\ncopy_exporter_scrape_success{collector="processes"} 1\n' in answer
