"""The live rates of a real service: equal to the metrics, one reading for all viewers, and no effect on scrapes."""

import json
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.web.viewers import MAX_VIEWERS
from tests.support.exporter_process import ExporterProcess
from tests.support.scrape import Scrape
from tests.support.scrape_recorder import ScrapeRecorder
from tests.support.wait import wait_until
from tests.support.watched_connection import BYTES, CALLS, HOST_BYTES, RECVMMSG, WatchedConnection

from .movers import Mover, agree, births, born_bytes
from .web_config_files import PASSWORD, USER, WebConfigFiles

Start = Callable[..., ExporterProcess]
Move = Callable[..., Mover]
PATH, STREAM = "/api/v1/live", "/api/v1/live/stream"


class Viewer:
    """A client of the stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def events(self) -> Iterator[dict[str, Any]]:
        """The rates until the end of the stream."""
        for line in self._lines:
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))

    def event(self) -> dict[str, Any]:
        """The next rates."""
        return next(self.events())


@contextmanager
def watch(service: ExporterProcess) -> Iterator[Viewer]:
    client = httpx.Client(timeout=20, base_url=service.url, **service.options)
    with client, client.stream("GET", STREAM) as response:
        yield Viewer(response)


def moved(rates: dict[str, Any], pid: int, connection: WatchedConnection) -> int:
    """Bytes that a process has moved on the connection in the interval of these rates."""
    hops = [hop for process in rates["processes"] if process["pid"] == str(pid) for hop in process["hops"]]
    of_port = [hop["bytes_per_second"] for hop in hops if hop["port"] == connection.port]
    return round(sum(of_port) * rates["interval_seconds"])


def test_it_equals_the_metrics(start: Start, move: Move, connection: WatchedConnection) -> None:
    service, mover = start(), move()
    mover.move(1)
    with watch(service) as viewer:
        first = viewer.event()
        mover.move(1000)
        while not (seen := moved(rates := viewer.event(), mover.pid, connection)):
            pass
        assert seen == 1000
        assert Scrape(service.metrics()).sum(BYTES, pid=str(mover.pid), port=connection.label) == 1001
    (process,) = [process for process in rates["processes"] if process["pid"] == str(mover.pid)]
    assert process["comm"] == "mover"
    (hop,) = [hop for hop in process["hops"] if hop["port"]]
    assert (hop["syscall"], hop["source"], hop["port"]) == ("recvmmsg", "tcp", connection.port)
    assert 0.5 < rates["interval_seconds"] < 5
    for answer in (first, rates):
        total = answer["totals"]["moved_bytes_per_second"]
        assert sum(hop["bytes_per_second"] for hop in answer["hops"]) == pytest.approx(total)
        assert sum(sum(process["mechanisms"].values()) for process in answer["processes"]) == pytest.approx(total)


def test_the_host_total_is_that_of_the_metrics(
    start: Start, workload: Callable[[str], Path], connection: WatchedConnection
) -> None:
    """Of processes that no reading sees alive, too."""
    service = start()
    with watch(service) as viewer:
        viewer.event()
        before = Scrape(service.metrics()).sum(HOST_BYTES, **RECVMMSG)
        count, seen = 300, 0.0
        births(workload("births"), connection, count).wait(60)
        truth = born_bytes(count)
        deadline = time.monotonic() + 20
        while seen < truth and time.monotonic() < deadline:
            rates = viewer.event()
            received = [hop for hop in rates["hops"] if (hop["source"], hop["destination"]) == ("tcp", "user")]
            seen += sum(hop["bytes_per_second"] for hop in received) * rates["interval_seconds"]
        assert Scrape(service.metrics()).sum(HOST_BYTES, **RECVMMSG) - before >= truth
        assert seen >= truth - 1, "other processes may receive too"


def test_processes_that_end_within_a_reading_keep_their_name(start: Start, tmp_path: Path) -> None:
    """Each lives for some milliseconds, so that no reading finds it in /proc; every byte has its name nevertheless."""
    service, name, size, count = start(), "short-lived", 100_000, 40
    program = tmp_path / name
    shutil.copy("/usr/bin/head", program)
    with watch(service) as viewer:
        viewer.event()
        seen: Counter[str] = Counter()
        for _ in range(count):
            subprocess.run([program, "-c", str(size), "/dev/zero"], stdout=subprocess.DEVNULL, check=True)
            time.sleep(0.05)
        for rates in (viewer.event() for _ in range(6)):
            for process in rates["processes"]:
                if process["comm"] == name:
                    hops = [hop for hop in process["hops"] if (hop["source"], hop["destination"]) == ("device", "user")]
                    moved = sum(hop["bytes_per_second"] for hop in hops) * rates["interval_seconds"]
                    seen[process["pid"]] += round(moved)
            total = sum(sum(process["mechanisms"].values()) for process in rates["processes"])
            assert total == pytest.approx(rates["totals"]["moved_bytes_per_second"])
    assert seen["ended"] > 0.9 * sum(seen.values())
    assert count * size <= sum(seen.values()) < count * (size + 100), "the program itself reads some bytes too"


def series_of(service: ExporterProcess, connection: WatchedConnection) -> dict[Any, float]:
    """The counters of the connection's port, with their values."""
    scrape = Scrape(service.metrics())
    return {key: scrape.values[key] for key in scrape.counters if ("port", connection.label) in key[1]}


