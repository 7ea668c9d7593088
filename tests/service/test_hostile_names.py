"""Processes, cgroups, topics and files with hostile names: each keeps its own counts, and the exposition is valid."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.host.label_text import MAX_CHARACTERS, label_text
from tests.support.exporter_process import ExporterProcess
from tests.support.fake_broker import FakeBroker, write_config
from tests.support.ports import free_port
from tests.support.promtool import check_metrics
from tests.support.requirements import skip_for_kernel
from tests.support.scrape import Scrape
from tests.support.scrape_recorder import ScrapeRecorder
from tests.support.wait import wait_until
from tests.support.watched_connection import BYTES, CALLS, WatchedConnection

HOSTILE_PROGRAM = """\
import ctypes, os, socket, sys
libc, end = ctypes.CDLL(None), int(sys.argv[-1])
for line in sys.stdin.buffer:
    name, count = line.split(b" ")
    libc.prctl(15, bytes.fromhex(name.decode()), 0, 0, 0)
    libc.recv(end, ctypes.create_string_buffer(32768), int(count), socket.MSG_PEEK)
    os.write(1, b".")
"""
"""Its argument is a socket. Each line of its input is a name in hexadecimal, and the number of bytes to receive."""
MAX_ARGUMENT_BYTES = 131_071
"""Of one argument: the kernel's MAX_ARG_STRLEN, without the zero byte."""
NAMES = (
    b"",
    b" ",
    b'"',
    b"\\",
    b"\\n",
    b"\n",
    b"a\n# EOF\nb 1",
    b'",pid="1',
    b'x"} 1e9\n',
    b"\xff\xfe\xc0\xaf",
    b"\xed\xa0\x80",  # half of a surrogate pair
    b"\x1b[31m\x7f\x01",
    b"\xe2\x80\xa8\xe2\x80\xae",  # a line separator, and from right to left
    b"\xf0\x9f\x90\x98 elephant!"[:15],
    b") R 1 1 1 1 (",
    b"other",
    b"unknown",
    b"{{.}}$(id)%s",
)


