"""Processes and cgroups named like something else: each stays itself, and the exposition whole."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.support.exporter_process import ExporterProcess
from tests.support.fake_broker import FakeBroker, write_config
from tests.support.requirements import skip_for_kernel
from tests.support.scrape import Scrape
from tests.support.scrape_recorder import ScrapeRecorder
from tests.support.wait import wait_until
from tests.support.watched_connection import BYTES, CALLS, WatchedConnection

# Its argument is the descriptor; on its input come lines: a name in hexadecimal, and how many bytes to move.
HOSTILE = """\
import ctypes, os, socket, sys
libc, end = ctypes.CDLL(None), int(sys.argv[-1])
for line in sys.stdin.buffer:
    name, count = line.split(b" ")
    libc.prctl(15, bytes.fromhex(name.decode()), 0, 0, 0)
    libc.recv(end, ctypes.create_string_buffer(32768), int(count), socket.MSG_PEEK)
    os.write(1, b".")
"""
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


class Impostor:
    """A process that is called what it likes, with a command line like a JVM's whose main class is a program."""

    def __init__(self, connection: WatchedConnection) -> None:
        end = connection.server.fileno()
        self.process = subprocess.Popen(
            ["java", "-c", HOSTILE, str(end)],
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
def impostors(connection: WatchedConnection) -> Iterator[list[Impostor]]:
    began = [Impostor(connection) for _ in NAMES]
    yield began
    for one in began:
        if one.process.poll() is None:
            one.end()


def shown(name: bytes) -> str:
    """How a name is shown: what is no UTF-8 as U+FFFD."""
    return name[:15].split(b"\0")[0].decode(errors="replace")


def check_whole(service: ExporterProcess) -> None:
    """Parsers and promtool take it, and both formats have the same."""
    text, openmetrics = service.metrics(openmetrics=False), service.metrics()
    families = {family.name for family in parse_text(text)}
    assert families == {family.name for family in parse_openmetrics(openmetrics)}
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, text=True, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_names_of_processes(
    start: Callable[..., ExporterProcess], connection: WatchedConnection, impostors: list[Impostor]
) -> None:
    service, recorder = start(), ScrapeRecorder()
    for size, (one, name) in enumerate(zip(impostors, NAMES, strict=True), 100):
        one.move(name, size)
    scrape = recorder.add_text(service.metrics())
    for size, (one, name) in enumerate(zip(impostors, NAMES, strict=True), 100):
        (series,) = scrape.series(BYTES, pid=str(one.process.pid), port=connection.label)
        assert series["comm"] == shown(name)
        assert scrape.sum(BYTES, pid=str(one.process.pid), port=connection.label) == size
        (info,) = scrape.series("copy_process_info", pid=str(one.process.pid), comm=shown(name))
        assert info["name"] == HOSTILE, "what stands where a JVM has its main class"
    pids = {series["pid"] for series in scrape.series(BYTES, port=connection.label)}
    assert pids == {str(one.process.pid) for one in impostors}, "nobody counts as another"
    check_whole(service)
    for one in impostors:
        one.end()
    total = sum(range(100, 100 + len(NAMES)))
    recorder.add_text(service.metrics())
    assert recorder.total(BYTES, port=connection.label) == total
    check_whole(service)


@pytest.mark.parametrize("flags", [("--process.max", "0"), ("--process.labels", "comm")])
def test_names_that_processes_share(
    start: Callable[..., ExporterProcess],
    connection: WatchedConnection,
    impostors: list[Impostor],
    flags: tuple[str, ...],
) -> None:
    """Seen by no scrape while they live: the name is what the kernel told at their end."""
    service = start(*flags)
    for size, (one, name) in enumerate(zip(impostors, NAMES, strict=True), 100):
        one.move(name, size)
        one.end()
    wait_until(lambda: Scrape(service.metrics()).sum(CALLS, port=connection.label) == len(NAMES), "all ends are booked")
    scrape = Scrape(service.metrics())
    for size, name in enumerate(NAMES, 100):
        assert scrape.sum(BYTES, comm=shown(name), port=connection.label) == size
    pids = {series.get("pid", "") for series in scrape.series(BYTES, port=connection.label)}
    assert pids == {"other" if "--process.max" in flags else ""}
    check_whole(service)


CGROUPS = (b'a"b', b"a\\b", b'x",container_id="0', b"1:name=systemd:forged", b"\xff\xfe", b"evil.service")


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
    made = []
    try:
        for name in CGROUPS:
            directory = os.fsencode(cgroup_root) + b"/" + name
            os.mkdir(directory)
            one = Impostor(connection)
            made.append((directory, one))
            with open(directory + b"/cgroup.procs", "w") as file:
                file.write(str(one.process.pid))
            one.move(b"mover", 10)
        scrape = Scrape(service.metrics())
        for directory, one in made:
            (info,) = scrape.series("copy_process_info", pid=str(one.process.pid), comm="mover")
            assert info["cgroup"].endswith("/" + os.path.basename(directory).decode(errors="replace"))
            assert info["container_id"] == ""
        check_whole(service)
    finally:
        for directory, one in made:
            one.end()
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
    b"good-\xd9\xa3": "",  # a digit, but not of ASCII
    b"x" * 250 + b"-0": "",
}
"""Folders of a broker, and the topic of each; empty: none."""
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
        check_whole(service)
