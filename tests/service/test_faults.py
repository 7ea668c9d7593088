"""Faults of a host: each is visible, and no count is wrong after it (docs/operations.md)."""

import errno
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.support.compiler import compile_c
from tests.support.exporter_process import COMMAND, OPENMETRICS, SERVE, ExporterProcess
from tests.support.namespaces import in_mount_namespace
from tests.support.ports import free_port
from tests.support.requirements import skip_for_kernel
from tests.support.scrape import Scrape
from tests.support.scrape_recorder import ScrapeRecorder
from tests.support.wait import wait_until
from tests.support.watched_connection import BYTES, CALLS, HOST_CALLS, RECVMMSG, WatchedConnection

from .conftest import WORKLOADS
from .movers import Mover, agree, births, born_bytes

Start = Callable[..., ExporterProcess]
Move = Callable[..., Mover]
DAY = 86400
DYNAMIC_LINKER = "/lib64/ld-linux-x86-64.so.2"
LIMIT_FILES = ("memory.limit_in_bytes", "memory.max")
"""The limit of a control group, version 1 and 2."""


def links(service: ExporterProcess, tracepoint: str) -> list[int]:
    """Descriptors of the service that keep a probe attached."""
    entries = Path(f"/proc/{service.pid}/fdinfo").iterdir()
    return [int(entry.name) for entry in entries if re.search(rf"^tp_name:\s+{tracepoint}$", entry.read_text(), re.M)]


def close_in(service: ExporterProcess, descriptor: int) -> None:
    """Close a descriptor of the service: a debugger puts this call in the place of the one that its main thread is in.

    (gdb's ``call`` would also write the vector registers, which Debian 12's cannot do on newer processors.)
    """
    close = ("orig_rax = -1", "pc = $pc - 2", "rax = 3", f"rdi = {descriptor}")
    interrupted = f"rax = -{errno.EINTR}"
    steps = (*(f"set ${register}" for register in close), "stepi", f"set ${interrupted}")
    command = ["gdb", "-nx", "-batch", "-p", str(service.pid), *(word for step in steps for word in ("-ex", step))]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    assert not Path(f"/proc/{service.pid}/fd/{descriptor}").exists()


def test_probe_detached(start: Start, move: Move, connection: WatchedConnection) -> None:
    """Only the service can detach a probe, here with a debugger: the next scrapes show it, and counters stop."""
    service, mover = start(), move()
    mover.move(1000)
    before = Scrape(service.metrics())
    assert before.sum("copy_exporter_probe_attached", probe="syscalls") == 1
    (number,) = links(service, "sys_exit")
    info = Path(f"/proc/{service.pid}/fdinfo/{number}").read_text()
    link = re.findall(r"^link_id:\s+(\d+)", info, re.M)[0]
    done = subprocess.run(["bpftool", "link", "detach", "id", link], capture_output=True, text=True, check=False)
    assert (done.returncode != 0, "not supported" in done.stderr) == (True, True)
    assert Scrape(service.metrics()).sum("copy_exporter_probe_attached", probe="syscalls") == 1
    close_in(service, number)
    mover.move(500)
    scrapes = [Scrape(service.metrics()) for _ in range(5)]
    assert scrapes[-1].sum("copy_exporter_probe_attached", probe="syscalls") == 0
    assert scrapes[-1].sum("copy_exporter_probe_attached", probe="exits") == 1
    assert scrapes[-1].sum(BYTES, port=connection.label) == before.sum(BYTES, port=connection.label) == 1000
    ready = service.get("/-/ready")
    assert ready.status_code == 503
    assert "restart" in ready.text
    assert service.log().count("has stopped counting") == 1


