"""The exposition as Prometheus and its tools read it: formats, compression, lint; and the other pages."""

import gzip
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.loading.probes import DEFAULT_PROBE_NAMES
from tests.support.exporter_process import OPENMETRICS, ExporterProcess
from tests.support.promtool import check_metrics
from tests.support.scrape import Scrape
from tests.support.watched_connection import BYTES, CALLS, HOST_CALLS, MAX_BYTES, WatchedConnection

from .movers import Mover

SO_ZEROCOPY, MSG_ZEROCOPY = 60, 0x4000000


@pytest.fixture(scope="module")
def service() -> Iterator[ExporterProcess]:
    with ExporterProcess("--web.telemetry-path", "/a/metrics") as started:
        yield started


def test_text_by_default(service: ExporterProcess) -> None:
    answer = service.get("/a/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {
        "copy_syscalls",
        "copy_host_syscalls",
        "copy_exporter_probe_attached",
        "copy_exporter_scrape_success",
    } <= families
    assert "_created" not in answer.text
    assert "# EOF" not in answer.text


def test_openmetrics_when_asked_for(service: ExporterProcess) -> None:
    answer = service.get("/a/metrics", headers=OPENMETRICS)
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert Scrape(answer.text).sum("copy_exporter_scrape_success", collector="processes") == 1


@pytest.mark.parametrize(
    ("accept", "is_openmetrics"),
    [
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
            "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            True,
        ),
        ("text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.4,*/*;q=0.3", False),
        ("application/vnd.google.protobuf;q=0.9,*/*", False),
        ("nonsense;;;", False),
        ('application/openmetrics-text;version="1.0.0"', False),
        ('text/plain;version="1.0.0"', False),
        ("application/openmetrics-text;version=abc", False),
        ("application/openmetrics-text;version=1..0", False),
        ("text/plain;version=abc", False),
        ("application/openmetrics-text;version=2.0.0", False),
        ("application/openmetrics-text;version=1.0.0;q=0", False),
        ("", False),
    ],
)
def test_negotiation(service: ExporterProcess, accept: str, is_openmetrics: bool) -> None:
    """Also with the headers that releases of Prometheus send."""
    answer = service.get("/a/metrics", headers={"accept": accept})
    assert answer.status_code == 200
    expected = "application/openmetrics-text; version=1.0.0" if is_openmetrics else "text/plain; version=0.0.4"
    assert answer.headers["content-type"] == f"{expected}; charset=utf-8"
    assert answer.text.endswith("# EOF\n") is is_openmetrics


def test_gzip_of_quality_zero_is_not_sent(service: ExporterProcess) -> None:
    assert "content-encoding" not in service.get("/a/metrics", headers={"accept-encoding": "gzip;q=0"}).headers


