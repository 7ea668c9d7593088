"""Clients that dribble, flood, cut off and speak nonsense: the next scrape is right, and nothing grows."""

import os
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

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

from .secrets import PASSWORD, USER, Secrets

MAX_REQUESTS = 200
PLACES = MAX_REQUESTS + CONNECTIONS_BESIDE_SCRAPES
GROWTH_KB = 48 * 1024
THREADS = 60
"""Those of asyncio's and of FastAPI's pools, at most."""
PAUSE_SECONDS = 0.1
"""How long is listened to a service that waits for more."""
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: here\r\n"


@pytest.fixture(scope="module")
def secrets() -> Iterator[Secrets]:
    made = Secrets()
    made.write({USER: PASSWORD})
    yield made
    made.close()


@pytest.fixture(scope="module")
def long_connection() -> Iterator[WatchedConnection]:
    opened = WatchedConnection()
    yield opened
    opened.close()


@pytest.fixture(scope="module", params=["http", "https"])
def service(
    request: pytest.FixtureRequest, secrets: Secrets, long_connection: WatchedConnection
) -> Iterator[ExporterProcess]:
    """The same for all tests: what one leaves behind, the next would see."""
    flags = ("--web.config.file", str(secrets.config)) if request.param == "https" else ()
    client = secrets.client() if request.param == "https" else {"verify": False}
    with ExporterProcess(*long_connection.flags, *flags, client=client) as started:
        for _ in range(3):
            started.metrics()
        yield started