def test_proc_unmounted(start: Start, move: Move, connection: WatchedConnection) -> None:
    """Totals continue. Known processes keep their names; new ones count under comm="unknown"."""
    service, recorder, known = start(command=(*in_mount_namespace(), *SERVE)), ScrapeRecorder(), move()
    known.move(100)
    agree(service, recorder, connection, 1, 100)
    subprocess.run(["nsenter", f"--mount=/proc/{service.pid}/ns/mnt", "umount", "--lazy", "/proc"], check=True)
    known.move(10)
    newcomer = move()
    newcomer.move(1)
    hidden = {"port": connection.label, "pid": "other", "comm": "unknown"}
    wait_until(lambda: recorder.add_text(service.metrics()).sum(BYTES, **hidden) == 1, "the bytes of a hidden process")
    agree(service, recorder, connection, 3, 111)
    scrape = recorder.add_text(service.metrics())
    assert scrape.sum(BYTES, port=connection.label, pid=str(known.pid), comm="mover") == 110
    assert scrape.sum(BYTES, **hidden) == 1
    assert scrape.sum("copy_exporter_probe_attached", probe="syscalls") == 1
    newcomer.end()
    known.end()
    agree(service, recorder, connection, 3, 111)
    assert "Traceback" not in service.log()


def test_clock_jumps(start: Start, move: Move, connection: WatchedConnection, tmp_path: Path) -> None:
    """The wall clock of the service jumps: only its log and the header Date follow."""
    library = compile_c(WORKLOADS / "wall_clock.c", tmp_path / "wall_clock.so", "-shared", "-fPIC")
    offset = tmp_path / "offset"
    offset.write_bytes(bytes(8))
    # The exporter does not start with LD_PRELOAD; what the dynamic linker is told like this leaves no trace.
    command = (DYNAMIC_LINKER, "--preload", library, sys.executable, COMMAND, *SERVE[1:])
    environment = {"WALL_CLOCK_OFFSET": str(offset)}
    service = start("--process.linger", "5m", command=command, environment=environment)
    recorder, mover = ScrapeRecorder(), move()
    mover.move(100)
    ended = move()
    ended.move(7)
    before = recorder.add_text(service.metrics())
    ended.end()
    for days, moved in ((2, 10), (-2, 20)):
        with offset.open("r+b") as file:
            file.write((days * DAY).to_bytes(8, sys.byteorder, signed=True))
        assert abs(wall_clock(service) - time.time() - days * DAY) < 60, "the service has seen the jump"
        mover.move(moved)
        agree(service, recorder, connection, mover.calls + 1, mover.bytes + 7)
        scrape = recorder.add_text(service.metrics())
        for key, created in before.created.items():
            assert scrape.created.get(key, created) == created, f"{key} keeps its creation time"
        assert scrape.series(BYTES, port=connection.label, pid=str(ended.pid)), "lingering does not depend on it"
        assert 0 <= scrape.sum("copy_exporter_scrape_duration_seconds") < 10


def wall_clock(service: ExporterProcess) -> float:
    """The time by the clock of the service, from the header Date."""
    from email.utils import parsedate_to_datetime

    time.sleep(1.2)  # uvicorn updates the date once per second
    return parsedate_to_datetime(service.get("/-/healthy").headers["date"]).timestamp()


def test_stopped_for_a_while(
    start: Start, move: Move, workload: Callable[[str], Path], connection: WatchedConnection
) -> None:
    """The kernel continues to count: later, all that fits into the map is there, also of exited processes."""
    service, recorder, mover = start(), ScrapeRecorder(), move()
    mover.move(100)
    agree(service, recorder, connection, 1, 100)
    service.process.send_signal(signal.SIGSTOP)
    count = 5000
    with births(workload("births"), connection, count) as parent, pytest.raises(httpx.TimeoutException):
        httpx.get(f"{service.url}/metrics", timeout=0.5)
    assert parent.returncode == 0
    mover.move(5)
    service.process.send_signal(signal.SIGCONT)
    agree(service, recorder, connection, count + 2, born_bytes(count) + 105)


def test_stopped_for_longer_than_the_map_lasts(
    start: Start, workload: Callable[[str], Path], connection: WatchedConnection
) -> None:
    """The loss is exported, and the remaining counts are right."""
    service, recorder = start("--map.entries", "2000"), ScrapeRecorder()
    before = recorder.add_text(service.metrics()).sum("copy_exporter_dropped_updates_total", map="counts")
    service.process.send_signal(signal.SIGSTOP)
    count = 4000
    with births(workload("births"), connection, count) as parent:
        pass
    assert parent.returncode == 0
    service.process.send_signal(signal.SIGCONT)
    after = recorder.add_text(service.metrics())
    counted = recorder.total(CALLS, port=connection.label)
    assert 0 < counted < count
    assert after.sum("copy_exporter_dropped_updates_total", map="counts") - before >= count - counted
    assert after.sum(HOST_CALLS, **RECVMMSG) == recorder.total(CALLS, **RECVMMSG)


