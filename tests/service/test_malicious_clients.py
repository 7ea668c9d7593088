"""Slow, excessive, broken and malformed clients: the next scrape is right, and nothing is left or grows."""

import base64
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import httpx
import pytest

from exporter.web.connections import REQUEST_SECONDS
from exporter.web.middleware import MAX_HEADER_BYTES
from exporter.web.server import CONNECTIONS_BESIDE_SCRAPES
from tests.support.exporter_process import OPENMETRICS, ExporterProcess
from tests.support.process_usage import resident_kib
from tests.support.scrape import Scrape
from tests.support.wait import wait_until
from tests.support.watched_connection import BYTES, MAX_BYTES, WatchedConnection

from .web_config_files import PASSWORD, USER, WebConfigFiles

MAX_REQUESTS = 200
MAX_CONNECTIONS = MAX_REQUESTS + CONNECTIONS_BESIDE_SCRAPES
MAX_GROWTH_KIB = 48 * 1024
MAX_THREADS = 60
"""More than the thread pools of asyncio and FastAPI have together."""
PAUSE_SECONDS = 0.1
"""How long a test waits for an answer that may not come."""
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: here\r\n"
AUTHORIZATION = b"Authorization: Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()) + b"\r\n"
SCRAPE = REQUEST + AUTHORIZATION + b"\r\n"
"""Without users the service ignores the password."""


@pytest.fixture(scope="module")
def files() -> Iterator[WebConfigFiles]:
    with WebConfigFiles() as made:
        made.write_config({USER: PASSWORD})
        yield made


@pytest.fixture(scope="module")
def long_connection() -> Iterator[WatchedConnection]:
    opened = WatchedConnection()
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=["http", "https"])
def service(
    request: pytest.FixtureRequest, files: WebConfigFiles, long_connection: WatchedConnection
) -> Iterator[ExporterProcess]:
    """One service for all tests, so that a test sees what another one has left behind."""
    is_https = request.param == "https"
    flags = ("--web.config.file", str(files.config)) if is_https else ()
    client = files.client_options() if is_https else {"verify": False}
    with ExporterProcess(*long_connection.flags, *flags, client=client) as started:
        for _ in range(3):
            started.metrics()
        yield started


class RawClient:
    """A client that sends any bytes, over TLS where the service has it."""

    def __init__(self, service: ExporterProcess, *, tls: bool = True) -> None:
        """With ``tls=False`` it never starts a TLS handshake."""
        self.socket = socket.create_connection(("127.0.0.1", service.port), timeout=30)
        if service.url.startswith("https") and tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)

    def send(self, data: bytes) -> None:
        """Send until the service closes the connection."""
        with suppress(OSError):
            self.socket.sendall(data)

    def receive(self) -> bytes:
        """Everything until the service closes the connection, or until the socket's timeout."""
        received = b""
        with suppress(OSError):
            while part := self.socket.recv(65536):
                received += part
        return received

    def is_closed(self) -> bool:
        """Whether the service has closed the connection. Discards what it has sent before."""
        self.socket.settimeout(0)
        try:
            while self.socket.recv(65536):
                pass
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        return True

    def reset(self) -> None:
        """Close with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


Connect = Callable[..., RawClient]


@pytest.fixture
def connect(service: ExporterProcess) -> Iterator[Connect]:
    """Connect clients; they are closed at the end of the test."""
    with ExitStack() as stack:

        def connect_client(*, tls: bool = True) -> RawClient:
            client = RawClient(service, tls=tls)
            stack.callback(client.socket.close)
            return client

        yield connect_client


def descriptors(service: ExporterProcess) -> int:
    return len(os.listdir(f"/proc/{service.pid}/fd"))


def scrape(service: ExporterProcess) -> Scrape:
    """With a new connection."""
    with httpx.Client(base_url=service.url, timeout=10, **service.options) as client:
        answer = client.get("/metrics", headers=OPENMETRICS)
    assert answer.status_code == 200
    return Scrape(answer.text)


@pytest.fixture(autouse=True)
def _next_scrape_is_right_and_nothing_grows(
    service: ExporterProcess, long_connection: WatchedConnection
) -> Iterator[None]:
    moved = scrape(service).sum(BYTES, port=long_connection.label)
    before, memory = descriptors(service), resident_kib(service.pid)
    yield
    long_connection.server.recv(MAX_BYTES, socket.MSG_PEEK)
    assert scrape(service).sum(BYTES, port=long_connection.label) == moved + MAX_BYTES
    wait_until(lambda: descriptors(service) <= before, "connections are closed", 20)
    assert resident_kib(service.pid) < memory + MAX_GROWTH_KIB
    assert int(service.status()["Threads"]) < MAX_THREADS
    assert "Traceback" not in service.log()
    assert "level=error" not in service.log()


def test_incomplete_requests(service: ExporterProcess, connect: Connect) -> None:
    """Twice as many connections as there are places, without a complete request, while scrapes are answered."""
    base = descriptors(service)
    clients = []
    for round_ in range(4):
        for number in range(MAX_CONNECTIONS // 2):
            client = connect(tls=number % 2 == 1)
            clients.append(client)
            if number % 2:
                client.send(REQUEST[: 5 + round_])
        scrape(service)
        assert descriptors(service) <= base + MAX_CONNECTIONS
    for _ in range(20):  # after an answer the time limit is the same
        client = connect()
        clients.append(client)
        client.send(SCRAPE)
        assert client.socket.recv(8) == b"HTTP/1.1"
        client.send(b"GET")
    wait_until(lambda: all(client.is_closed() for client in clients), "time limits", REQUEST_SECONDS + 15)


def test_clients_that_do_not_read(service: ExporterProcess, connect: Connect) -> None:
    """With pipelined requests, whose answers do not fit into the kernel's buffers."""
    base = descriptors(service)
    for _ in range(30):
        connect().send(SCRAPE * 50)
    for _ in range(5):
        scrape(service)
    assert descriptors(service) > base + 20, "the answers wait for their clients"


