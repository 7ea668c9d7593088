"""Discovery of brokers that start, change and exit, on a simulated host."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Event

import pytest

from exporter.host.procfs import Stat
from exporter.kafka.broker import UNKNOWN, Facts, Listener
from exporter.kafka.discovery import SCAN_INTERVAL_SECONDS, Discovery
from exporter.kafka.inspector import InspectorExitedError

BROKER = ["java", "-cp", "x", "kafka.Kafka", "server.properties"]
COMPLETE = Facts("1", (Listener("PLAINTEXT", "PLAINTEXT", 9092),), (11,), complete=True)
INCOMPLETE = Facts("1", (), (11,))


@dataclass
class Host:
    """/proc, the inspector and the clock; records what is read, inspected and watched."""

    processes: dict[int, tuple[str, int, list[str]]] = field(default_factory=dict)
    facts: dict[int, Facts] = field(default_factory=dict)
    now: float = 0.0
    stats: list[int] = field(default_factory=list)
    inspected: list[int] = field(default_factory=list)
    watched: list[tuple[set[int], set[int]]] = field(default_factory=list)

    def pids(self) -> list[int]:
        return list(self.processes)

    def stat(self, pid: int) -> Stat | None:
        self.stats.append(pid)
        if pid not in self.processes:
            return None
        comm, start, _ = self.processes[pid]
        return Stat(comm, start, 0.0, 0.0)

    def arguments(self, pid: int) -> list[str]:
        return self.processes[pid][2]

    def inspect(self, pid: int) -> Facts:
        self.inspected.append(pid)
        return self.facts[pid]

    def watch(self, ports: Iterable[int], pids: Iterable[int]) -> None:
        self.watched.append((set(ports), set(pids)))

    def discovery(self, *ports: int) -> Discovery:
        return Discovery(self, self.inspect, self.watch, ports, lambda: self.now)

    def scan_for(self, discovery: Discovery, seconds: float) -> None:
        """Scan now, and then at the interval of the service, while ``seconds`` pass."""
        end = self.now + seconds
        while self.now < end:
            discovery.scan()
            self.now += SCAN_INTERVAL_SECONDS

    def start(self, pid: int, facts: Facts = COMPLETE, start: int = 100) -> None:
        self.processes[pid] = ("java", start, BROKER)
        self.facts[pid] = facts


def pids(discovery: Discovery) -> list[int]:
    return [broker.pid for broker in discovery.brokers()]


def test_a_broker_is_found_and_its_ports_are_watched() -> None:
    host = Host({1: ("systemd", 1, ["init"]), 2: ("java", 2, ["java", "-jar", "x.jar"])})
    discovery = host.discovery(80)
    discovery.scan()
    assert (pids(discovery), host.watched, host.inspected) == ([], [], [])
    host.start(7)
    discovery.scan()
    assert [(broker.pid, broker.start_ticks, broker.comm) for broker in discovery.brokers()] == [(7, 100, "java")]
    assert discovery.brokers()[0].facts == COMPLETE
    assert host.watched == [({80, 9092}, {7})]


def test_a_start_script_that_becomes_a_broker() -> None:
    host = Host({7: ("kafka-server-st", 100, ["bash", "kafka-server-start.sh"])})
    discovery = host.discovery()
    discovery.scan()
    host.start(7)
    discovery.scan()
    assert pids(discovery) == [7]


def test_new_processes_are_checked_at_every_scan_old_ones_once_a_minute() -> None:
    host = Host({pid: ("sshd", 1, ["sshd"]) for pid in range(1, 101)})
    discovery = host.discovery()
    host.scan_for(discovery, 60)
    assert len(host.stats) == 100 * 60 / SCAN_INTERVAL_SECONDS
    host.stats.clear()
    host.scan_for(discovery, 60)
    assert sorted(host.stats) == list(range(1, 101))


def test_a_java_process_that_becomes_a_broker_late() -> None:
    host = Host({7: ("java", 100, ["java", "Setup"])})
    discovery = host.discovery()
    host.scan_for(discovery, 90)
    host.start(7)
    host.scan_for(discovery, 60)
    assert pids(discovery) == [7]


def test_a_broker_is_inspected_until_its_facts_are_complete() -> None:
    host = Host()
    host.start(7, INCOMPLETE)
    discovery = host.discovery()
    host.scan_for(discovery, 4)
    assert (host.inspected, host.watched) == ([7, 7], [(set(), {7})])
    host.facts[7] = COMPLETE
    host.scan_for(discovery, 6)
    assert host.inspected == [7, 7, 7]
    assert host.watched[-1] == ({9092}, {7})


def test_complete_facts_are_refreshed_every_two_minutes() -> None:
    host = Host()
    host.start(7)
    discovery = host.discovery()
    host.scan_for(discovery, 242)
    assert len(host.inspected) == 3


def test_facts_that_stay_incomplete_are_refreshed_every_two_minutes_in_the_end() -> None:
    host = Host()
    host.start(7, INCOMPLETE)
    discovery = host.discovery()
    host.scan_for(discovery, 122)
    assert len(host.inspected) == 61
    host.scan_for(discovery, 360)
    assert len(host.inspected) == 64


def test_the_ports_of_a_broker_that_restarts_stay_watched() -> None:
    host = Host()
    host.start(7)
    discovery = host.discovery()
    discovery.scan()
    del host.processes[7]
    discovery.scan()
    assert (pids(discovery), host.watched[-1]) == ([], ({9092}, set()))
    host.start(8)
    discovery.scan()
    assert (pids(discovery), host.watched[-1]) == ([8], ({9092}, {8}))


def test_the_ports_of_a_broker_that_exited_are_watched_for_ten_minutes() -> None:
    host = Host()
    host.start(7)
    discovery = host.discovery(80)
    host.scan_for(discovery, 2)
    del host.processes[7]
    host.scan_for(discovery, 598)
    assert host.watched[-1] == ({80, 9092}, set())
    host.scan_for(discovery, 2)
    assert host.watched[-1] == ({80}, set())


def test_another_broker_with_the_same_process_id() -> None:
    host = Host()
    host.start(7)
    discovery = host.discovery()
    discovery.scan()
    host.start(7, INCOMPLETE, start=200)
    discovery.scan()
    assert [(broker.start_ticks, broker.facts) for broker in discovery.brokers()] == [(200, INCOMPLETE)]


def test_several_brokers() -> None:
    host = Host()
    host.start(7)
    host.start(8, Facts("2", (Listener("SSL", "SSL", 9093),), (12,), complete=True))
    discovery = host.discovery()
    discovery.scan()
    assert host.watched == [({9092, 9093}, {7, 8})]


def test_a_scan_that_fails_is_made_good_by_the_next() -> None:
    class Unreadable(Host):
        def pids(self) -> list[int]:
            if not self.processes:
                raise OSError("/proc cannot be read")
            return super().pids()

    host = Unreadable()
    host.start(7)
    discovery = host.discovery()
    discovery.scan()
    del host.processes[7]
    with pytest.raises(OSError, match="cannot be read"):
        discovery.scan()
    host.start(8)
    discovery.scan()
    assert pids(discovery) == [8]


def test_problems_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    host.start(7, Facts("", (Listener(UNKNOWN, UNKNOWN, 9092),), problems=("x.properties: Permission denied",)))
    discovery = host.discovery()
    with caplog.at_level(logging.INFO):
        host.scan_for(discovery, 10)
    assert [record.getMessage() for record in caplog.records] == [
        "broker: node unknown, process 7: listeners unknown (unknown) on 9092",
        "broker: node unknown, process 7: x.properties: Permission denied; add missing ports with --watch.port",
    ]


def test_discovery_stops_when_the_inspector_has_exited(caplog: pytest.LogCaptureFixture) -> None:
    def inspect(_: int) -> Facts:
        raise InspectorExitedError("the inspector did not answer within 10 s")

    host = Host()
    host.start(7)
    Discovery(host, inspect, host.watch).scan_until(Event())
    assert [record.getMessage() for record in caplog.records] == [
        "broker discovery stopped: the inspector did not answer within 10 s; add ports with --watch.port"
    ]
