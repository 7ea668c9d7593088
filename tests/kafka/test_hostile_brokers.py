"""A local user's processes that look like brokers: what they cost while they run, and that nothing outlives them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.exporter_process import ExporterProcess
from tests.support.fake_broker import FakeBroker, write_config
from tests.support.process_usage import cpu_seconds, thread_times
from tests.support.requirements import require_bpf
from tests.support.scrape import Scrape
from tests.support.wait import wait_until

BROKERS = 26
PORTS = 615
"""Of each: with the local ports of the connections, these are nearly all ephemeral ports of a network namespace."""
FIRST_PORT = 32768
CONNECTIONS = 12_000
MAX_ADDED_BYTES = 500_000
MAX_ADDED_SECONDS = 0.5
SCRAPES = 5
SHORT_LINGER = """if True:
    from exporter.kafka import discovery, topics
    from exporter.cli import main
    discovery._PORT_LINGER_SECONDS = 2.0
    topics._LINGER_NS = 2_000_000_000
    main()
"""
"""The service with seconds in place of the five minutes for which a broker's ports and topics outlive it."""
LISTENER, BYTES, TOPICS = "copy_kafka_listener_info", "copy_bytes_total", "copy_kafka_topic_bytes_total"


@dataclass(frozen=True)
class Cost:
    """Of a scrape."""

    size: int
    """Bytes of the text."""
    seconds: float
    """CPU time of the service."""


@pytest.fixture
def exporter() -> Iterator[ExporterProcess]:
    require_bpf()
    flags = ("--process.linger", "2s")
    with ExporterProcess(*flags, command=(sys.executable, "-c", SHORT_LINGER, "serve")) as started:
        yield started


def start_network(stack: ExitStack) -> tuple[str, ...]:
    """To put before a command: it runs in a new network namespace, whose ports are free."""
    holder = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep 600"]
    process = stack.enter_context(subprocess.Popen(holder, stdout=subprocess.PIPE))
    stack.callback(process.kill)
    assert process.stdout
    assert process.stdout.readline() == b"up\n"
    return ("nsenter", f"--net=/proc/{process.pid}/ns/net")


def start_brokers(stack: ExitStack, directory: Path) -> list[FakeBroker]:
    """With as many connections among them as they have ports."""
    network = start_network(stack)
    brokers = []
    for number in range(BROKERS):
        own = directory / str(number)
        own.mkdir()
        ports = range(FIRST_PORT + number * PORTS, FIRST_PORT + (number + 1) * PORTS)
        write_config(own, node_id=number, listeners=",".join(f"L{port}://:{port}" for port in ports), log_dirs=own)
        broker = stack.enter_context(FakeBroker(own, "server.properties", before=network))
        assert broker.do("listen_all", "127.0.0.1", ports.start, PORTS) == PORTS
        brokers.append(broker)
    for number, broker in enumerate(brokers):
        broker.do("connect_all", CONNECTIONS // BROKERS + (number < CONNECTIONS % BROKERS))
    return brokers


def start_bystander(stack: ExitStack, directory: Path) -> FakeBroker:
    """A process that is no broker, and has ports of the brokers' numbers in another network namespace."""
    bystander = stack.enter_context(FakeBroker(directory, before=start_network(stack), main_class="Client"))
    for number in range(BROKERS):
        bystander.do("listen_all", "127.0.0.1", FIRST_PORT + number * PORTS, 4)
    bystander.do("connect_all", BROKERS * 4)
    return bystander


def measure(exporter: ExporterProcess) -> Cost:
    before = thread_times(exporter.pid)
    texts = [exporter.metrics() for _ in range(SCRAPES)]
    return Cost(len(texts[-1]), cpu_seconds(before, thread_times(exporter.pid)) / SCRAPES)


def watched(scrape: Scrape) -> tuple[int, int]:
    """The number of brokers, and of their ports."""
    listeners = scrape.series(LISTENER)
    return len({series["pid"] for series in listeners}), len({series["port"] for series in listeners})


def counted_ports(scrape: Scrape, process: FakeBroker) -> set[str]:
    return {series["port"] for series in scrape.series(BYTES, pid=str(process.pid))} - {""}


def test_many_brokers_with_all_ephemeral_ports(
    exporter: ExporterProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = measure(exporter)
    with ExitStack() as lasting:
        bystander = start_bystander(lasting, tmp_path)
        with ExitStack() as attack:
            brokers = start_brokers(attack, tmp_path)
            wait_until(lambda: watched(Scrape(exporter.metrics())) == (16, 64), "as many as may be are watched", 60)
            for process in (*brokers, bystander):
                assert process.do("exchange", 100) > 0
            for number, broker in enumerate(brokers):
                folder = tmp_path / str(number) / f"topic-{number}"
                folder.mkdir()
                (folder / "0.log").touch()
                broker.do("write", folder / "0.log", 1000)
            during = measure(exporter)
            scrape = Scrape(exporter.metrics())
            assert watched(scrape) == (16, 64)
            assert counted_ports(scrape, bystander)
            assert scrape.series(TOPICS, topic="topic")
        added = Cost(during.size - before.size, during.seconds - before.seconds)
        with capsys.disabled():
            print(f"\n{BROKERS} fake brokers: a scrape has {added.size:,} bytes and {added.seconds:.3f} s of CPU more")
        assert added.size < MAX_ADDED_BYTES
        assert added.seconds < MAX_ADDED_SECONDS
        wait_until(lambda: not counted_ports(Scrape(exporter.metrics()), bystander), "no port is counted any more", 60)
        after = Scrape(exporter.metrics())
        assert not [series for broker in brokers for series in after.series(LISTENER, pid=str(broker.pid))]
        assert not after.series(TOPICS, topic="topic")
        assert after.series(BYTES, pid=str(bystander.pid)), "without ports"
