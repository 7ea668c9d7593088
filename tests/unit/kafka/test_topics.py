"""Sums by topic: whatever folders, brokers and restarts come, they only grow, and none is another's."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from exporter.kafka.broker import UNKNOWN, Broker, Facts, LinkedFolder, Node
from exporter.kafka.topics import OTHER, TopicCounter, TopicKey, TopicLimits
from exporter.model import ROLES_MAX, FileId, Folder, FolderTransfer, Identity

LOGS = 50
TICK_NS = 10_000_000
SECOND_NS = 1_000_000_000
UNIQUE = "0123456789abcdef" * 2
HOUR_NS = 3600 * SECOND_NS
MAX_FOLDERS = 1000


def node(node_id: str) -> Node:
    return Node(UNKNOWN, node_id)


def broker(pid: int = 7, node_id: str = "1", logs: int = LOGS, start: int = 100) -> Broker:
    return Broker(pid, start, "java", Facts(node_id, (), (FileId(8, logs),) if logs else ()))


def folder(name: str, *moved: int, pid: int = 7, parent: int = LOGS, start: int = 100) -> Folder:
    return Folder(Identity(start * TICK_NS + 3, pid), FileId(8, 1000), name, parent, counts(*moved))


def counts(*moved: int) -> tuple[int, ...]:
    """The counts of a folder, the first of which are these."""
    return (*moved, *(0,) * (ROLES_MAX * len(FolderTransfer) - len(moved)))


def count(
    topics: TopicCounter,
    folders: Mapping[bytes, Folder],
    brokers: Sequence[Broker],
    now_ns: int = 0,
    max_folders: int = MAX_FOLDERS,
) -> list[bytes]:
    """Count these folders, and return the keys of those that were taken out of the map."""
    topics.count(folders, brokers, now_ns)
    keys = topics.select_forgettable(max_folders, now_ns)
    topics.forget(keys, {key: folders[key] for key in keys if key in folders}, now_ns)
    return keys


def test_partitions_are_added_up() -> None:
    topics = TopicCounter()
    folders = {b"1": folder("t-0", 1, 2, 3, 4), b"2": folder("t-1", 10, 20, 30, 40), b"3": folder("u-0", 5)}
    assert count(topics, folders, [broker()]) == []
    assert topics.totals() == {
        TopicKey(node("1"), "t"): counts(11, 22, 33, 44),
        TopicKey(node("1"), "u"): counts(5, 0, 0, 0),
    }


def test_totals_by_partition() -> None:
    topics = TopicCounter(by_partition=True)
    count(topics, {b"1": folder("t-0", 1), b"2": folder("t-1", 2)}, [broker()])
    assert topics.totals() == {
        TopicKey(node("1"), "t", "0"): counts(1, 0, 0, 0),
        TopicKey(node("1"), "t", "1"): counts(2, 0, 0, 0),
    }


def test_other_folders_belong_to_no_topic() -> None:
    topics = TopicCounter()
    count(topics, {b"1": folder("libs-1", 1, parent=99), b"2": folder("data", 2)}, [broker()])
    assert topics.totals() == {}


def test_only_increases_are_counted() -> None:
    topics = TopicCounter()
    for moved in (1, 5, 5, 9):
        count(topics, {b"1": folder("t-0", moved)}, [broker()])
    assert topics.totals() == {TopicKey(node("1"), "t"): counts(9, 0, 0, 0)}


def test_a_renamed_folder_keeps_its_topic() -> None:
    topics = TopicCounter()
    count(topics, {b"1": folder("t-0", 1)}, [broker()])
    count(topics, {b"1": folder(f"u-0.{UNIQUE}-delete", 2)}, [broker()])
    assert topics.totals() == {TopicKey(node("1"), "t"): counts(2, 0, 0, 0)}


def test_a_folder_whose_name_is_not_known_yet() -> None:
    topics = TopicCounter()
    count(topics, {b"1": folder("", 1)}, [broker()])
    count(topics, {b"1": folder("t-0", 3)}, [broker()])
    assert topics.totals() == {TopicKey(node("1"), "t"): counts(3, 0, 0, 0)}


def test_a_folder_waits_until_the_log_directories_are_known() -> None:
    topics = TopicCounter()
    count(topics, {b"1": folder("t-0", 1)}, [broker(logs=0)])
    assert topics.totals() == {}
    count(topics, {b"1": folder("t-0", 3)}, [broker()])
    assert topics.totals() == {TopicKey(node("1"), "t"): counts(3, 0, 0, 0)}


def test_totals_continue_after_a_restart() -> None:
    topics = TopicCounter()
    assert count(topics, {b"1": folder("t-0", 5)}, [broker()]) == []
    assert count(topics, {b"1": folder("t-0", 7)}, []) == [b"1"]
    assert count(topics, {b"2": folder("t-0", 4, pid=8)}, [broker(8)]) == []
    assert topics.totals() == {TopicKey(node("1"), "t"): counts(11, 0, 0, 0)}


def test_another_process_with_the_id_of_a_broker_is_not_counted() -> None:
    topics = TopicCounter()
    count(topics, {b"1": folder("t-0", 5)}, [broker()])
    assert count(topics, {b"1": folder("t-0", 5), b"2": folder("t-0", 9, start=200)}, []) == [b"1", b"2"]
    assert topics.totals() == {TopicKey(node("1"), "t"): counts(5, 0, 0, 0)}


def test_two_brokers_with_the_same_topic() -> None:
    topics = TopicCounter()
    folders = {b"1": folder("t-0", 1), b"2": folder("t-0", 2, pid=8, parent=60)}
    count(topics, folders, [broker(), broker(8, "2", 60)])
    assert topics.totals() == {
        TopicKey(node("1"), "t"): counts(1, 0, 0, 0),
        TopicKey(node("2"), "t"): counts(2, 0, 0, 0),
    }


def test_topics_above_the_limit_are_other() -> None:
    topics = TopicCounter(TopicLimits(topics=2))
    folders = {str(number).encode(): folder(f"t{number}-0", 1) for number in range(5)}
    count(topics, folders, [broker()])
    count(topics, folders | {b"x": folder("t0-1", 10)}, [broker()])
    totals = topics.totals()
    assert totals[TopicKey(node("1"), OTHER)] == counts(3, 0, 0, 0)
    assert totals[TopicKey(node("1"), "t0")] == counts(11, 0, 0, 0)
    assert len(totals) == 3
    assert sum(moved[0] for moved in totals.values()) == 15


def test_each_node_has_a_limit_of_its_own() -> None:
    topics = TopicCounter(TopicLimits(topics=1))
    brokers = [broker(7, "1"), broker(8, "2")]
    folders = {b"1": folder("t-0", 1), b"2": folder("u-0", 2), b"3": folder("v-0", 4, pid=8)}
    count(topics, folders, brokers)
    assert topics.totals() == {
        TopicKey(node("1"), "t"): counts(1),
        TopicKey(node("1"), OTHER): counts(2),
        TopicKey(node("2"), "v"): counts(4),
    }


def test_many_nodes_add_no_totals_above_the_limit() -> None:
    topics = TopicCounter(TopicLimits(topics=1, nodes=1))
    brokers = [broker(pid, f"{pid}") for pid in range(1, 9)]
    folders = {str(running.pid).encode(): folder("t-0", 1, pid=running.pid) for running in brokers}
    count(topics, folders, brokers)
    count(topics, {b"x": folder("u-0", 5, pid=1)}, brokers)
    assert topics.totals() == {
        TopicKey(node("1"), "t"): counts(1),
        TopicKey(node("1"), OTHER): counts(5),
        TopicKey(Node(OTHER, OTHER), OTHER): counts(7),
    }


def test_nodes_with_a_topic_that_is_named_other_make_room() -> None:
    topics = TopicCounter(TopicLimits(nodes=2))
    for number in range(2):
        count(topics, {b"1": folder("other-0", 1)}, [broker(node_id=f"gone-{number}")])
        count(topics, {}, [])
    topics.end_totals(400 * SECOND_NS)
    count(topics, {b"2": folder("t-0", 5)}, [broker(node_id="here")], 400 * SECOND_NS)
    assert topics.totals() == {TopicKey(node("here"), "t"): counts(5)}


def test_idle_topics_make_room_and_start_from_zero_when_they_return() -> None:
    topics = TopicCounter(TopicLimits(topics=1))
    folders = {b"1": folder("old-0", 5), b"2": folder("new-0", 1)}
    count(topics, folders, [broker()], 0)
    assert topics.totals() == {TopicKey(node("1"), "old"): counts(5), TopicKey(node("1"), OTHER): counts(1)}
    folders[b"2"] = folder("new-0", 3)
    count(topics, folders, [broker()], 2 * HOUR_NS)
    topics.end_totals(2 * HOUR_NS)
    assert topics.totals() == {TopicKey(node("1"), OTHER): counts(3)}, "the old one has ended, and is not folded"
    folders[b"2"] = folder("new-0", 4)
    count(topics, folders, [broker()], 2 * HOUR_NS)
    assert topics.totals() == {TopicKey(node("1"), OTHER): counts(3), TopicKey(node("1"), "new"): counts(1)}
    folders[b"1"] = folder("old-0", 7)
    count(topics, folders, [broker()], 2 * HOUR_NS)
    assert topics.totals()[TopicKey(node("1"), OTHER)] == counts(3 + 2), "its place is taken"
    count(topics, folders, [broker()], 4 * HOUR_NS)
    topics.end_totals(4 * HOUR_NS)
    folders[b"1"] = folder("old-0", 8)
    count(topics, folders, [broker()], 4 * HOUR_NS)
    assert topics.totals() == {TopicKey(node("1"), OTHER): counts(5), TopicKey(node("1"), "old"): counts(1)}


def test_topics_that_came_and_went_leave_room() -> None:
    topics = TopicCounter(TopicLimits(topics=10))
    for hour in range(100):
        name = f"topic{hour}"
        count(topics, {name.encode(): folder(f"{name}-0", 1)}, [broker()], hour * HOUR_NS)
        topics.end_totals(hour * HOUR_NS)
        assert TopicKey(node("1"), name) in topics.totals()
        assert len(topics.totals()) <= 3


def test_waves_of_folders_make_room_in_the_map() -> None:
    """Twenty times as many partitions come and go as the map has room for at once."""
    topics, in_map, created = TopicCounter(), dict[bytes, Folder](), 0
    for wave in range(40):
        now_ns = wave * 10 * SECOND_NS
        for number in range(MAX_FOLDERS // 2):
            in_map[b"%d-%d" % (wave, number)] = folder(f"t-{number}", 1)
            created += 1
        assert len(in_map) <= MAX_FOLDERS
        for key in count(topics, in_map, [broker()], now_ns):
            del in_map[key]
    assert topics.totals() == {TopicKey(node("1"), "t"): counts(created)}


def test_folders_in_use_are_not_forgotten() -> None:
    topics, busy = TopicCounter(), {}
    for seconds in range(0, 60, 5):
        busy = {b"%d" % number: folder(f"busy-{number}", seconds + 1) for number in range(4)}
        unused = {b"u": folder("unused-0", 1)} if seconds < 30 else {}
        forgotten = count(topics, busy | unused, [broker()], seconds * SECOND_NS, max_folders=8)
        assert forgotten in ([], [b"u"])
        if forgotten:
            break
    assert forgotten == [b"u"]


def test_bytes_of_the_last_moment_and_of_a_folder_that_is_used_again() -> None:
    topics = TopicCounter()
    topics.count({b"1": folder("t-0", 1)}, [broker()])
    topics.forget([b"1"], {b"1": folder("t-0", 3)})
    count(topics, {b"1": folder("t-0", 10)}, [broker()])
    assert topics.totals() == {TopicKey(node("1"), "t"): counts(13)}


def test_a_folder_of_another_file_system_with_the_inode_of_a_log_directory() -> None:
    """As /app/jdk-17 where /app and the log directory are both the root of a file system."""
    topics = TopicCounter()
    elsewhere = replace(folder("jdk-17", 5), file=FileId(9, 1000))
    count(topics, {b"1": elsewhere}, [broker()])
    assert topics.totals() == {}


def test_a_partition_folder_that_is_a_symbolic_link() -> None:
    topics = TopicCounter()
    target = replace(folder("fast", 5, parent=99), file=FileId(9, 77))
    count(topics, {b"1": target}, [broker()])
    assert topics.totals() == {}
    linked = replace(broker(), facts=replace(broker().facts, linked_folders=(LinkedFolder("t-3", FileId(9, 77)),)))
    count(topics, {b"1": target}, [linked])
    assert topics.totals() == {TopicKey(node("1"), "t"): counts(5)}, "nothing was lost before the link was found"


def test_disk_reads_below_an_overlay() -> None:
    """They are of a folder of the file system below; a folder without such a partition is no topic's."""
    topics = TopicCounter()
    on_overlay = replace(broker(), facts=replace(broker().facts, on_overlay=True))
    below = {"file": FileId(9, 1), "parent": 2}
    folders = {
        b"1": replace(folder("t-0", 0, 0, 0, 7), **below),
        b"2": replace(folder("jdk-17", 0, 0, 0, 9), **below),
        b"3": folder("t-0", 100),
    }
    for _ in range(2):
        count(topics, folders, [on_overlay])
    assert topics.totals() == {TopicKey(node("1"), "t"): counts(100, 0, 0, 7)}


