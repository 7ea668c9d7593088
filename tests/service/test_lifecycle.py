"""Start and end of the service: it ends in time, nothing stays attached, and the next one counts from zero."""

import ctypes as ct
import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter.kernel import libbpf
from tests.support.exporter_process import COMMAND, SERVE, ExporterProcess
from tests.support.namespaces import HIDEPID, WITHOUT_TRACEPOINTS
from tests.support.scrape import Scrape
from tests.support.scrape_recorder import ScrapeRecorder
from tests.support.wait import wait_until
from tests.support.watched_connection import BYTES, CALLS, WatchedConnection

from .movers import Mover, agree

Start = Callable[..., ExporterProcess]
Move = Callable[..., Mover]
END_SECONDS = 5
BUSY_END_SECONDS = 2
_KINDS = {"prog_id": "bpf_prog_get_fd_by_id", "map_id": "bpf_map_get_fd_by_id"}
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n"


def kernel_objects(pid: int) -> set[tuple[str, int]]:
    """Ids of the programs and maps that a process holds."""
    found = set()
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        found |= {(kind, int(number)) for kind, number in re.findall(r"^(\w+_id):\s+(\d+)", entry.read_text(), re.M)}
    return {(kind, number) for kind, number in found if kind in _KINDS}


def exists(kernel_object: tuple[str, int]) -> bool:
    kind, number = kernel_object
    descriptor = getattr(libbpf.library(), _KINDS[kind])(ct.c_uint32(number))
    if descriptor >= 0:
        os.close(descriptor)
        return True
    assert -descriptor == errno.ENOENT, os.strerror(-descriptor)
    return False


def all_gone(objects: set[tuple[str, int]]) -> bool:
    return not any(exists(kernel_object) for kernel_object in objects)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_attached(
    start: Start, move: Move, connection: WatchedConnection, number: signal.Signals
) -> None:
    service, mover = start(), move()
    mover.move(1000)
    objects = kernel_objects(service.pid)
    assert {kind for kind, _ in objects} == set(_KINDS)
    assert all(exists(kernel_object) for kernel_object in objects)
    assert (service.terminate() if number is signal.SIGTERM else service.kill()) == (
        0 if number is signal.SIGTERM else -number
    )
    wait_until(lambda: all_gone(objects), "programs and maps are gone")
    again, recorder = start(), ScrapeRecorder()
    assert Scrape(again.metrics()).sum(BYTES, port=connection.label) == 0
    mover.move(10)
    agree(again, recorder, connection, 1, 10)


@pytest.fixture
def _busy_cpus() -> Iterator[None]:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    yield
    for loop in loops:
        loop.kill()
        loop.wait()


@pytest.mark.usefixtures("_busy_cpus")
def test_ends_soon_on_a_busy_host(start: Start) -> None:
    """Where programs are on functions, the kernel needs a grace period to detach each of them."""
    service = start()
    started = time.monotonic()
    assert service.terminate() == 0
    seconds = time.monotonic() - started
    print(f"{seconds:.2f} s from SIGTERM to the end")
    assert seconds < BUSY_END_SECONDS


