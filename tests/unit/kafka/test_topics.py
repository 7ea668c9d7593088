"""Sums by topic: whatever folders, brokers and restarts come, they only grow, and none is another's."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kafka.broker import UNKNOWN, Broker, Facts, Node
from exporter.kafka.topics import OTHER, TopicCounter, TopicKey, parse_folder
from exporter.model import ROLES_MAX, Folder, FolderTransfer, Identity

LOGS = 50
TICK_NS = 10_000_000
SECOND_NS = 1_000_000_000
UNIQUE = "0123456789abcdef" * 2


def node(node_id: str) -> Node:
    return Node(UNKNOWN, node_id)


def broker(pid: int = 7, node_id: str = "1", logs: int = LOGS, start: int = 100) -> Broker:
    return Broker(pid, start, "java", Facts(node_id, (), (logs,) if logs else ()))


def folder(name: str, *moved: int, pid: int = 7, parent: int = LOGS, start: int = 100) -> Folder:
    return Folder(Identity(start * TICK_NS + 3, pid), name, parent, counts(*moved))


def counts(*moved: int) -> tuple[int, ...]:
    """The counts of a folder, the first of which are these."""
    return (*moved, *(0,) * (ROLES_MAX * len(FolderTransfer) - len(moved)))


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
def test_folder_names(name: str, expected: tuple[str, int] | None) -> None:
    assert parse_folder(name) == expected


NAMES = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=249)
SUFFIXES = st.sampled_from(["", f".{UNIQUE}-delete", f".{UNIQUE}-future", f".{UNIQUE}-stray"])


@given(NAMES, st.integers(0, 2**31 - 1), SUFFIXES)
def test_every_valid_folder_name_is_parsed(topic: str, partition: int, suffix: str) -> None:
    assert parse_folder(f"{topic}-{partition}{suffix}") == (topic, partition)


@given(st.text())
def test_any_name_is_accepted(name: str) -> None:
    parse_folder(name)


def test_partitions_are_added_up() -> None:
    topics = TopicCounter()
    folders = {b"1": folder("t-0", 1, 2, 3, 4), b"2": folder("t-1", 10, 20, 30, 40), b"3": folder("u-0", 5)}
    assert topics.count(folders, [broker()]) == []
    assert topics.totals() == {
        TopicKey(node("1"), "t"): counts(11, 22, 33, 44),
        TopicKey(node("1"), "u"): counts(5, 0, 0, 0),
    }


def test_totals_by_partition() -> None:
    topics = TopicCounter(by_partition=True)
    topics.count({b"1": folder("t-0", 1), b"2": folder("t-1", 2)}, [broker()])
    assert topics.totals() == {
        TopicKey(node("1"), "t", "0"): counts(1, 0, 0, 0),
        TopicKey(node("1"), "t", "1"): counts(2, 0, 0, 0),
    }


def test_other_folders_belong_to_no_topic() -> None:
    topics = TopicCounter()
    topics.count({b"1": folder("libs-1", 1, parent=99), b"2": folder("data", 2)}, [broker()])
    assert topics.totals() == {}


def test_only_increases_are_counted() -> None:
    topics = TopicCounter()
    for moved in (1, 5, 5, 9):
        topics.count({b"1": folder("t-0", moved)}, [broker()])
    assert topics.totals() == {TopicKey(node("1"), "t"): counts(9, 0, 0, 0)}


def test_a_renamed_folder_keeps_its_topic() -> None:
    topics = TopicCounter()
    topics.count({b"1": folder("t-0", 1)}, [broker()])
    topics.count({b"1": folder(f"u-0.{UNIQUE}-delete", 2)}, [broker()])
    assert topics.totals() == {TopicKey(node("1"), "t"): counts(2, 0, 0, 0)}


def test_a_folder_whose_name_is_not_known_yet() -> None:
    topics = TopicCounter()
    topics.count({b"1": folder("", 1)}, [broker()])
    topics.count({b"1": folder("t-0", 3)}, [broker()])
    assert topics.totals() == {TopicKey(node("1"), "t"): counts(3, 0, 0, 0)}


def test_a_folder_waits_until_the_log_directories_are_known() -> None:
    topics = TopicCounter()
    topics.count({b"1": folder("t-0", 1)}, [broker(logs=0)])
    assert topics.totals() == {}
    topics.count({b"1": folder("t-0", 3)}, [broker()])
    assert topics.totals() == {TopicKey(node("1"), "t"): counts(3, 0, 0, 0)}


def test_totals_continue_after_a_restart() -> None:
    topics = TopicCounter()
    assert topics.count({b"1": folder("t-0", 5)}, [broker()]) == []
    assert topics.count({b"1": folder("t-0", 7)}, []) == [b"1"]
    assert topics.count({b"2": folder("t-0", 4, pid=8)}, [broker(8)]) == []
    assert topics.totals() == {TopicKey(node("1"), "t"): counts(11, 0, 0, 0)}


def test_another_process_with_the_id_of_a_broker_is_not_counted() -> None:
    topics = TopicCounter()
    topics.count({b"1": folder("t-0", 5)}, [broker()])
    assert topics.count({b"1": folder("t-0", 5), b"2": folder("t-0", 9, start=200)}, []) == [b"1", b"2"]
    assert topics.totals() == {TopicKey(node("1"), "t"): counts(5, 0, 0, 0)}


def test_two_brokers_with_the_same_topic() -> None:
    topics = TopicCounter()
    folders = {b"1": folder("t-0", 1), b"2": folder("t-0", 2, pid=8, parent=60)}
    topics.count(folders, [broker(), broker(8, "2", 60)])
    assert topics.totals() == {
        TopicKey(node("1"), "t"): counts(1, 0, 0, 0),
        TopicKey(node("2"), "t"): counts(2, 0, 0, 0),
    }


def test_topics_above_the_limit_are_other() -> None:
    topics = TopicCounter(2)
    folders = {str(number).encode(): folder(f"t{number}-0", 1) for number in range(5)}
    topics.count(folders, [broker()])
    topics.count(folders | {b"x": folder("t0-1", 10)}, [broker()])
    totals = topics.totals()
    assert totals[TopicKey(node("1"), OTHER)] == counts(3, 0, 0, 0)
    assert totals[TopicKey(node("1"), "t0")] == counts(11, 0, 0, 0)
    assert len(totals) == 3
    assert sum(moved[0] for moved in totals.values()) == 15


def test_many_brokers_add_no_totals_above_the_limit() -> None:
    topics = TopicCounter(1)
    brokers = [broker(pid, f"{pid}") for pid in range(1, 9)]
    folders = {str(running.pid).encode(): folder("t-0", 1, pid=running.pid) for running in brokers}
    topics.count(folders, brokers)
    topics.count({b"x": folder("u-0", 5, pid=1)}, brokers)
    assert topics.totals() == {
        TopicKey(node("1"), "t"): counts(1, 0, 0, 0),
        TopicKey(node("1"), OTHER): counts(5, 0, 0, 0),
        TopicKey(Node(OTHER, OTHER), OTHER): counts(7, 0, 0, 0),
    }


def test_totals_end_after_the_brokers_of_their_node() -> None:
    topics = TopicCounter(3)
    real, fake = broker(), Broker(8, 100, "java", Facts("1", (), (60,)), owner=1000, discriminator="8")
    real_folders = {b"1": folder("t-0", 1), b"2": folder("u-0", 2)}
    fake_folders = {b"3": folder("x-0", 4, pid=8, parent=60), b"4": folder("t-0", 8, pid=8, parent=60)}
    of_real = {TopicKey(node("1"), "t"): counts(1, 0, 0, 0), TopicKey(node("1"), OTHER): counts(2, 0, 0, 0)}
    of_fake = {TopicKey(node("1@8"), "x"): counts(4, 0, 0, 0), TopicKey(node("1@8"), "t"): counts(8, 0, 0, 0)}
    topics.count(fake_folders | real_folders, [fake, real])
    topics.end_totals(0)
    assert topics.totals() == of_real | of_fake
    topics.count(fake_folders | real_folders, [real], 10 * SECOND_NS)
    topics.end_totals(299 * SECOND_NS)
    assert topics.totals() == of_real | of_fake
    topics.count(real_folders, [real], 311 * SECOND_NS)
    topics.end_totals(311 * SECOND_NS)
    assert topics.totals() == of_real
    real_folders[b"2"] = folder("u-0", 5)
    topics.count(real_folders, [real], 312 * SECOND_NS)
    assert topics.totals()[TopicKey(node("1"), "u")] == counts(3, 0, 0, 0), "it has a place now"
    topics.count(real_folders, [], 313 * SECOND_NS)
    topics.end_totals(614 * SECOND_NS)
    assert topics.totals() == {}


def test_totals_continue_after_a_restart_within_five_minutes() -> None:
    topics = TopicCounter()
    topics.count({b"1": folder("t-0", 5), b"2": folder("idle-0", 1)}, [broker()], 0)
    topics.count({b"1": folder("t-0", 5), b"2": folder("idle-0", 1)}, [], SECOND_NS)
    for seconds in (299, 900):
        topics.count({b"3": folder("t-0", 2, pid=9)}, [broker(9)], seconds * SECOND_NS)
        topics.end_totals(seconds * SECOND_NS)
    assert topics.totals() == {
        TopicKey(node("1"), "t"): counts(7, 0, 0, 0),
        TopicKey(node("1"), "idle"): counts(1, 0, 0, 0),
    }


def test_a_broker_whose_identity_becomes_known() -> None:
    topics = TopicCounter()
    topics.count({b"1": folder("t-0", 1)}, [broker()])
    known = Broker(7, 100, "java", Facts("1", (), (LOGS,), cluster_id="c"))
    topics.count({b"1": folder("t-0", 5)}, [known], SECOND_NS)
    assert topics.totals() == {
        TopicKey(node("1"), "t"): counts(1, 0, 0, 0),
        TopicKey(Node("c", "1"), "t"): counts(4, 0, 0, 0),
    }


STEPS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1000), st.booleans()), max_size=50)


@given(STEPS, st.integers(0, 8))
def test_every_byte_is_counted_once(steps: list[tuple[int, int, bool]], max_topics: int) -> None:
    """Folders grow and brokers restart: the totals are exact, and never decrease."""
    topics, pid, truth = TopicCounter(max_topics), 1, 0
    folders: dict[bytes, Folder] = {}
    before: dict[TopicKey, tuple[int, ...]] = {}
    for number, moved, restart in steps:
        if restart:
            for key in topics.count(folders, []):
                del folders[key]
            pid += 1
        key = f"{pid} {number}".encode()
        grown = (folders[key].moved[0] if key in folders else 0) + moved
        truth += moved
        folders[key] = folder(f"t{number}-0", grown, pid=pid)
        topics.count(folders, [broker(pid)])
        totals = topics.totals()
        assert sum(moved[0] for moved in totals.values()) == truth
        assert all(totals[topic][0] >= moved[0] for topic, moved in before.items())
        assert len(totals) <= max_topics + 1
        before = totals
