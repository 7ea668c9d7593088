"""Sums by topic: whatever folders, brokers and restarts come, they only grow, and none is another's."""

import string
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kafka.broker import Broker, Facts
from exporter.kafka.counts import KafkaCounts
from exporter.kafka.topics import OTHER, Topic, Topics, parse_folder
from exporter.kafka.zero_copy_loss import Losses
from exporter.model import Folder, Identity
from tests.support.sample_network_devices import SampleNetworkDevices

LOGS = 50
TICK_NS = 10_000_000
UNIQUE = "0123456789abcdef" * 2


def broker(pid: int = 7, node_id: str = "1", logs: int = LOGS, start: int = 100) -> Broker:
    return Broker(pid, start, "java", Facts(node_id, (), (logs,) if logs else ()))


def folder(name: str, *moved: int, pid: int = 7, parent: int = LOGS, start: int = 100) -> Folder:
    return Folder(Identity(start * TICK_NS + 3, pid), name, parent, (*moved, 0, 0, 0, 0)[:4])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("t-0", ("t", 0)),
        ("my.topic-with_dashes-2-17", ("my.topic-with_dashes-2", 17)),
        ("__consumer_offsets-49", ("__consumer_offsets", 49)),
        ("__cluster_metadata-0", ("__cluster_metadata", 0)),
        (f"t-3.{UNIQUE}-delete", ("t", 3)),
        (f"a.b-3.{UNIQUE}-future", ("a.b", 3)),
        (f"t-3.{UNIQUE}-stray", ("t", 3)),
        (f"t.{UNIQUE}-delete-5", (f"t.{UNIQUE}-delete", 5)),
        ("remote-log-index-cache", None),
        ("libs", None),
        ("-0", None),
        ("t-", None),
        ("t-0x", None),
        ("täglich-0", None),
        ("", None),
    ],
)
def test_names_of_folders(name: str, expected: tuple[str, int] | None) -> None:
    assert parse_folder(name) == expected


NAMES = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=249)
SUFFIXES = st.sampled_from(["", f".{UNIQUE}-delete", f".{UNIQUE}-future", f".{UNIQUE}-stray"])


@given(NAMES, st.integers(0, 2**31 - 1), SUFFIXES)
def test_any_topic(topic: str, partition: int, suffix: str) -> None:
    assert parse_folder(f"{topic}-{partition}{suffix}") == (topic, partition)


@given(st.text())
def test_any_name(name: str) -> None:
    parse_folder(name)


def test_partitions_of_a_topic_are_one() -> None:
    topics = Topics()
    folders = {b"1": folder("t-0", 1, 2, 3, 4), b"2": folder("t-1", 10, 20, 30, 40), b"3": folder("u-0", 5)}
    assert topics.add(folders, [broker()]) == []
    assert topics.totals() == {Topic("1", "t"): (11, 22, 33, 44), Topic("1", "u"): (5, 0, 0, 0)}


def test_partitions_apart() -> None:
    topics = Topics(by_partition=True)
    topics.add({b"1": folder("t-0", 1), b"2": folder("t-1", 2)}, [broker()])
    assert topics.totals() == {Topic("1", "t", "0"): (1, 0, 0, 0), Topic("1", "t", "1"): (2, 0, 0, 0)}


def test_other_files_of_a_broker_are_of_no_topic() -> None:
    topics = Topics()
    topics.add({b"1": folder("libs-1", 1, parent=99), b"2": folder("data", 2)}, [broker()])
    assert topics.totals() == {}


def test_nothing_is_counted_twice() -> None:
    topics = Topics()
    for moved in (1, 5, 5, 9):
        topics.add({b"1": folder("t-0", moved)}, [broker()])
    assert topics.totals() == {Topic("1", "t"): (9, 0, 0, 0)}


def test_a_folder_keeps_its_topic_under_another_name() -> None:
    topics = Topics()
    topics.add({b"1": folder("t-0", 1)}, [broker()])
    topics.add({b"1": folder(f"u-0.{UNIQUE}-delete", 2)}, [broker()])
    assert topics.totals() == {Topic("1", "t"): (2, 0, 0, 0)}


def test_a_name_that_the_kernel_is_just_reading() -> None:
    topics = Topics()
    topics.add({b"1": folder("", 1)}, [broker()])
    topics.add({b"1": folder("t-0", 3)}, [broker()])
    assert topics.totals() == {Topic("1", "t"): (3, 0, 0, 0)}


def test_what_came_before_the_log_directories_were_known() -> None:
    topics = Topics()
    topics.add({b"1": folder("t-0", 1)}, [broker(logs=0)])
    assert topics.totals() == {}
    topics.add({b"1": folder("t-0", 3)}, [broker()])
    assert topics.totals() == {Topic("1", "t"): (3, 0, 0, 0)}


