"""All that a local user may try at once: another user's broker is found, and nothing is left afterwards."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.exporter_process import ExporterProcess
from tests.support.fake_broker import PYTHON, FakeBroker, write_config
from tests.support.process_usage import cpu_seconds, resident_kib, thread_times
from tests.support.requirements import require_bpf
from tests.support.scrape import Scrape
from tests.support.wait import wait_until

from .test_hostile_processes import HANGING_FILE_SYSTEM

HOSTILE = ("setpriv", "--reuid=12345", "--regid=12345", "--clear-groups")
OPERATOR = ("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups")
MANY_ARGUMENTS = """if True:
    import os, resource
    resource.setrlimit(resource.RLIMIT_STACK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    work = "import os, time; print(flush=True)\\nwhile True: os.write(os.open('/dev/null', 1), b'x'); time.sleep(1)"
    os.execv("/usr/bin/python3", ["java", *(["-I"] * 300_000), "-c", work])
"""
SUCCESS = "copy_exporter_broker_discovery_success"
LISTENER = "copy_kafka_listener_info"
MAX_ADDED_SECONDS = 0.1
"""Of CPU time for each scrape."""
MAX_ADDED_KIB = 64 << 10
SCRAPES = 5
PROCESSES = 3
"""The service, the inspector, and the child of the inspector that serves."""


@pytest.fixture
def exporter() -> Iterator[ExporterProcess]:
    require_bpf()
    with ExporterProcess("--process.linger", "2s") as started:
        yield started


def fifo(path: Path) -> None:
    os.mkfifo(path, 0o666)


def device(path: Path) -> None:
    path.symlink_to("/dev/fuse")


def loop(path: Path) -> None:
    path.symlink_to(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


def of_the_kernel(path: Path) -> None:
    path.symlink_to("/sys/kernel/tracing/trace_pipe")


def long_names(path: Path) -> None:
    path.write_text("listeners=" + ",".join(f"{number}{'L' * 5000}://:{number}" for number in range(1, 101)))


def many_lines(path: Path) -> None:
    path.write_text("a\n" * 500_000)


def many_directories(path: Path) -> None:
    path.write_text("log.dirs=" + ",".join(f"/proc/{number}/fd" for number in range(10_000)))


FILES = (fifo, device, loop, endless, huge, of_the_kernel, long_names, many_lines, many_directories)


def family(pid: int) -> dict[int, int]:
    """A process and its descendants, with the number of open descriptors of each."""
    found = {pid: len(os.listdir(f"/proc/{pid}/fd"))}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found |= family(int(child))
    return found


def start_many_arguments(stack: ExitStack) -> list[int]:
    """As many processes as are described in a scrape, with arguments that would all be looked at."""
    pids = []
    for _ in range(25):
        process = subprocess.Popen([*HOSTILE, PYTHON, "-c", MANY_ARGUMENTS], stdout=subprocess.PIPE)
        stack.enter_context(process)
        stack.callback(process.kill)
        assert process.stdout
        process.stdout.readline()
        pids.append(process.pid)
    return pids


def start_hostile_brokers(stack: ExitStack, directory: Path) -> list[int]:
    brokers = []
    for make in FILES:
        own = directory / make.__name__
        own.mkdir()
        make(own / "server.properties")
        brokers.append(stack.enter_context(FakeBroker(own, "server.properties", before=HOSTILE)))
    if Path("/dev/fuse").exists():
        for _ in range(3):
            brokers.append(
                stack.enter_context(FakeBroker(directory, "/opt/server.properties", before=HANGING_FILE_SYSTEM))
            )
    for _ in range(15):
        brokers.append(stack.enter_context(FakeBroker(directory, "nothing", before=HOSTILE)))
        os.kill(brokers[-1].pid, signal.SIGSTOP)
    return [broker.pid for broker in brokers]


def scrape_seconds(exporter: ExporterProcess) -> float:
    """CPU time of the service for a scrape."""
    before = thread_times(exporter.pid)
    for _ in range(SCRAPES):
        exporter.metrics()
    return cpu_seconds(before, thread_times(exporter.pid)) / SCRAPES


def test_nothing_outlives_a_hostile_user(exporter: ExporterProcess, directory: Path) -> None:
    wait_until(lambda: len(family(exporter.pid)) == PROCESSES, "the inspector serves")
    undisturbed = Scrape(exporter.metrics()).sum(SUCCESS)  # 0 beside a broker of the host that cannot be read
    before, memory, seconds = family(exporter.pid), resident_kib(exporter.pid), scrape_seconds(exporter)
    with ExitStack() as stack:
        hostile = [*start_many_arguments(stack), *start_hostile_brokers(stack, directory)]
        wait_until(lambda: Scrape(exporter.metrics()).sum(SUCCESS) == 0, "the attack is noticed")
        own = directory / "operator"
        own.mkdir()
        config = write_config(own, node_id=77, listeners="PLAINTEXT://127.0.0.1:0")
        os.chown(config, 54321, 54321)
        broker = stack.enter_context(FakeBroker(own, config.name, before=OPERATOR))
        port = broker.do("listen", "127.0.0.1", 0)
        wait_until(
            lambda: Scrape(exporter.metrics()).series(LISTENER, node_id="77", port=str(port)), "another user's broker"
        )
        assert scrape_seconds(exporter) - seconds < MAX_ADDED_SECONDS
    wait_until(lambda: Scrape(exporter.metrics()).sum(SUCCESS) == undisturbed, "all is as before")
    pids = {str(pid) for pid in hostile}
    wait_until(lambda: not pids & {series.get("pid") for series in every_series(exporter)}, "their series have ended")
    wait_until(lambda: family(exporter.pid) == before, "no process and no descriptor is left")
    assert resident_kib(exporter.pid) - memory < MAX_ADDED_KIB


def every_series(exporter: ExporterProcess) -> list[dict[str, str]]:
    return [dict(labels) for _, labels in Scrape(exporter.metrics()).values]
