"""Discovery of brokers that start, change and exit, on a simulated host."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from threading import Event

import pytest

from exporter.host.procfs import Stat
from exporter.kafka.broker import CHANGED_CONFIG, UNKNOWN, Facts, Listener, Node
from exporter.kafka.discovery import SCAN_INTERVAL_SECONDS, Discovery, DiscoverySettings
from exporter.kafka.inspector import InspectionError
from exporter.model import FileId

BROKER = ["java", "-cp", "x", "kafka.Kafka", "server.properties"]
COMPLETE = Facts("1", (Listener("PLAINTEXT", "PLAINTEXT", 9092),), (FileId(8, 11),), complete=True)
INCOMPLETE = Facts("1", (), (FileId(8, 11),))


@dataclass
class Host:
    """/proc, the inspector and the clock; records what is read, inspected and watched."""

    processes: dict[int, tuple[str, int, list[str]]] = field(default_factory=dict)
    facts: dict[int, Facts | InspectionError] = field(default_factory=dict)
    owners: dict[int, int] = field(default_factory=dict)
    inspection_seconds: dict[int, float] = field(default_factory=dict)
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
        self.now += self.inspection_seconds.get(pid, 0.0)
        facts = self.facts[pid]
        if isinstance(facts, InspectionError):
            raise facts
        return facts

    def watch(self, ports: Iterable[int], pids: Iterable[int]) -> None:
        self.watched.append((set(ports), set(pids)))

    def owner(self, pid: int) -> int:
        return self.owners.get(pid, 0)

    def discovery(self, *ports: int, max_brokers: int = 16, max_ports: int = 64) -> Discovery:
        settings = DiscoverySettings(ports, max_brokers, max_ports)
        return Discovery(self, self.inspect, self.watch, settings, lambda: self.now)

    def scan_for(self, discovery: Discovery, seconds: float) -> None:
        """Scan now, and then at the interval of the service, while ``seconds`` pass."""
        end = self.now + seconds
        while self.now < end:
            discovery.scan()
            self.now += SCAN_INTERVAL_SECONDS

    def start(self, pid: int, facts: Facts | InspectionError = COMPLETE, start: int = 100, owner: int = 0) -> None:
        self.processes[pid] = ("java", start, BROKER)
        self.facts[pid] = facts
        self.owners[pid] = owner


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


def test_the_ports_of_a_broker_that_exited_are_watched_for_five_minutes() -> None:
    host = Host()
    host.start(7)
    discovery = host.discovery(80)
    host.scan_for(discovery, 2)
    del host.processes[7]
    host.scan_for(discovery, 298)
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
        "broker: cluster unknown, node unknown, process 7: listeners unknown (unknown) on 9092",
        "broker: cluster unknown, node unknown, process 7: x.properties: Permission denied",
    ]


LATE = InspectionError("the inspector did not answer within 8 s")


def test_discovery_recovers_from_late_answers(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    host.start(7, LATE)
    discovery = host.discovery()
    host.scan_for(discovery, 120)
    assert (pids(discovery), discovery.success) == ([7], False)
    assert len(host.inspected) == 5, "after 4, 8, 16, 32 s"
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "broker: cluster unknown, node unknown, process 7: the inspector did not answer within 8 s"
    ]
    host.facts[7] = COMPLETE
    host.scan_for(discovery, 122)
    assert (discovery.success, discovery.brokers()[0].facts, host.watched[-1]) == (True, COMPLETE, ({9092}, {7}))


def test_a_broker_keeps_its_facts_while_the_inspector_does_not_answer() -> None:
    host = Host()
    host.start(7)
    discovery = host.discovery()
    discovery.scan()
    host.facts[7] = LATE
    host.scan_for(discovery, 124)
    (broker,) = discovery.brokers()
    assert (broker.facts.listeners, broker.facts.problems) == (COMPLETE.listeners, (str(LATE),))
    assert not discovery.success
    del host.processes[7]
    discovery.scan()
    assert (pids(discovery), discovery.success) == ([], True)


def test_scans_continue_after_an_error(caplog: pytest.LogCaptureFixture) -> None:
    stopped = Event()

    class Unreadable(Host):
        def pids(self) -> list[int]:
            self.stats.append(0)
            if len(self.stats) > 1:
                stopped.set()
            raise OSError(5, "Input/output error")

    host = Unreadable()
    discovery = host.discovery()
    stopped.wait = lambda _=None: stopped.is_set()  # type: ignore[method-assign, assignment]
    discovery.scan_until(stopped)
    assert (len(host.stats), discovery.success) == (2, False)
    assert [record.getMessage() for record in caplog.records] == [
        "broker discovery failed, will be tried again: Input/output error"
    ]


def ports_of(*ports: int) -> Facts:
    listeners = tuple(Listener(f"L{port}", "PLAINTEXT", port) for port in ports)
    return Facts("1", listeners, (FileId(8, 11),), ports=ports, fingerprint="a", complete=True)


def watched_ports(discovery: Discovery) -> list[list[int]]:
    return [[listener.port for listener in broker.facts.listeners] for broker in discovery.brokers()]


def test_many_ports_leave_room_for_other_brokers() -> None:
    host = Host()
    host.start(7, ports_of(*range(1000, 1100)))
    host.start(8, ports_of(9092, 9093))
    discovery = host.discovery(max_ports=6)
    discovery.scan()
    assert watched_ports(discovery) == [[1000, 1001, 1002, 1003], [9092, 9093]]
    assert host.watched[-1] == ({1000, 1001, 1002, 1003, 9092, 9093}, {7, 8})


def test_ports_of_exited_brokers_are_limited_too() -> None:
    host = Host()
    discovery = host.discovery(max_ports=3)
    for pid in range(10, 20):
        host.start(pid, ports_of(pid * 10, pid * 10 + 1))
        host.scan_for(discovery, 2)
        del host.processes[pid]
    host.scan_for(discovery, 2)
    assert len(host.watched[-1][0]) == 3
    host.scan_for(discovery, 300)
    assert host.watched[-1] == (set(), set())


def test_many_brokers_of_one_user_leave_room_for_another_user() -> None:
    host = Host()
    for pid in range(10, 30):
        host.start(pid, start=pid, owner=1000)
    discovery = host.discovery(max_brokers=4)
    discovery.scan()
    assert pids(discovery) == [10, 11, 12, 13]
    host.start(50, start=500, owner=900)
    discovery.scan()
    assert pids(discovery) == [10, 11, 12, 50]
    for pid in range(10, 30):
        del host.processes[pid]
    discovery.scan()
    assert pids(discovery) == [50]


def test_slow_brokers_of_one_user_do_not_delay_those_of_another() -> None:
    host = Host()
    for pid in range(10, 14):
        host.start(pid, LATE, owner=1000)
        host.inspection_seconds[pid] = 5.0
    host.start(50, owner=900)
    discovery = host.discovery()
    discovery.scan()
    assert host.inspected == [10, 50]
    assert pids(discovery) == [10, 11, 12, 13, 50]
    host.inspected.clear()
    for _ in range(3):
        discovery.scan()
    assert host.inspected == [11, 12, 13], "those first that have waited longest"


def test_long_lists_are_cut_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    host.start(7, ports_of(*range(1000, 1100)))
    with caplog.at_level(logging.INFO):
        host.discovery(max_ports=100).scan()
    (record,) = caplog.records
    assert record.getMessage().endswith("L1006 (PLAINTEXT) on 1006, L1007 (PLAINTEXT) on 1007, 92 more")


def test_facts_are_those_of_the_start() -> None:
    host = Host()
    host.start(7, ports_of(9092, 9093))
    discovery = host.discovery()
    discovery.scan()
    edited = (Listener("L9092", "SSL", 9092), Listener("NEW", "SSL", 9094))
    host.facts[7] = Facts("2", edited, (12,), ports=(9092, 9094), fingerprint="b", complete=True)
    host.scan_for(discovery, 124)
    (broker,) = discovery.brokers()
    assert broker.facts.listeners == (Listener("L9092", "PLAINTEXT", 9092), Listener(UNKNOWN, UNKNOWN, 9094))
    assert (broker.facts.node_id, broker.facts.log_directories) == ("1", (FileId(8, 11),))
    assert broker.facts.problems == (CHANGED_CONFIG,)
    host.facts[7] = Facts(listeners=(Listener(UNKNOWN, UNKNOWN, 9092),), ports=(9092,), problems=("No such file",))
    host.scan_for(discovery, 124)
    assert watched_ports(discovery) == [[9092]]
    assert discovery.brokers()[0].facts.listeners[0].name == "L9092"


def test_two_brokers_with_the_same_ids(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    discovery = host.discovery()
    for pid in (1, 2):
        host.start(pid, replace(COMPLETE, cluster_id="c", directory_id=f"d{pid}"))
    discovery.scan()
    assert [broker.node for broker in discovery.brokers()] == [Node("c", "1@d1"), Node("c", "1@d2")]
    assert "several brokers have cluster id c and node id 1" in caplog.text
    del host.processes[1]
    discovery.scan()
    assert [broker.node for broker in discovery.brokers()] == [Node("c", "1@d2")]


def test_configured_ports_that_stay_closed_are_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    host.start(1, replace(COMPLETE, closed=(9095,), complete=False))
    host.scan_for(host.discovery(), 100.0)
    assert "which is not open" not in caplog.text
    discovery = host.discovery()
    host.scan_for(discovery, 600.0)
    assert caplog.text.count("its configuration has a listener on port 9095, which is not open") == 1


def test_a_controller_is_not_announced_as_a_broker(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    host = Host()
    host.start(1, replace(COMPLETE, roles="controller"))
    host.discovery().scan()
    assert "controller: cluster unknown, node 1, process 1: listeners" in caplog.text


@pytest.mark.parametrize(
    ("comm", "arguments"),
    [("jsvc", BROKER), ("kafka.Kafka", ["/opt/kafka/kafka.Kafka", "start", "--config", "server.properties"])],
)
def test_brokers_that_no_java_command_started(comm: str, arguments: list[str]) -> None:
    host = Host()
    host.start(1)
    host.processes[1] = (comm, 100, arguments)
    discovery = host.discovery()
    discovery.scan()
    assert pids(discovery) == [1]


def test_a_broker_that_returns_without_its_twin_has_the_identity_that_it_had() -> None:
    host = Host()
    discovery = host.discovery()

    def node_ids() -> list[str]:
        discovery.scan()
        host.now += SCAN_INTERVAL_SECONDS
        return [broker.node.node_id for broker in discovery.brokers()]

    twins = {pid: replace(COMPLETE, cluster_id="c", directory_id=name) for pid, name in ((7, "a"), (8, "b"))}
    for pid, facts in twins.items():
        host.start(pid, facts)
    assert node_ids() == ["1@a", "1@b"]
    host.processes.clear()
    assert node_ids() == []
    host.now += 290
    host.start(9, twins[8])
    assert node_ids() == ["1@b"]
    host.processes.clear()
    assert node_ids() == []
    host.now += 310
    host.start(10, twins[8])
    assert node_ids() == ["1"], "its totals have ended"
