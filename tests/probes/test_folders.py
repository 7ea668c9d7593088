"""Bytes of a broker's files by their folder: exact, for a fake broker."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.kernel.btf import Btf
from exporter.loading.kernel_constants import verifier_features
from exporter.model import Folder, FolderTransfer, Role, moved_index
from tests.support.fake_broker import FakeBroker
from tests.support.page_cache import drop_from_page_cache
from tests.support.requirements import skip_for_kernel

from .probe_fixture import ProbeFixture, attached_probes
from .test_fallback_hooks import SLOW_LOADER

pytestmark = pytest.mark.probe("syscalls")

SIZE = 300_000


@pytest.fixture
def logs(disk: Path, request: pytest.FixtureRequest) -> Path:
    """A log directory."""
    directory = disk / request.node.name
    directory.mkdir()
    return directory


@pytest.fixture
def broker(probes: ProbeFixture, tmp_path: Path) -> Iterator[FakeBroker]:
    """A process whose folders are counted."""
    with FakeBroker(tmp_path) as started:
        probes.maps.watch_brokers([started.pid])
        yield started
        probes.maps.watch_brokers([])
    found = probes.maps.folders()
    probes.maps.take_folders([key for key, folder in found.items() if folder.identity.pid == started.pid])


def segment(folder: Path, name: str = "00000000000000000000.log") -> Path:
    """A file of SIZE bytes, in a folder that is made for it."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_bytes(os.urandom(SIZE))
    return file


def by_name(probes: ProbeFixture, broker: FakeBroker, parent: Path) -> dict[str, dict[FolderTransfer, int]]:
    """What was counted in the folders of a directory."""
    return {
        folder.name: {way: moved for way in FolderTransfer if (moved := sum(folder.moved[way :: len(FolderTransfer)]))}
        for folder in folders(probes, broker)
        if folder.parent == parent.stat().st_ino
    }


def folders(probes: ProbeFixture, broker: FakeBroker) -> list[Folder]:
    return [folder for folder in probes.maps.folders().values() if folder.identity.pid == broker.pid]


def test_each_way(probes: ProbeFixture, broker: FakeBroker, logs: Path) -> None:
    file, other = segment(logs / "one.topic-with-dashes-12"), segment(logs / "__consumer_offsets-0")
    broker.do("listen", "127.0.0.1", 0)
    broker.do("sendfile", file, 200_000)
    broker.do("sendfile", file, 100)
    broker.do("read", other, 4097)
    broker.do("write", file, 77)
    broker.do("write", other, 5000)
    assert by_name(probes, broker, logs) == {
        "one.topic-with-dashes-12": {FolderTransfer.BY_REFERENCE: 200_100, FolderTransfer.CPU_WRITTEN: 77},
        "__consumer_offsets-0": {FolderTransfer.CPU_READ: 4097, FolderTransfer.CPU_WRITTEN: 5000},
    }


def test_between_two_folders(probes: ProbeFixture, broker: FakeBroker, logs: Path) -> None:
    source, target = segment(logs / "a-0"), segment(logs / "b-0")
    copied = broker.do("copy_range", source, target, 10_000)
    assert copied == 10_000
    assert by_name(probes, broker, logs) == {
        "a-0": {FolderTransfer.CPU_READ: copied},
        "b-0": {FolderTransfer.CPU_WRITTEN: copied},
    }


def test_files_of_a_folder_count_together(probes: ProbeFixture, broker: FakeBroker, logs: Path) -> None:
    """A log that is rolled continues in another file."""
    for number in range(3):
        broker.do("read", segment(logs / "t-0", f"{number:020}.log"), 1000)
    assert by_name(probes, broker, logs) == {"t-0": {FolderTransfer.CPU_READ: 3000}}


def test_a_file_that_is_renamed_and_deleted(probes: ProbeFixture, broker: FakeBroker, logs: Path) -> None:
    file = segment(logs / "t-0")
    held = broker.do("hold", file)
    broker.do("write_held", held, 10)
    renamed = file.rename(file.with_suffix(".log.deleted"))
    broker.do("write_held", held, 20)
    renamed.unlink()
    broker.do("write_held", held, 40)
    assert by_name(probes, broker, logs) == {"t-0": {FolderTransfer.CPU_WRITTEN: 70}}