def test_interrupt_ends_it(start: Start) -> None:
    service = start()
    service.process.send_signal(signal.SIGINT)
    assert service.process.wait(END_SECONDS) == 130
    assert "Traceback" not in service.log()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_during_start(number: signal.Signals, status: int) -> None:
    command = [*SERVE, "--web.listen-address", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        tasks = Path(f"/proc/{process.pid}/task")
        wait_until(lambda: any((task / "children").read_text() for task in tasks.iterdir()), "the loader")
        process.send_signal(number)
        _, stderr = process.communicate(timeout=END_SECONDS * 2)
    assert "Traceback" not in stderr
    assert process.returncode == status, stderr
    assert stderr.strip() == ("copy-exporter: interrupted" if status else "")


def hung_scrapes(stack: ExitStack, port: int) -> None:
    """Clients that never finish: idle ones, one in the middle of a request, one that does not read its answers."""

    def client() -> socket.socket:
        return stack.enter_context(socket.create_connection(("127.0.0.1", port)))

    client()
    client().sendall(REQUEST[:20])
    idle = client()
    idle.sendall(REQUEST)
    assert idle.recv(15).startswith(b"HTTP/1.1 200")
    deaf = client()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.setblocking(False)
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        try:
            deaf.send(REQUEST * 100)
        except BlockingIOError:
            return
    pytest.fail("the service takes requests without end")


def test_sigterm_ends_quickly_while_scrapes_hang(start: Start) -> None:
    service = start()
    with ExitStack() as stack:
        hung_scrapes(stack, service.port)
        began = time.monotonic()
        assert service.terminate() == 0
        assert time.monotonic() - began < END_SECONDS
    assert "Traceback" not in service.log()


def test_two_at_once(start: Start, move: Move, connection: WatchedConnection) -> None:
    services = [(start(), ScrapeRecorder()), (start("--user", "daemon"), ScrapeRecorder())]
    mover = move()
    for count in (1, 20, 300):
        mover.move(count)
        for service, recorder in services:
            agree(service, recorder, connection, mover.calls, mover.bytes)
    services[0][0].terminate()
    mover.move(4000)
    agree(*services[1], connection, mover.calls, mover.bytes)


def test_serves_without_naming_the_command() -> None:
    with ExporterProcess(command=(COMMAND,)) as service:
        assert Scrape(service.metrics()).sum("copy_exporter_scrape_success", collector="processes") == 1


def test_log_in_json(start: Start) -> None:
    lines = [json.loads(line) for line in start("--log.format", "json").log().splitlines()]
    assert [line["msg"] for line in lines if line["msg"].startswith("listening on http://127.0.0.1:")]
    assert {frozenset(line) for line in lines} == {frozenset({"ts", "level", "msg"})}


def test_a_probe_left_out(start: Start, move: Move, connection: WatchedConnection) -> None:
    service, recorder, mover = start("--no-probe.sendfile", "--no-probe.sockets"), ScrapeRecorder(), move()
    mover.move(9)
    agree(service, recorder, connection, 1, 9)
    scrape = Scrape(service.metrics())
    assert not scrape.series("copy_sendfile_duration_seconds_count")
    assert scrape.sum("copy_exporter_probe_attached", probe="syscalls") == 1
    assert scrape.sum("copy_exporter_probe_attached", probe="sendfile") == 0
    assert scrape.sum("copy_kernel_copied_bytes_total") == 0


def test_a_probe_that_cannot_attach(start: Start, move: Move, connection: WatchedConnection) -> None:
    """The other probes count; the metrics, the page and the log show which one is missing."""
    service = start("--web.disable-ui", command=(*WITHOUT_TRACEPOINTS, *SERVE))
    recorder, mover = ScrapeRecorder(), move()
    mover.move(9)
    agree(service, recorder, connection, 1, 9)
    scrape = Scrape(service.metrics())
    assert scrape.sum("copy_exporter_probe_attached", probe="sendfile") == 0
    assert len(scrape.series("copy_exporter_probe_attached", probe="sendfile")) == 1
    assert scrape.sum("copy_exporter_probe_attached", probe="syscalls") == 1
    assert "missing: " in service.get("/").text
    (line,) = [line for line in service.log().splitlines() if "probe sendfile is not attached" in line]
    assert "level=warning" in line
    assert service.get("/-/ready").status_code == 200


def test_processes_that_procfs_hides(start: Start, move: Move, connection: WatchedConnection) -> None:
    """They count without their names; with one capability they have them."""
    services = [
        (start(command=(*HIDEPID, *SERVE)), ScrapeRecorder(), "unknown"),
        (start("--capabilities.keep", "CAP_SYS_PTRACE", command=(*HIDEPID, *SERVE)), ScrapeRecorder(), "mover"),
    ]
    mover = move()
    mover.move(10)
    for service, recorder, comm in services:

        def settled(service: ExporterProcess = service, recorder: ScrapeRecorder = recorder) -> bool:
            return bool(recorder.add_text(service.metrics()).series(CALLS, port=connection.label))

        wait_until(settled, "series of the mover")  # one that is hidden may be about to exit
        agree(service, recorder, connection, 1, 10)
        assert recorder.names(CALLS, "comm", port=connection.label) == {comm}
    assert "hides" in services[0][0].log()
    assert "hides" not in services[1][0].log()