def test_two_hundred_concurrent_scrapes(service: ExporterProcess) -> None:
    barrier = threading.Barrier(MAX_REQUESTS)
    limits = httpx.Limits(max_connections=MAX_REQUESTS)
    with httpx.Client(base_url=service.url, timeout=60, limits=limits, **service.options) as client:

        def get(_: int) -> httpx.Response:
            barrier.wait(60)
            return client.get("/metrics", headers=OPENMETRICS)

        with ThreadPoolExecutor(MAX_REQUESTS) as pool:
            answers = list(pool.map(get, range(MAX_REQUESTS)))
    assert {answer.status_code for answer in answers} == {200}
    for answer in answers[::20]:
        assert Scrape(answer.text).sum("copy_exporter_scrape_success", collector="processes") == 1
    assert len({answer.text for answer in answers}) < MAX_REQUESTS * 3 / 4, "concurrent scrapes share an exposition"


@pytest.mark.parametrize("line", [b"X-Filler: " + b"x" * 10_000_000, b"X: y\r\n" * 1_700_000, b"x" * 10_000_000])
def test_ten_megabytes_of_headers(connect: Connect, line: bytes) -> None:
    client = connect()
    client.send(REQUEST + line)
    assert client.receive().startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(("size", "status"), [(MAX_HEADER_BYTES - 1000, 200), (2 * MAX_HEADER_BYTES, 431)])
def test_headers_around_the_limit(service: ExporterProcess, size: int, status: int) -> None:
    with httpx.Client(base_url=service.url, timeout=10, **service.options) as client:
        assert client.get("/metrics", headers={"x-filler": "x" * size}).status_code == status


@pytest.mark.parametrize("header", [b"Content-Length: 1000000000", b"Transfer-Encoding: chunked"])
def test_the_service_does_not_wait_for_bodies(connect: Connect, header: bytes) -> None:
    client = connect()
    client.send(REQUEST + header + b"\r\n\r\n")
    assert client.receive().startswith(b"HTTP/1.1 413 ")


TLS_RECORD = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
"""The start of a handshake whose rest does not arrive."""
MALFORMED = {
    b"\r\n" * 100: 400,
    b"\0" * 1000: 400,
    b"GET\r\n\r\n": 400,
    b"GET / HTTP/9.9\r\n\r\n": 200,
    b"GET / HTTP/1.1\r\n\r\n": 400,
    b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n": 400,
    b"GET / HTTP/1.1\nHost: a\n: b\n\n": 400,
    b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n": 200,
    b"GET /%ff%00%zz HTTP/1.1\r\nHost: a\r\n\r\n": 404,
    b"GET http://elsewhere/ HTTP/1.1\r\nHost: a\r\n\r\n": 404,
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: \xff\xfe\r\nAccept-Encoding: \xff\r\n\r\n": 200,
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: \xff\xfe\r\n\r\n": 200,
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n": 400,
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n": 400,
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nzz": 413,
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n": 200,
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n": 200,
    b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n": 404,
    b"OPTIONS * HTTP/1.1\r\nHost: *\r\n\r\n": 404,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": 404,
    TLS_RECORD: 400,
}
"""Requests, and the status that they get when no password is needed."""


def test_malformed_requests(service: ExporterProcess, connect: Connect) -> None:
    """Those that h11 or a limit does not refuse reach the application, which first asks for a password."""
    is_https = service.url.startswith("https")
    for request, status in MALFORMED.items():
        expected = status if status in (400, 413) or not is_https else 401
        client = connect()
        client.send(request)
        assert client.socket.recv(13) == b"HTTP/1.1 %d " % expected, request
        if is_https:
            without_tls = connect(tls=False)
            without_tls.send(request)
            if request == TLS_RECORD:
                without_tls.socket.settimeout(PAUSE_SECONDS)
            assert without_tls.receive() == b"", request


def test_random_bytes(connect: Connect) -> None:
    """400, as for each control character at the beginning, or no answer while the headers have no end."""
    answers = []
    for first in range(0, 256, 13):
        client = connect()
        client.send(bytes([first]) + os.urandom(399))
        client.socket.settimeout(PAUSE_SECONDS)
        answers.append(client.receive()[:13])
    assert set(answers) <= {b"HTTP/1.1 400 ", b""}
    assert b"HTTP/1.1 400 " in answers


def test_connections_that_are_reset_during_a_scrape(service: ExporterProcess) -> None:
    for number in range(100):
        client = RawClient(service)
        client.send(SCRAPE)
        if number % 2:
            assert client.socket.recv(13) == b"HTTP/1.1 200 "
        client.reset()


def test_connections_without_a_request(service: ExporterProcess) -> None:
    """A thousand TLS connections leave cycles of objects that the garbage collector has to find."""
    for _ in range(1000):
        RawClient(service).socket.close()