def test_a_folder_that_is_renamed(probes: ProbeFixture, broker: FakeBroker, logs: Path) -> None:
    file = segment(logs / "t-0")
    held = broker.do("hold", file)
    broker.do("write_held", held, 10)
    renamed = file.parent.rename(logs / f"t-0.{'0' * 32}-delete")
    broker.do("write_held", held, 20)
    broker.do("read", renamed / file.name, 300)
    assert by_name(probes, broker, logs) == {"t-0": {FolderTransfer.CPU_WRITTEN: 30, FolderTransfer.CPU_READ: 300}}


def test_another_folder_with_the_inode_of_one_that_is_gone(
    probes: ProbeFixture, broker: FakeBroker, logs: Path
) -> None:
    inodes = set()
    for number in range(4):
        file = segment(logs / f"topic{number}-0")
        inodes.add(file.parent.stat().st_ino)
        broker.do("read", file, 100 + number)
        file.unlink()
        file.parent.rmdir()
    assert len(inodes) < 4, "this file system gave no number twice"
    assert by_name(probes, broker, logs) == {
        f"topic{number}-0": {FolderTransfer.CPU_READ: 100 + number} for number in range(4)
    }


def test_a_long_name(probes: ProbeFixture, broker: FakeBroker, logs: Path) -> None:
    name = f"{'x' * 249}-10001"
    broker.do("read", segment(logs / name), 1)
    assert by_name(probes, broker, logs) == {name: {FolderTransfer.CPU_READ: 1}}


def test_only_processes_that_are_marked_as_brokers(
    probes: ProbeFixture, broker: FakeBroker, logs: Path, tmp_path: Path
) -> None:
    file = segment(logs / "t-0")
    (tmp_path / "other").mkdir()
    with FakeBroker(tmp_path / "other") as other:
        other.do("read", file, 10)
        assert folders(probes, other) == []
        probes.maps.watch_brokers([broker.pid, other.pid])
        other.do("read", file, 20)
        broker.do("read", file, 40)
        probes.maps.watch_brokers([broker.pid])
        other.do("read", file, 80)
        assert by_name(probes, other, logs) == {"t-0": {FolderTransfer.CPU_READ: 20}}
        assert by_name(probes, broker, logs) == {"t-0": {FolderTransfer.CPU_READ: 40}}
        mine = [key for key, folder in probes.maps.folders().items() if folder.identity.pid == other.pid]
        (taken,) = probes.maps.take_folders([*mine, *mine]).values()
        assert sum(taken.moved) == 20
        assert folders(probes, other) == []


def test_threads_that_use_a_watched_port(probes: ProbeFixture, broker: FakeBroker, logs: Path, tmp_path: Path) -> None:
    """Of brokers alone."""
    (tmp_path / "other").mkdir()
    with FakeBroker(tmp_path / "other") as other:
        ports = {process.pid: process.do("listen", "127.0.0.1", 0) for process in (broker, other)}
        unwatched = broker.do("listen", "127.0.0.1", 0)
        file = segment(logs / "t-0")
        probes.maps.watch_ports(ports.values())
        for process in (broker, other):
            process.do("sendfile", file, 1000)
        probes.maps.watch_ports([])
        threads = probes.maps.network_threads()
        assert unwatched not in threads.values()
        mine = {thread: port for thread, port in threads.items() if thread.identity.pid in ports}
        assert {(thread.identity.pid, thread.tid): port for thread, port in mine.items()} == {
            (broker.pid, broker.pid): ports[broker.pid]
        }


THREADS = {
    # JDKs up to 25; newer ones
    "data-plane-kafk": Role.NETWORK,
    "data-pl..TEXT-0": Role.NETWORK,
    "data-pl..dler-7": Role.NETWORK,
    "ReplicaFetcherT": Role.REPLICA_FETCHER,
    "Replica..ad-0-1": Role.REPLICA_FETCHER,
    "Replica..-0-100": Role.REPLICA_FETCHER,
    "Replica..0-1001": Role.REPLICA_FETCHER,
    "ReplicaAlterLog": Role.OTHER,
    "Replica..read-0": Role.OTHER,
    "Replica..ead-10": Role.OTHER,
    "kafka-log-clean": Role.CLEANER,
    "kafka-l..read-0": Role.CLEANER,
    "kafka-rlm-copy-": Role.REMOTE,
    "kafka-r..pool-3": Role.REMOTE,
    "remote-log-read": Role.REMOTE,
    "remote-..ader-0": Role.REMOTE,
    "log-recovery-/v": Role.RECOVERY,
    "log-rec..data-0": Role.RECOVERY,
    "kafka-scheduler": Role.OTHER,
    "kafka-s..uler-0": Role.OTHER,
    "kafka-1-raft-io": Role.OTHER,
    "kafka-9..thread": Role.OTHER,
    "group-coordinat": Role.OTHER,
    "java": Role.OTHER,
    "javac": Role.UNKNOWN,
    "pool-2-thread-1": Role.UNKNOWN,
    "kafka-": Role.UNKNOWN,
    "data": Role.UNKNOWN,
    "": Role.UNKNOWN,
}