def test_a_viewer_changes_nothing(
    start: Start, move: Move, workload: Callable[[str], Path], connection: WatchedConnection
) -> None:
    """Two services count the same processes; one of them has viewers. Their scrapes show the same series."""
    watched, alone = start(), start()
    recorders = {watched: ScrapeRecorder(), alone: ScrapeRecorder()}
    for service, recorder in recorders.items():
        recorder.add_text(service.metrics())
    with watch(watched) as viewer:
        viewer.event()
        mover = move()
        mover.move(77)
        while not moved(viewer.event(), mover.pid, connection):
            pass
        mover.end()  # the viewer has seen it, and no scrape has
        births(workload("births"), connection, 50).wait(60)
        staying = move()
        staying.move(5)
        for _ in range(3):
            viewer.event()
        total = 77 + born_bytes(50) + 5
        for service, recorder in recorders.items():
            agree(service, recorder, connection, 52, total)
            scrape = recorder.add_text(service.metrics())
            assert scrape.series(CALLS, pid=str(mover.pid)) == []
            assert scrape.sum(BYTES, pid="other", port=connection.label) == 77 + born_bytes(50)
            assert scrape.sum(BYTES, pid=str(staying.pid), port=connection.label) == 5
        assert series_of(watched, connection) == series_of(alone, connection)


def test_at_most_ten_viewers_with_one_reading(start: Start) -> None:
    service = start()
    with ExitStack() as stack:
        viewers = [stack.enter_context(watch(service)) for _ in range(MAX_VIEWERS)]
        times = [{viewer.event()["time_seconds"] for _ in range(3)} for viewer in viewers]
        assert len(set().union(*times)) <= 5, "they share their readings"
        for path in (PATH, STREAM):
            answer = service.get(path)
            assert (answer.status_code, answer.text.count("\n")) == (503, 1)
        assert service.get("/metrics").status_code == 200
        assert service.get("/").status_code == 200
    wait_until(lambda: service.get(PATH).status_code == 200, "a place")


def test_nothing_runs_without_viewers(start: Start) -> None:
    service = start()
    first = service.get(PATH).json()
    began = time.monotonic()
    second = service.get(PATH).json()
    assert time.monotonic() - began > 0.8, "it took two readings of its own"
    assert second["time_seconds"] - first["time_seconds"] > 0.9
    assert second["host"]["metrics_path"] == "/metrics"


def test_a_viewer_that_never_reads(start: Start) -> None:
    service = start("--web.max-requests", "1")
    with ExitStack() as stack:
        for _ in range(MAX_VIEWERS - 1):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.connect(("127.0.0.1", service.port))
            client.sendall(f"GET {STREAM} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        with watch(service) as viewer:
            for _ in range(3):
                viewer.event()
                assert service.metrics()


def test_fifty_viewers_and_one_that_never_reads(start: Start) -> None:
    """Ten have places, the others are told so, and every scrape is answered in time."""
    service = start()
    with ExitStack() as stack:
        never = stack.enter_context(socket.create_connection(("127.0.0.1", service.port)))
        never.sendall(f"GET {STREAM} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        assert never.recv(12) == b"HTTP/1.1 200"
        viewers = [stack.enter_context(watch(service)) for _ in range(50)]
        statuses = Counter(viewer.response.status_code for viewer in viewers)
        assert statuses == {200: MAX_VIEWERS - 1, 503: 50 - MAX_VIEWERS + 1}
        for _ in range(5):
            began = time.monotonic()
            assert service.metrics()
            assert time.monotonic() - began < 5
            assert all(viewer.event() for viewer in viewers if viewer.response.status_code == 200)


def test_sigterm_does_not_wait_for_viewers(start: Start) -> None:
    service = start()
    with watch(service) as viewer:
        viewer.event()
        began = time.monotonic()
        assert service.terminate() == 0
        assert time.monotonic() - began < 1.8, "less than the time for unfinished answers"
    assert "Traceback" not in service.log()


def test_the_stream_of_a_removed_user_ends(start: Start) -> None:
    with WebConfigFiles() as files:
        config = files.write_config({USER: PASSWORD, "staying": PASSWORD})
        service = start("--web.config.file", str(config), client=files.client_options())
        assert httpx.get(service.url + STREAM, verify=service.options["verify"]).status_code == 401
        with watch(service) as viewer:
            viewer.event()
            files.write_config({"staying": PASSWORD})
            assert len(list(viewer.events())) < 10
        assert "Traceback" not in service.log()


def test_without_the_live_page(start: Start) -> None:
    service = start("--web.disable-ui")
    assert "<td>syscalls</td>" in service.get("/").text
    for path in (PATH, STREAM, "/ui/index.html"):
        assert service.get(path).status_code == 404
    assert service.get("/openapi.json").json()["paths"].keys() == {"/metrics", "/-/healthy", "/-/ready"}