@pytest.fixture
def memory() -> Iterator[Path]:
    """A control group that limits memory."""
    mounts = [line.split(" ") for line in Path("/proc/mounts").read_text().splitlines()]
    parents = [Path(where) for _, where, kind, options, *_ in mounts if kind == "cgroup" and "memory" in options]
    parents += [Path(where) for _, where, kind, *_ in mounts if kind == "cgroup2"]
    for parent in parents:
        made = parent / f"copy-exporter-{os.getpid()}"
        try:
            made.mkdir()
        except OSError:
            continue
        if any((made / name).exists() for name in LIMIT_FILES):
            yield made
            remove(made)
            return
        made.rmdir()
    skip_for_kernel("a control group for memory that can be written to")


def remove(group: Path) -> None:
    wait_until(lambda: not (group / "cgroup.procs").read_text(), "the end of its processes")
    group.rmdir()


def limit(group: Path, size: int) -> None:
    """Set the lowest limit of at least ``size`` bytes that the kernel accepts."""
    file = next(group / name for name in LIMIT_FILES if (group / name).exists())
    while True:
        try:
            file.write_text(str(size))
        except OSError as error:  # version 1: it cannot reclaim as much
            if error.errno != errno.EBUSY:
                raise
            size += 1 << 20
        else:
            return


def test_killed_by_the_memory_limit(start: Start, move: Move, connection: WatchedConnection, memory: Path) -> None:
    """The next one counts from zero, and exports since when."""
    join = ("sh", "-ec", f'echo $$ > {memory}/cgroup.procs; exec "$@"', "sh")
    service, mover = start(command=(*join, *SERVE)), move()
    mover.move(1000)
    began = Scrape(service.metrics()).sum("process_start_time_seconds")
    limit(memory, 32 << 20)
    connections = []
    for _ in range(200):
        with suppress(OSError):
            connections.append(socket.create_connection(("127.0.0.1", service.port), timeout=5))
            connections[-1].sendall(b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n" * 20)
    assert service.process.wait(60) == -signal.SIGKILL
    for each in connections:
        each.close()
    killed = time.time()
    mover.move(50)  # no exporter is running
    again, recorder = start(), ScrapeRecorder()
    mover.move(7)
    agree(again, recorder, connection, 1, 7)
    scrape = Scrape(again.metrics())
    assert scrape.sum("process_start_time_seconds") > killed - 1 > began
    created = [when for (name, own), when in scrape.created.items() if ("pid", str(mover.pid)) in own]
    assert created
    assert min(created) > killed - 1


def started_with_log(path: str, *flags: str) -> tuple[subprocess.Popen[bytes], str]:
    port = free_port()
    command = [COMMAND, "serve", f"--web.listen-address=127.0.0.1:{port}", *flags]
    with open(path, "wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        assert process.poll() is None
        try:
            return httpx.get(f"{url}/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    wait_until(ready, "readiness", 100)
    return process, url


def test_disk_full_of_logs(connection: WatchedConnection, move: Move) -> None:
    """The service continues, counts the lost log lines in a metric, and exits with status 0."""
    process, url = started_with_log("/dev/full", *connection.flags)
    try:
        mover = move()
        mover.move(10)
        scrape = Scrape(httpx.get(f"{url}/metrics", headers=OPENMETRICS).text)
        assert scrape.sum(BYTES, port=connection.label) == 10
        assert scrape.sum("copy_exporter_log_lines_lost_total") >= 3
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_log_without_a_reader(connection: WatchedConnection) -> None:
    """The log is a pipe without a reader."""
    reading, writing = os.pipe()
    os.close(reading)
    process, url = started_with_log(f"/dev/fd/{writing}", *connection.flags)
    os.close(writing)
    try:
        scrape = Scrape(httpx.get(f"{url}/metrics", headers=OPENMETRICS).text)
        assert scrape.sum("copy_exporter_log_lines_lost_total") >= 3
    finally:
        process.terminate()
        assert process.wait(30) == 0