def test_totals_end_after_the_brokers_of_their_node() -> None:
    topics = TopicCounter(TopicLimits(topics=1))
    real, fake = broker(), Broker(8, 100, "java", Facts("1", (), (FileId(8, 60),)), owner=1000, discriminator="8")
    real_folders = {b"1": folder("t-0", 1), b"2": folder("u-0", 2)}
    fake_folders = {b"3": folder("x-0", 4, pid=8, parent=60), b"4": folder("t-0", 8, pid=8, parent=60)}
    of_real = {TopicKey(node("1"), "t"): counts(1, 0, 0, 0), TopicKey(node("1"), OTHER): counts(2, 0, 0, 0)}
    of_fake = {TopicKey(node("1@8"), "x"): counts(4, 0, 0, 0), TopicKey(node("1@8"), OTHER): counts(8, 0, 0, 0)}
    count(topics, fake_folders | real_folders, [fake, real])
    topics.end_totals(0)
    assert topics.totals() == of_real | of_fake
    count(topics, fake_folders | real_folders, [real], 10 * SECOND_NS)
    topics.end_totals(299 * SECOND_NS)
    assert topics.totals() == of_real | of_fake
    count(topics, real_folders, [real], 311 * SECOND_NS)
    topics.end_totals(311 * SECOND_NS)
    assert topics.totals() == of_real
    count(topics, real_folders, [], 313 * SECOND_NS)
    topics.end_totals(614 * SECOND_NS)
    assert topics.totals() == {}