class Stranger:
    """A client of bare bytes, without a certificate or a password."""

    def __init__(self, service: ExporterProcess, *, silent: bool = False) -> None:
        """``silent``: where TLS is spoken, do not even begin with it."""
        self.socket = socket.create_connection(("127.0.0.1", service.port), timeout=30)
        if service.url.startswith("https") and not silent:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)

    def say(self, words: bytes) -> None:
        """As much of it as the service takes."""
        with suppress(OSError):
            self.socket.sendall(words)

    def hear(self) -> bytes:
        """All until the service closes; nothing when it breaks off."""
        heard = b""
        with suppress(OSError):
            while part := self.socket.recv(65536):
                heard += part
        return heard

    def is_out(self) -> bool:
        """Whether the service has closed; takes in what it says until then."""
        self.socket.settimeout(0)
        try:
            while self.socket.recv(65536):
                pass
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        return True

    def vanish(self) -> None:
        """Without a farewell: a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def descriptors(service: ExporterProcess) -> int:
    return len(os.listdir(f"/proc/{service.pid}/fd"))


def scrape(service: ExporterProcess) -> Scrape:
    """By a new client, who is not kept waiting."""
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
    assert resident_kib(service.pid) < memory + GROWTH_KB
    assert int(service.status()["Threads"]) < THREADS
    assert "Traceback" not in service.log()
    assert "level=error" not in service.log()


@pytest.fixture
def strangers() -> Iterator[list[Stranger]]:
    came: list[Stranger] = []
    yield came
    for stranger in came:
        stranger.socket.close()


def test_slow_loris(service: ExporterProcess, strangers: list[Stranger]) -> None:
    """Twice as many as there are places, while scrapes go on; none of them is waited for."""
    base = descriptors(service)
    for round_ in range(4):
        for number in range(PLACES // 2):
            silent = number % 2 == 0
            strangers.append(Stranger(service, silent=silent))
            if not silent:
                strangers[-1].say(REQUEST[: 5 + round_])
        scrape(service)
        assert descriptors(service) <= base + PLACES
    for _ in range(20):  # a connection that was good once is not waited for longer
        strangers.append(Stranger(service))
        strangers[-1].say(REQUEST + b"\r\n")
        assert strangers[-1].socket.recv(8) == b"HTTP/1.1"
        strangers[-1].say(b"GET")
    wait_until(lambda: all(one.is_out() for one in strangers), "patience ends", REQUEST_SECONDS + 15)


def test_readers_that_do_not_read(service: ExporterProcess, strangers: list[Stranger]) -> None:
    """Pipelined, so that their answers do not fit into what the kernel takes for them."""
    for _ in range(30):
        strangers.append(Stranger(service))
        strangers[-1].say((REQUEST + b"\r\n") * 50)
    for _ in range(5):
        scrape(service)


def test_two_hundred_scrapes_at_a_time(service: ExporterProcess) -> None:
    together = threading.Barrier(MAX_REQUESTS)
    limits = httpx.Limits(max_connections=MAX_REQUESTS)
    with httpx.Client(base_url=service.url, timeout=60, limits=limits, **service.options) as client:

        def ask(_: int) -> httpx.Response:
            together.wait(60)
            return client.get("/metrics", headers=OPENMETRICS)

        with ThreadPoolExecutor(MAX_REQUESTS) as pool:
            answers = list(pool.map(ask, range(MAX_REQUESTS)))
    assert {answer.status_code for answer in answers} == {200}
    for answer in answers[::20]:
        assert Scrape(answer.text).sum("copy_exporter_scrape_success", collector="processes") == 1
    assert len({answer.text for answer in answers}) < MAX_REQUESTS * 3 / 4, "those that come together share one"


def test_headers_of_ten_megabytes(service: ExporterProcess, strangers: list[Stranger]) -> None:
    for filler in (b"X-Filler: " + b"x" * 10_000_000, b"X: y\r\n" * 1_700_000, b"x" * 10_000_000):
        stranger = Stranger(service)
        strangers.append(stranger)
        stranger.say(REQUEST + filler)
        assert stranger.hear().startswith((b"HTTP/1.1 400 ", b"")), "or it has broken off"


def test_headers_up_to_the_limit(service: ExporterProcess) -> None:
    for size, statuses in ((MAX_HEADER_BYTES - 1000, (200,)), (2 * MAX_HEADER_BYTES, (400, 431))):
        with httpx.Client(base_url=service.url, timeout=10, **service.options) as client:
            assert client.get("/metrics", headers={"x-filler": "x" * size}).status_code in statuses


@pytest.mark.parametrize("headers", [{"content-length": "1000000000"}, {"transfer-encoding": "chunked"}])
def test_bodies_are_not_waited_for(service: ExporterProcess, headers: dict[str, str]) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    stranger = Stranger(service)
    stranger.say(REQUEST + lines.encode() + b"\r\n")
    assert stranger.hear().startswith(b"HTTP/1.1 413 ")
    stranger.socket.close()


NONSENSE = (
    b"\r\n" * 100,
    b"\0" * 1000,
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n: b\n\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
    b"GET /%ff%00%zz HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://elsewhere/ HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: \xff\xfe\r\nAccept-Encoding: \xff\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: \xff\xfe\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nzz",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: *\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
)


def test_nonsense(service: ExporterProcess) -> None:
    """Answered, or broken off, but nothing else; also in clear where TLS is spoken."""
    for number, words in enumerate((*NONSENSE, *NONSENSE, *(os.urandom(400) for _ in range(20)))):
        stranger = Stranger(service, silent=number < len(NONSENSE))
        stranger.say(words)
        stranger.socket.settimeout(PAUSE_SECONDS)
        heard = stranger.hear()
        assert not heard or heard.startswith((b"HTTP/1.1 ", b"\x15\x03")), (words, heard)  # an alert of TLS
        assert b"HTTP/1.1 5" not in heard, (words, heard)
        stranger.socket.close()


def test_scrapes_that_are_cut_off(service: ExporterProcess) -> None:
    for number in range(100):
        stranger = Stranger(service)
        stranger.say(REQUEST + b"\r\n")
        if number % 2:
            stranger.socket.recv(1)
        stranger.vanish()


def test_connections_that_come_and_go(service: ExporterProcess) -> None:
    """Nothing is left of a thousand: TLS makes cycles of objects, that the collector has to find."""
    for _ in range(1000):
        Stranger(service).socket.close()