class HostileProcess:
    """A process that takes any name. Its command line is that of a JVM whose main class is a whole program."""

    def __init__(self, connection: WatchedConnection, program: str = HOSTILE_PROGRAM) -> None:
        end = connection.server.fileno()
        self.process = subprocess.Popen(
            ["java", "-c", program, str(end)],
            executable=sys.executable,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            pass_fds=[end],
        )

    def move(self, name: bytes, count: int) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(b"%s %d\n" % (name.hex().encode(), count))
        assert self.process.stdout.read(1) == b"."

    def end(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(30) == 0


@pytest.fixture
def hostile_processes(connection: WatchedConnection) -> Iterator[list[HostileProcess]]:
    """One for each name."""
    started = [HostileProcess(connection) for _ in NAMES]
    yield started
    for hostile in started:
        if hostile.process.poll() is None:
            hostile.end()


def comm_label(name: bytes) -> str:
    """The label for a name: U+FFFD for bytes that are not UTF-8."""
    return name[:15].split(b"\0")[0].decode(errors="replace")


def check_exposition(service: ExporterProcess) -> None:
    """Parsers and promtool accept it, and both formats have the same families."""
    text, openmetrics = service.metrics(openmetrics=False), service.metrics()
    families = {family.name for family in parse_text(text)}
    assert families == {family.name for family in parse_openmetrics(openmetrics)}
    check_metrics(text)


def test_names_of_processes(
    start: Callable[..., ExporterProcess], connection: WatchedConnection, hostile_processes: list[HostileProcess]
) -> None:
    service, recorder = start(), ScrapeRecorder()
    for size, (hostile, name) in enumerate(zip(hostile_processes, NAMES, strict=True), 100):
        hostile.move(name, size)
    scrape = recorder.add_text(service.metrics())
    for size, (hostile, name) in enumerate(zip(hostile_processes, NAMES, strict=True), 100):
        (series,) = scrape.series(BYTES, pid=str(hostile.process.pid), port=connection.label)
        assert series["comm"] == comm_label(name)
        assert scrape.sum(BYTES, pid=str(hostile.process.pid), port=connection.label) == size
        (info,) = scrape.series("copy_process_info", pid=str(hostile.process.pid), comm=comm_label(name))
        assert info["name"] == label_text(HOSTILE_PROGRAM), "the argument where a JVM has its main class"
    pids = {series["pid"] for series in scrape.series(BYTES, port=connection.label)}
    assert pids == {str(hostile.process.pid) for hostile in hostile_processes}, "each process has its own series"
    check_exposition(service)
    for hostile in hostile_processes:
        hostile.end()
    total = sum(range(100, 100 + len(NAMES)))
    recorder.add_text(service.metrics())
    assert recorder.total(BYTES, port=connection.label) == total
    check_exposition(service)


@pytest.mark.parametrize("flags", [("--process.max", "0"), ("--process.labels", "comm")])
def test_names_that_share_a_series(
    start: Callable[..., ExporterProcess],
    connection: WatchedConnection,
    hostile_processes: list[HostileProcess],
    flags: tuple[str, ...],
) -> None:
    """No scrape sees the processes alive: their names are those that the kernel reported at their exit."""
    service = start(*flags)
    for size, (hostile, name) in enumerate(zip(hostile_processes, NAMES, strict=True), 100):
        hostile.move(name, size)
        hostile.end()
    wait_until(
        lambda: Scrape(service.metrics()).sum(CALLS, port=connection.label) == len(NAMES),
        "all exited processes are counted",
    )
    scrape = Scrape(service.metrics())
    for size, name in enumerate(NAMES, 100):
        assert scrape.sum(BYTES, comm=comm_label(name), port=connection.label) == size
    pids = {series.get("pid", "") for series in scrape.series(BYTES, port=connection.label)}
    assert pids == {"other" if "--process.max" in flags else ""}
    check_exposition(service)


def test_long_arguments(start: Callable[..., ExporterProcess], connection: WatchedConnection) -> None:
    """40 processes whose display names have 131 KB, and differ at their end."""
    service = start()
    started = []
    try:
        for number in range(40):
            padding = "x" * (MAX_ARGUMENT_BYTES - len(HOSTILE_PROGRAM) - 4)
            started.append(HostileProcess(connection, f"{HOSTILE_PROGRAM}#{padding}{number:02}"))
            started[-1].move(b"mover", 10)
        text = service.metrics()
        infos = [
            info
            for info in Scrape(text).series("copy_process_info", comm="mover")
            if info["pid"] in {str(hostile.process.pid) for hostile in started}
        ]
        assert len({info["name"] for info in infos}) == 40
        assert {len(info["name"]) for info in infos} == {MAX_CHARACTERS}
        assert (
            sum(len(line) for line in text.split("\n") if "copy_process_info{" in line and "mover" in line) < 40 * 1500
        )
        check_exposition(service)
    finally:
        for hostile in started:
            hostile.end()


CGROUPS = (
    b'a"b',
    b"a\\b",
    b'x",container_id="0',
    b"1:name=systemd:forged",
    b"\xff\xfe",
    b"evil.service",
    b"a\rb",
    b"a\vb\fc",
    b"a\x1cb\x1dc\x1ed",
    "a\x85b".encode(),
    "a\u2028b\u2029c".encode(),
    b"y" * 255,
)


@pytest.fixture
def cgroup_root() -> Path:
    mounts = [line.split(" ") for line in Path("/proc/mounts").read_text().splitlines()]
    writable = [where for _, where, kind, options, *_ in mounts if kind == "cgroup2" and "rw" in options.split(",")]
    if not writable:
        skip_for_kernel("a unified cgroup hierarchy that can be written to")
    return Path(writable[0])


def test_names_of_cgroups(
    start: Callable[..., ExporterProcess], connection: WatchedConnection, cgroup_root: Path
) -> None:
    service = start()
    started = []
    try:
        for name in CGROUPS:
            directory = os.fsencode(cgroup_root) + b"/" + name
            os.mkdir(directory)
            hostile = HostileProcess(connection)
            started.append((directory, hostile))
            with open(directory + b"/cgroup.procs", "w") as file:
                file.write(str(hostile.process.pid))
            hostile.move(b"mover", 10)
        scrape = Scrape(service.metrics())
        for directory, hostile in started:
            (info,) = scrape.series("copy_process_info", pid=str(hostile.process.pid), comm="mover")
            assert (
                info["cgroup"].endswith("/" + os.path.basename(directory).decode(errors="replace"))
                or len(info["cgroup"]) == MAX_CHARACTERS
            )
            assert info["container_id"] == ""
        check_exposition(service)
    finally:
        for directory, hostile in started:
            hostile.end()
            os.rmdir(directory)


TOPICS = {
    b"good-0": "good",
    b"a.b_C-9-7": "a.b_C-9",
    b'x",topic="good-0': "",
    b'a"} 1\n# EOF\n-0': "",
    b"back\\slash-0": "",
    b"\xff\xfe-0": "",
    b"-0": "",
    b"good-0 ": "",
    b"good-\xd9\xa3": "",  # a digit that is not ASCII
    b"x" * 250 + b"-0": "",
}
"""Folders of a broker, and the topic of each; empty when it is not the folder of a topic."""
TOPIC_BYTES = "copy_kafka_topic_bytes_total"
COPIED = {"node_id": "77", "operation": "read", "mechanism": "cpu"}


def test_names_of_topics_and_files(start: Callable[..., ExporterProcess], tmp_path: Path) -> None:
    """Folders of a fake broker: only a name that Kafka allows for a topic is one."""
    directory = tmp_path / "data"
    for number, name in enumerate(TOPICS):
        folder = os.fsencode(directory) + b"/" + name
        os.makedirs(folder)
        with open(folder + b'/"\xff\n.log', "wb") as file:
            file.write(bytes(1000 + number))
        os.symlink(folder + b'/"\xff\n.log', tmp_path / f"file{number}")
    listeners = 'EVIL",pid="1://127.0.0.1:9,PLAIN://127.0.0.1:1'
    config = write_config(tmp_path, node_id=77, log_dirs=directory, listeners=listeners)
    service = start()
    with FakeBroker(tmp_path, config.name) as broker:

        def counted(topic: str) -> float:
            return Scrape(service.metrics()).sum(TOPIC_BYTES, **COPIED, topic=topic)

        wait_until(lambda: broker.do("read", tmp_path / "file0", 1) and counted("good"), "the broker is watched")
        before = counted("good")
        for number in range(len(TOPICS)):
            assert broker.do("read", tmp_path / f"file{number}", 5000) == 1000 + number
        wait_until(lambda: counted("good") == before + 1000, "topics are counted")
        scrape = Scrape(service.metrics())
        assert scrape.sum(TOPIC_BYTES, **COPIED, topic="a.b_C-9") == 1001
        assert {series["topic"] for series in scrape.series(TOPIC_BYTES, node_id="77")} == {*TOPICS.values()} - {""}
        check_exposition(service)


def test_names_of_listeners(start: Callable[..., ExporterProcess], tmp_path: Path) -> None:
    """A lone surrogate, names that come to the same label, and a long one; a log directory that cannot exist."""
    long = "L" * 5000
    names = (r"\uD800", r"\uFFFD", r"\u0000\u001b", long + "1", long + "2")
    ports = [free_port() for _ in names]
    listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in zip(names, ports, strict=True))
    directory = tmp_path / "data"
    folder = directory / "good-0"
    folder.mkdir(parents=True)
    (folder / "0.log").write_bytes(bytes(1000))
    config = write_config(tmp_path, node_id=78, log_dirs=rf"{directory},/tmp/\uD800", listeners=listeners)
    service = start()
    with FakeBroker(tmp_path, config.name) as broker:
        for port in ports:
            broker.do("listen", "127.0.0.1", port)
        wait_until(
            lambda: Scrape(service.metrics()).series("copy_kafka_listener_info", pid=str(broker.pid)),
            "the broker is watched",
        )
        found = Scrape(service.metrics()).series("copy_kafka_listener_info", pid=str(broker.pid))
        shown = {listener["listener"] for listener in found}
        assert (len(found), len(shown)) == (len(names), len(names) - 1)
        assert {"\ufffd", "\0\x1b"} <= shown
        assert sorted(map(len, shown)) == [1, 2, MAX_CHARACTERS, MAX_CHARACTERS]
        wait_until(
            lambda: (
                broker.do("read", folder / "0.log", 10)
                and Scrape(service.metrics()).sum(TOPIC_BYTES, node_id="78", topic="good")
            ),
            "the other log directory is counted",
        )
        check_exposition(service)
        assert service.get("/-/ready").status_code == 200