def test_totals_continue_after_a_restart_within_five_minutes() -> None:
    topics = TopicCounter()
    count(topics, {b"1": folder("t-0", 5), b"2": folder("idle-0", 1)}, [broker()], 0)
    count(topics, {b"1": folder("t-0", 5), b"2": folder("idle-0", 1)}, [], SECOND_NS)
    for seconds in (299, 900):
        count(topics, {b"3": folder("t-0", 2, pid=9)}, [broker(9)], seconds * SECOND_NS)
        topics.end_totals(seconds * SECOND_NS)
    assert topics.totals() == {
        TopicKey(node("1"), "t"): counts(7, 0, 0, 0),
        TopicKey(node("1"), "idle"): counts(1, 0, 0, 0),
    }


def test_a_broker_whose_identity_becomes_known() -> None:
    topics = TopicCounter()
    count(topics, {b"1": folder("t-0", 1)}, [broker()])
    known = Broker(7, 100, "java", Facts("1", (), (FileId(8, LOGS),), cluster_id="c"))
    count(topics, {b"1": folder("t-0", 5)}, [known], SECOND_NS)
    assert topics.totals() == {
        TopicKey(node("1"), "t"): counts(1, 0, 0, 0),
        TopicKey(Node("c", "1"), "t"): counts(4, 0, 0, 0),
    }


STEPS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1000), st.booleans()), max_size=50)


@given(STEPS, st.integers(0, 8))
def test_every_byte_is_counted_once(steps: list[tuple[int, int, bool]], max_topics: int) -> None:
    """Folders grow and brokers restart: the totals are exact, and never decrease."""
    topics, pid, truth = TopicCounter(TopicLimits(max_topics)), 1, 0
    folders: dict[bytes, Folder] = {}
    before: dict[TopicKey, tuple[int, ...]] = {}
    for number, moved, restart in steps:
        if restart:
            for key in count(topics, folders, []):
                del folders[key]
            pid += 1
        key = f"{pid} {number}".encode()
        grown = (folders[key].moved[0] if key in folders else 0) + moved
        truth += moved
        folders[key] = folder(f"t{number}-0", grown, pid=pid)
        count(topics, folders, [broker(pid)])
        totals = topics.totals()
        assert sum(moved[0] for moved in totals.values()) == truth
        assert all(totals[topic][0] >= moved[0] for topic, moved in before.items())
        assert len(totals) <= max_topics + 1
        before = totals
