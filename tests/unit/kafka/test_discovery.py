"""Which processes are brokers, as they come, change and go: against a host in memory."""

import logging
from dataclasses import dataclass, field

import pytest

from exporter.host.procfs import Stat
from exporter.kafka.broker import UNKNOWN, Facts, Listener
from exporter.kafka.discovery import Discovery
from exporter.kafka.inspector import InspectorExitedError

BROKER = ["java", "-cp", "x", "kafka.Kafka", "server.properties"]
PLAIN = Facts("1", (Listener("PLAINTEXT", "PLAINTEXT", 9092),), (11,), settled=True)
STARTING = Facts("1", (), (11,))


@dataclass
class Host:
    """/proc and the finder at once; keeps what was to be watched."""

    processes: dict[int, tuple[str, int, list[str]]] = field(default_factory=dict)
    facts: dict[int, Facts] = field(default_factory=dict)
    looked_at: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    watched: list[tuple[set[int], set[int]]] = field(default_factory=list)

    def pids(self) -> list[int]:
        return list(self.processes)

    def stat(self, pid: int) -> Stat | None:
        self.looked_at.append(pid)
        if pid not in self.processes:
            return None
        comm, start, _ = self.processes[pid]
        return Stat(comm, start, 0.0, 0.0)

    def arguments(self, pid: int) -> list[str]:
        return self.processes[pid][2]

    def ask(self, pid: int) -> Facts:
        self.asked.append(pid)
        return self.facts[pid]

    def watcher(self, *ports: int) -> Discovery:
        def watch(ports: object, pids: object) -> None:
            self.watched.append((set(ports), set(pids)))  # type: ignore[call-overload]

        return Discovery(self, self.ask, watch, ports)

    def start(self, pid: int, facts: Facts = PLAIN, start: int = 100) -> None:
        self.processes[pid] = ("java", start, BROKER)
        self.facts[pid] = facts


def pids(watcher: Discovery) -> list[int]:
    return [broker.pid for broker in watcher.current()]


def test_a_broker_is_found_and_its_ports_are_watched() -> None:
    host = Host({1: ("systemd", 1, ["init"]), 2: ("java", 2, ["java", "-jar", "x.jar"])})
    watcher = host.watcher(80)
    watcher.look()
    assert (pids(watcher), host.watched, host.asked) == ([], [], [])
    host.start(7)
    watcher.look()
    assert [(broker.pid, broker.start_ticks, broker.comm) for broker in watcher.current()] == [(7, 100, "java")]
    assert watcher.current()[0].facts == PLAIN
    assert host.watched == [({80, 9092}, {7})]


def test_a_script_that_becomes_a_broker() -> None:
    host = Host({7: ("kafka-server-st", 100, ["bash", "kafka-server-start.sh"])})
    watcher = host.watcher()
    watcher.look()
    host.start(7)
    watcher.look()
    assert pids(watcher) == [7]


def test_old_processes_are_looked_at_rarely() -> None:
    host = Host({pid: ("sshd", 1, ["sshd"]) for pid in range(1, 101)})
    watcher = host.watcher()
    for _ in range(30):
        watcher.look()
    host.looked_at.clear()
    for _ in range(30):
        watcher.look()
    assert len(host.looked_at) == 100


def test_a_java_that_becomes_a_broker_late() -> None:
    host = Host({7: ("java", 100, ["java", "Setup"])})
    watcher = host.watcher()
    for _ in range(45):
        watcher.look()
    host.start(7)
    for _ in range(30):
        watcher.look()
    assert pids(watcher) == [7]


def test_it_is_asked_until_all_is_known() -> None:
    host = Host()
    host.start(7, STARTING)
    watcher = host.watcher()
    watcher.look()
    watcher.look()
    assert (host.asked, host.watched) == ([7, 7], [(set(), {7})])
    host.facts[7] = PLAIN
    watcher.look()
    watcher.look()
    watcher.look()
    assert host.asked == [7, 7, 7]
    assert host.watched[-1] == ({9092}, {7})


def test_a_settled_broker_is_asked_again_now_and_then() -> None:
    host = Host()
    host.start(7)
    watcher = host.watcher()
    for _ in range(121):
        watcher.look()
    assert len(host.asked) == 3


def test_a_broker_that_never_settles_is_not_asked_for_ever() -> None:
    host = Host()
    host.start(7, STARTING)
    watcher = host.watcher()
    for _ in range(241):
        watcher.look()
    assert len(host.asked) == 64


def test_a_restart_finds_its_ports_watched() -> None:
    host = Host()
    host.start(7)
    watcher = host.watcher()
    watcher.look()
    del host.processes[7]
    watcher.look()
    assert (pids(watcher), host.watched[-1]) == ([], ({9092}, set()))
    host.start(8)
    watcher.look()
    assert (pids(watcher), host.watched[-1]) == ([8], ({9092}, {8}))


def test_the_ports_of_a_broker_that_stays_away_are_let_go() -> None:
    host = Host()
    host.start(7)
    watcher = host.watcher(80)
    watcher.look()
    del host.processes[7]
    for _ in range(301):
        watcher.look()
    assert host.watched[-1] == ({80}, set())


def test_a_process_id_that_is_used_again() -> None:
    host = Host()
    host.start(7)
    watcher = host.watcher()
    watcher.look()
    host.start(7, STARTING, start=200)
    watcher.look()
    assert [(broker.start_ticks, broker.facts) for broker in watcher.current()] == [(200, STARTING)]


def test_several_brokers() -> None:
    host = Host()
    host.start(7)
    host.start(8, Facts("2", (Listener("SSL", "SSL", 9093),), (12,), settled=True))
    watcher = host.watcher()
    watcher.look()
    assert host.watched == [({9092, 9093}, {7, 8})]


def test_one_line_for_what_is_missing(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    host.start(7, Facts("", (Listener(UNKNOWN, UNKNOWN, 9092),), problems=("x.properties: Permission denied",)))
    watcher = host.watcher()
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            watcher.look()
    assert [record.getMessage() for record in caplog.records] == [
        "broker: node unknown, process 7: listeners unknown (unknown) on 9092",
        "broker node unknown, process 7: x.properties: Permission denied; what is missing can be given by --watch.port",
    ]


def test_without_its_finder_it_stops() -> None:
    def ask(_: int) -> Facts:
        raise InspectorExitedError("it ended with status 1")

    host = Host()
    host.start(7)
    watcher = Discovery(host, ask, lambda _ports, _pids: None)
    with pytest.raises(InspectorExitedError):
        watcher.look()