@pytest.mark.parametrize("accept", [{}, OPENMETRICS])
def test_gzip_by_negotiation(service: ExporterProcess, accept: dict[str, str]) -> None:
    headers = {**accept, "accept-encoding": "gzip"}
    with service.client.stream("GET", "/a/metrics", headers=headers) as answer:
        body = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["content-length"] == str(len(body))
    assert b'copy_exporter_scrape_success{collector="processes"} 1' in gzip.decompress(body)
    plain = service.get("/a/metrics", headers={**accept, "accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert len(body) < len(plain.content) / 4


def test_promtool_accepts_it(
    start: Callable[..., ExporterProcess], move: Callable[..., Mover], connection: WatchedConnection
) -> None:
    service, mover = start("--probe.stats"), move()
    mover.move(1)
    with Path(__file__).open("rb") as file:
        assert os.sendfile(connection.server.fileno(), file.fileno(), 0, 100) == 100
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.read(1 << 20, 1)
    text = service.metrics(openmetrics=False)
    for family in (
        "copy_sendfile_duration_seconds_bucket",
        "copy_syscall_errors_total",
        "copy_exporter_probe_runs_total",
    ):
        assert f"\n{family}{{" in text
    check_metrics(text)


def test_created_is_the_time_of_the_first_count(
    start: Callable[..., ExporterProcess], move: Callable[..., Mover]
) -> None:
    """Also for this process, which is older than the service."""
    earliest = {os.getpid(): time.time()}
    service = start()
    mover = move()
    earliest[mover.pid] = time.time()
    mover.move(10)
    scrape = Scrape(service.metrics())
    for pid, start_time in earliest.items():
        created = [time_ for (_, labels), time_ in scrape.created.items() if ("pid", str(pid)) in labels]
        assert created
        assert start_time - 0.1 <= min(created)
        assert max(created) <= time.time() + 0.1


def test_calls_with_and_without_zero_copy_are_one_series(
    start: Callable[..., ExporterProcess], connection: WatchedConnection
) -> None:
    """Calls have no label mechanism: both kinds count in one series, which Prometheus would refuse to see twice."""
    service = start()
    connection.server.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
    for flag in (0, MSG_ZEROCOPY, 0, MSG_ZEROCOPY):
        connection.server.send(bytes(MAX_BYTES // 8), flag)
    labels = {"port": connection.label, "syscall": "sendto", "pid": str(os.getpid())}
    for scrape in (Scrape(service.metrics()), Scrape(service.metrics())):
        assert len(scrape.series(CALLS, **labels)) == 1
        assert scrape.sum(CALLS, **labels) == 4
        assert scrape.sum(BYTES, mechanism="cpu", **labels) == MAX_BYTES // 4
        assert scrape.sum(BYTES, mechanism="zero_copy", **labels) == MAX_BYTES // 4
        assert len(scrape.series(HOST_CALLS, syscall="sendto", source="user", destination="tcp")) == 1


def test_head(service: ExporterProcess) -> None:
    answer = service.client.head("/a/metrics")
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert int(answer.headers["content-length"]) > 1000


def test_landing_page_lists_every_probe(start: Callable[..., ExporterProcess]) -> None:
    answer = start("--web.disable-ui", "--web.telemetry-path", "/a/metrics").get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert "/a/metrics" in answer.text
    assert answer.text.count("<td>attached</td>") == len(DEFAULT_PROBE_NAMES)
    for name in DEFAULT_PROBE_NAMES:
        assert f"<td>{name}</td>" in answer.text


def test_health_readiness_and_description(service: ExporterProcess) -> None:
    assert service.get("/-/healthy").text == "copy-exporter is healthy\n"
    assert service.get("/-/ready").text == "copy-exporter is ready\n"
    paths = service.get("/openapi.json").json()["paths"].keys()
    assert paths == {"/a/metrics", "/-/healthy", "/-/ready", "/api/v1/live", "/api/v1/live/stream"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/metrics", 404),
        ("GET", "/nothing", 404),
        ("GET", "/docs", 404),
        ("GET", "/redoc", 404),
        ("GET", "/a/metrics/", 404),
        ("GET", "/a/../etc/passwd", 404),
        ("POST", "/a/metrics", 405),
        ("DELETE", "/-/healthy", 405),
    ],
)
def test_unknown_paths_and_methods(service: ExporterProcess, method: str, path: str, status: int) -> None:
    answer = service.client.request(method, path, follow_redirects=True)
    assert answer.status_code == status
    assert "Traceback" not in service.log()


def test_no_page_loads_anything_from_another_host(service: ExporterProcess) -> None:
    page = service.get("/").text
    loaded = re.findall(r"""(?:src|href)=["']?([^"' >]+)""", page)
    assert "/ui/page.js" in loaded
    assert all(re.match(r"/(?!/)", path) for path in loaded)
    assert re.findall(r"<script(?![^>]* src=)", page) == []


def test_no_redirect_to_the_host_header(service: ExporterProcess) -> None:
    answer = service.client.get("/a/metrics/", headers={"host": "elsewhere.example"}, follow_redirects=False)
    assert (answer.status_code, answer.headers.get("location")) == (404, None)


def test_probe_stats(start: Callable[..., ExporterProcess]) -> None:
    scrape = Scrape(start("--probe.stats").metrics())
    assert scrape.sum("copy_exporter_probe_runs_total", probe="syscalls") > 0
    assert scrape.sum("copy_exporter_probe_run_seconds_total", probe="syscalls") > 0