def test_a_restart_goes_on() -> None:
    topics = Topics()
    assert topics.add({b"1": folder("t-0", 5)}, [broker()]) == []
    assert topics.add({b"1": folder("t-0", 7)}, []) == [b"1"]
    assert topics.add({b"2": folder("t-0", 4, pid=8)}, [broker(8)]) == []
    assert topics.totals() == {Topic("1", "t"): (11, 0, 0, 0)}


def test_a_process_id_that_is_used_again() -> None:
    """By another process, which has no broker's files."""
    topics = Topics()
    topics.add({b"1": folder("t-0", 5)}, [broker()])
    assert topics.add({b"1": folder("t-0", 5), b"2": folder("t-0", 9, start=200)}, []) == [b"1", b"2"]
    assert topics.totals() == {Topic("1", "t"): (5, 0, 0, 0)}


def test_two_brokers_with_the_same_topic() -> None:
    topics = Topics()
    folders = {b"1": folder("t-0", 1), b"2": folder("t-0", 2, pid=8, parent=60)}
    topics.add(folders, [broker(), broker(8, "2", 60)])
    assert topics.totals() == {Topic("1", "t"): (1, 0, 0, 0), Topic("2", "t"): (2, 0, 0, 0)}


def test_topics_beyond_the_limit_are_other() -> None:
    topics = Topics(2)
    folders = {str(number).encode(): folder(f"t{number}-0", 1) for number in range(5)}
    topics.add(folders, [broker()])
    topics.add(folders | {b"x": folder("t0-1", 10)}, [broker()])
    totals = topics.totals()
    assert totals[Topic("1", OTHER)] == (3, 0, 0, 0)
    assert totals[Topic("1", "t0")] == (11, 0, 0, 0)
    assert len(totals) == 3
    assert sum(moved[0] for moved in totals.values()) == 15


def test_brokers_without_end_add_no_series() -> None:
    topics = Topics(1)
    brokers = [broker(pid, f"{pid}") for pid in range(1, 9)]
    folders = {str(one.pid).encode(): folder("t-0", 1, pid=one.pid) for one in brokers}
    topics.add(folders, brokers)
    topics.add({b"x": folder("u-0", 5, pid=1)}, brokers)
    assert topics.totals() == {
        Topic("1", "t"): (1, 0, 0, 0),
        Topic("1", OTHER): (5, 0, 0, 0),
        Topic(OTHER, OTHER): (7, 0, 0, 0),
    }


STEPS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1000), st.booleans()), max_size=50)


@given(STEPS, st.integers(0, 8))
def test_every_byte_once_whatever_happens(steps: list[tuple[int, int, bool]], most: int) -> None:
    """Folders grow, brokers restart: the sums are the truth, and never shrink."""
    topics, pid, truth = Topics(most), 1, 0
    folders: dict[bytes, Folder] = {}
    before: dict[Topic, tuple[int, ...]] = {}
    for number, moved, restart in steps:
        if restart:
            for key in topics.add(folders, []):
                del folders[key]
            pid += 1
        key = f"{pid} {number}".encode()
        grown = (folders[key].moved[0] if key in folders else 0) + moved
        truth += moved
        folders[key] = folder(f"t{number}-0", grown, pid=pid)
        topics.add(folders, [broker(pid)])
        totals = topics.totals()
        assert sum(one[0] for one in totals.values()) == truth
        assert all(totals[topic][0] >= one[0] for topic, one in before.items())
        assert len(totals) <= most + 1
        before = totals


class Maps:
    """The kernel's map of folders."""

    def __init__(self) -> None:
        self.present: dict[bytes, Folder] = {}
        self.reads = 0

    def folders(self) -> dict[bytes, Folder]:
        self.reads += 1
        return dict(self.present)

    def forget_folders(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            del self.present[key]


def test_without_brokers_nothing_is_read() -> None:
    maps = Maps()
    counts = KafkaCounts(maps, tuple, Topics(), Losses(SampleNetworkDevices()))
    counts.drain()
    assert counts.read({}, 0).topics == {}
    assert maps.reads == 0


def test_the_last_counts_of_a_broker_that_ended_between_two_scrapes() -> None:
    maps, brokers = Maps(), [broker()]
    counts = KafkaCounts(maps, lambda: tuple(brokers), Topics(), Losses(SampleNetworkDevices()))
    counts.drain()
    counts.drain()
    assert maps.reads == 1, "only when a broker comes or goes"
    maps.present[b"1"] = folder("t-0", 5)
    brokers.clear()
    counts.drain()
    assert maps.present == {}
    assert counts.read({}, 0).topics == {Topic("1", "t"): (5, 0, 0, 0)}
