"""When the map of folders is read, and which of them are deleted."""

from collections.abc import Iterable
from dataclasses import replace

from exporter.kafka.broker import Broker, Facts
from exporter.kafka.listener_cpu import ListenerCpuCounter
from exporter.kafka.topics import TopicCounter, TopicKey
from exporter.kafka.tracker import KafkaTracker
from exporter.kafka.zero_copy_loss import FolderBytes, LossDetector
from exporter.model import NS_PER_TICK, ROLES_MAX, FileId, Folder, FolderTransfer, Identity, Role, Thread, moved_index
from tests.support.sample_network_devices import SampleNetworkDevices

BROKER = Broker(7, 100, "java", Facts("1", (), (FileId(8, 50),)))
MOVED = (5,) + (0,) * (ROLES_MAX * len(FolderTransfer) - 1)
FOLDER = Folder(Identity(100 * NS_PER_TICK, 7), FileId(8, 1000), "t-0", 50, MOVED)

CPU = ListenerCpuCounter(lambda _pid, _tid: None)


class FoundBrokers:
    """The result of discovery."""

    success = True
    watched_ports = frozenset({9092})

    def __init__(self, *brokers: Broker) -> None:
        self.found = brokers

    def brokers(self) -> tuple[Broker, ...]:
        return self.found


class FolderMap:
    """The kernel's map of folders in memory."""

    def __init__(self) -> None:
        self.present: dict[bytes, Folder] = {}
        self.reads = 0

    def folders(self) -> dict[bytes, Folder]:
        self.reads += 1
        return dict(self.present)

    def network_threads(self) -> dict[Thread, int]:
        return {}

    @property
    def max_folders(self) -> int:
        return 4

    def take_folders(self, keys: Iterable[bytes]) -> dict[bytes, Folder]:
        return {key: self.present.pop(key) for key in keys}


def test_without_brokers_the_map_is_not_read() -> None:
    folder_map = FolderMap()
    tracker = KafkaTracker(folder_map, FoundBrokers(), TopicCounter(), LossDetector(SampleNetworkDevices()), CPU)
    tracker.count_if_due(0)
    assert tracker.take_snapshot({}, 0).topics == {}
    assert folder_map.reads == 0


def test_the_last_bytes_of_a_broker_that_exited_between_two_scrapes() -> None:
    folder_map, brokers = FolderMap(), FoundBrokers(BROKER)
    tracker = KafkaTracker(folder_map, brokers, TopicCounter(), LossDetector(SampleNetworkDevices()), CPU)
    tracker.count_if_due(0)
    tracker.count_if_due(0)
    assert folder_map.reads == 1, "only when a broker starts or exits, or after ten seconds"
    tracker.count_if_due(10_000_000_000)
    assert folder_map.reads == 2
    folder_map.present[b"1"] = FOLDER
    brokers.found = ()
    tracker.count_if_due(0)
    assert folder_map.present == {}
    assert tracker.take_snapshot({}, 0).topics == {TopicKey(BROKER.node, "t"): MOVED}


def test_what_a_broker_read_to_serve_does_not_decrease_when_its_totals_end_or_get_another_name() -> None:
    folder_map, brokers = FolderMap(), FoundBrokers(BROKER)
    tracker = KafkaTracker(folder_map, brokers, TopicCounter(), LossDetector(SampleNetworkDevices()), CPU)
    read = moved_index(Role.NETWORK, FolderTransfer.CPU_READ)
    folder_map.present[b"1"] = replace(FOLDER, moved=(*MOVED[:read], 9, *MOVED[read + 1 :]))
    tracker.take_snapshot({}, 0)
    assert tracker.folder_bytes == {(7, 100): FolderBytes(read_to_serve=9)}
    brokers.found = (replace(BROKER, discriminator="twin"),)
    assert tracker.take_snapshot({}, 2 * 3600 * 10**9).topics == {}
    assert tracker.folder_bytes == {(7, 100): FolderBytes(read_to_serve=9)}


def test_what_a_broker_read_before_a_restart_is_not_of_the_new_process() -> None:
    folder_map, brokers = FolderMap(), FoundBrokers(BROKER)
    tracker = KafkaTracker(folder_map, brokers, TopicCounter(), LossDetector(SampleNetworkDevices()), CPU)
    folder_map.present[b"1"] = FOLDER
    tracker.take_snapshot({}, 0)
    brokers.found = (replace(BROKER, start_ticks=101),)
    for second in (1, 2):
        tracker.take_snapshot({}, second * 10**9)
    assert tracker.folder_bytes == {(7, 101): FolderBytes()}
