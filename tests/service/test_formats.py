"""The exposition as servers and tools read it: formats, compression, lints; and the other pages."""

import gzip
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.loading.probes import DEFAULT_PROBE_NAMES
from tests.support.exporter_process import OPENMETRICS, ExporterProcess
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


def test_what_a_real_prometheus_asks_for(service: ExporterProcess) -> None:
    for accept in (
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.4,*/*;q=0.3",
        "application/vnd.google.protobuf;q=0.9,*/*",
        "nonsense;;;",
        "",
    ):
        answer = service.get("/a/metrics", headers={"accept": accept})
        assert answer.status_code == 200
        is_openmetrics = answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n") is is_openmetrics


@pytest.mark.parametrize("accept", [{}, OPENMETRICS])
def test_gzip_by_negotiation(service: ExporterProcess, accept: dict[str, str]) -> None:
    headers = {**accept, "accept-encoding": "gzip"}
    with service.client.stream("GET", "/a/metrics", headers=headers) as answer:
        packed = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["content-length"] == str(len(packed))
    assert b'copy_exporter_scrape_success{collector="processes"} 1' in gzip.decompress(packed)
    plain = service.get("/a/metrics", headers={**accept, "accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert len(packed) < len(plain.content) / 4


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
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, text=True, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_created_lies_between_start_and_now(start: Callable[..., ExporterProcess], move: Callable[..., Mover]) -> None:
    service = start()
    began = time.time()
    mover = move()
    mover.move(10)
    scrape = Scrape(service.metrics())
    times = [when for (_, own), when in scrape.created.items() if ("pid", str(mover.pid)) in own]
    assert times
    for when in times:
        assert began - 0.1 <= when <= time.time() + 0.1
    mine = [when for (_, own), when in scrape.created.items() if ("pid", str(os.getpid())) in own]
    assert all(when <= time.time() for when in mine)


def test_calls_with_and_without_zero_copy_are_one_series(
    start: Callable[..., ExporterProcess], connection: WatchedConnection
) -> None:
    """Prometheus takes no series twice: what differs in the mechanism alone is one count of calls."""
    service = start()
    connection.server.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
    for flag in (0, MSG_ZEROCOPY, 0, MSG_ZEROCOPY):
        connection.server.send(bytes(MAX_BYTES // 8), flag)
    port = {"port": connection.label, "syscall": "sendto", "pid": str(os.getpid())}
    for scrape in (Scrape(service.metrics()), Scrape(service.metrics())):
        assert len(scrape.series(CALLS, **port)) == 1
        assert scrape.sum(CALLS, **port) == 4
        assert scrape.sum(BYTES, mechanism="cpu", **port) == MAX_BYTES // 4
        assert scrape.sum(BYTES, mechanism="zero_copy", **port) == MAX_BYTES // 4
        assert len(scrape.series(HOST_CALLS, syscall="sendto", source="user", destination="tcp")) == 1


def test_head(service: ExporterProcess) -> None:
    answer = service.client.head("/a/metrics")
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert int(answer.headers["content-length"]) > 1000


def test_landing_page_names_every_probe(service: ExporterProcess) -> None:
    answer = service.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert "/a/metrics" in answer.text
    assert answer.text.count("<td>attached</td>") == len(DEFAULT_PROBE_NAMES)
    for name in DEFAULT_PROBE_NAMES:
        assert f"<td>{name}</td>" in answer.text


def test_health_readiness_and_documentation(service: ExporterProcess) -> None:
    for path, says in (("/-/healthy", "healthy"), ("/-/ready", "ready"), ("/docs", "swagger")):
        answer = service.get(path)
        assert answer.status_code == 200
        assert says in answer.text.lower()
    described = service.get("/openapi.json").json()["paths"]
    assert {"/a/metrics", "/-/healthy", "/-/ready"} <= described.keys()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/metrics", 404),
        ("GET", "/nothing", 404),
        ("GET", "/a/../etc/passwd", 404),
        ("POST", "/a/metrics", 405),
        ("DELETE", "/-/healthy", 405),
    ],
)
def test_what_is_not_there(service: ExporterProcess, method: str, path: str, status: int) -> None:
    answer = service.client.request(method, path, follow_redirects=True)
    assert answer.status_code == status
    assert "Traceback" not in service.log()


def test_run_statistics_when_asked_for(start: Callable[..., ExporterProcess]) -> None:
    scrape = Scrape(start("--probe.stats").metrics())
    assert scrape.sum("copy_exporter_probe_runs_total", probe="syscalls") > 0
    assert scrape.sum("copy_exporter_probe_run_seconds_total", probe="syscalls") > 0