def by_role(probes: ProbeFixture, broker: FakeBroker, name: str) -> dict[Role, dict[FolderTransfer, int]]:
    """What threads of each role have moved in a folder."""
    (folder,) = (folder for folder in folders(probes, broker) if folder.name == name)
    return {
        role: ways
        for role in Role
        if (ways := {way: moved for way in FolderTransfer if (moved := folder.moved[moved_index(role, way)])})
    }


def test_roles_of_threads(probes: ProbeFixture, broker: FakeBroker, logs: Path) -> None:
    file = segment(logs / "t-0")
    expected: dict[Role, dict[FolderTransfer, int]] = {}
    for number, (thread, role) in enumerate(THREADS.items()):
        broker.do("rename", thread)
        broker.do("read", file, 1 << number % 8)
        broker.do("write", file, 1000 + number)
        sums = expected.setdefault(role, {FolderTransfer.CPU_READ: 0, FolderTransfer.CPU_WRITTEN: 0})
        sums[FolderTransfer.CPU_READ] += 1 << number % 8
        sums[FolderTransfer.CPU_WRITTEN] += 1000 + number
    assert by_role(probes, broker, "t-0") == expected


def test_roles_of_sendfile_and_of_disk_reads(probes: ProbeFixture, broker: FakeBroker, logs: Path) -> None:
    probes.require("block")
    file = segment(logs / "t-0")
    drop_from_page_cache(file)
    broker.do("listen", "127.0.0.1", 0)
    broker.do("rename", "data-plane-kafk")
    broker.do("sendfile", file, SIZE)
    assert by_role(probes, broker, "t-0") == {
        Role.NETWORK: {FolderTransfer.BY_REFERENCE: SIZE, FolderTransfer.DMA_READ: -(-SIZE // 4096) * 4096}
    }


@pytest.mark.parametrize("way", ["read", "sendfile"])
def test_reads_of_the_disk(probes: ProbeFixture, broker: FakeBroker, logs: Path, way: str) -> None:
    probes.require("block")
    broker.do("listen", "127.0.0.1", 0)
    file = segment(logs / way)
    drop_from_page_cache(file)
    broker.do(way, file, SIZE)
    pages = -(-SIZE // 4096) * 4096
    counted = by_name(probes, broker, logs)[way]
    assert counted[FolderTransfer.DMA_READ] == pages
    broker.do(way, file, SIZE)
    assert by_name(probes, broker, logs)[way][FolderTransfer.DMA_READ] == pages


@pytest.mark.parametrize("lacking", ["rdonly_cast", "typed_task"])
def test_the_same_where_the_verifier_can_do_less(
    probes: ProbeFixture, broker: FakeBroker, logs: Path, lacking: str
) -> None:
    if not getattr(verifier_features(Btf()), lacking):
        skip_for_kernel(f"{lacking} to do without")
    with attached_probes(command=(sys.executable, str(SLOW_LOADER), lacking)) as slow:
        slow.maps.watch_brokers([broker.pid])
        broker.do("listen", "127.0.0.1", 0)
        file = segment(logs / "t-0")
        drop_from_page_cache(file)
        broker.do("sendfile", file, SIZE)
        broker.do("write", file, 10)
        broker.do("read", file, 33)
        counted = by_name(slow, broker, logs)
        assert counted == by_name(probes, broker, logs)
        assert counted["t-0"] | {FolderTransfer.DMA_READ: 0} == {
            FolderTransfer.BY_REFERENCE: SIZE,
            FolderTransfer.CPU_WRITTEN: 10,
            FolderTransfer.CPU_READ: 33,
            FolderTransfer.DMA_READ: 0,
        }
