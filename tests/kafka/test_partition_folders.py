"""Which folders are partitions: links, mounts and layers; and that partitions that come and go fill no map."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.exporter_process import ExporterProcess
from tests.support.fake_broker import FakeBroker, write_config
from tests.support.filesystems import file_system, on_disk
from tests.support.page_cache import drop_from_page_cache
from tests.support.requirements import require_bpf
from tests.support.scrape import Scrape
from tests.support.wait import wait_until

NODE = "77001"
TOPIC_BYTES = "copy_kafka_topic_bytes_total"
SIZE = 1 << 20
IN_MOUNTS = ("unshare", "--mount", "bash", "-ec")
IMPATIENT = """if True:
    from exporter.kafka import topics, tracker
    from exporter.cli import main
    topics._MIN_UNUSED_NS = tracker._COUNT_INTERVAL_NS = 200_000_000
    main()
"""
"""The service with 0.2 s in place of the ten seconds after which an unused folder may be forgotten."""


@pytest.fixture(scope="module")
def exporter() -> Iterator[ExporterProcess]:
    require_bpf()
    with ExporterProcess() as started:
        yield started


@contextmanager
def started_broker(exporter: ExporterProcess, directory: Path, logs: Path, script: str = "") -> Iterator[FakeBroker]:
    """A broker that the exporter has found, with mounts that a script makes for it alone."""
    write_config(directory, node_id=NODE, log_dirs=logs, listeners="PLAINTEXT://127.0.0.1:0")
    before = (*IN_MOUNTS, f'{script}\nexec "$@"', "bash") if script else ()
    with FakeBroker(directory, "server.properties", before=before) as broker:
        broker.do("listen", "127.0.0.1", 0)
        wait_until(lambda: listens(exporter, broker), "the broker is found", 30)
        yield broker


def listens(exporter: ExporterProcess, broker: FakeBroker) -> bool:
    return bool(Scrape(exporter.metrics()).series("copy_kafka_listener_info", pid=str(broker.pid)))


def by_topic(exporter: ExporterProcess, mechanism: str) -> dict[str, float]:
    scrape = Scrape(exporter.metrics())
    topics = {series["topic"] for series in scrape.series(TOPIC_BYTES, node_id=NODE)}
    sums = {topic: scrape.sum(TOPIC_BYTES, node_id=NODE, topic=topic, mechanism=mechanism) for topic in topics}
    return {topic: moved for topic, moved in sums.items() if moved}


def write_file(folder: Path) -> Path:
    folder.mkdir(parents=True)
    file = folder / "0.log"
    file.write_bytes(os.urandom(SIZE))
    return file


def test_a_partition_folder_that_is_a_symbolic_link(exporter: ExporterProcess, tmp_path: Path) -> None:
    write_file(tmp_path / "fast" / "disk")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "linked-3").symlink_to("../fast/disk")
    with started_broker(exporter, tmp_path, tmp_path / "data") as broker:
        broker.do("read", tmp_path / "data" / "linked-3" / "0.log", 1000)
        assert by_topic(exporter, "cpu") == {"linked": 1000}


def test_a_log_directory_and_another_that_are_roots_of_file_systems(exporter: ExporterProcess, tmp_path: Path) -> None:
    """Both have the same inode number."""
    for name in ("logs", "app"):
        (tmp_path / name).mkdir()
    script = "\n".join(
        f"mount -t tmpfs none {root}; mkdir {root}/{folder}; head -c 5000 /dev/zero > {root}/{folder}/0"
        for root, folder in ((tmp_path / "logs", "mounted-0"), (tmp_path / "app", "jdk-17"))
    )
    with started_broker(exporter, tmp_path, tmp_path / "logs", script) as broker:
        broker.do("read", tmp_path / "app/jdk-17/0", 3000)
        broker.do("read", tmp_path / "logs/mounted-0/0", 2000)
        topics = by_topic(exporter, "cpu")
        assert (topics.get("mounted"), topics.get("jdk")) == (2000, None)


@pytest.mark.parametrize("kind", ["overlay", "btrfs"])
def test_disk_reads_of_other_file_systems(exporter: ExporterProcess, tmp_path: Path, kind: str) -> None:
    """On overlayfs the block layer reads the file below; btrfs has other devices in ``stat`` than in the kernel."""
    stack = on_disk(tmp_path) if kind == "overlay" else file_system(kind, tmp_path)
    with stack as made:
        disk = made if kind == "overlay" else made[1]
        cold = write_file(disk / "data" / f"{kind}-0")
        other = write_file(disk / "app" / "jdk-17")
        work, merged = tmp_path / "work", tmp_path / "merged"
        work.mkdir()
        merged.mkdir()
        script = f"mount --bind {disk} {merged}"
        if kind == "overlay":
            script = f"""mount -t tmpfs none {work}; mkdir {work}/upper {work}/work
                mount -t overlay overlay -o lowerdir={disk},upperdir={work}/upper,workdir={work}/work {merged}"""
        with started_broker(exporter, tmp_path, merged / "data", script) as broker:
            for file in (cold, other):
                drop_from_page_cache(file)
                broker.do("read", merged / file.relative_to(disk), SIZE)
            assert by_topic(exporter, "cpu").get(kind) == SIZE
            disk_reads = by_topic(exporter, "dma")
            assert disk_reads.get(kind) == SIZE
            assert "jdk" not in disk_reads


def test_partitions_that_come_and_go(tmp_path: Path) -> None:
    """Ten times as many as the map has room for."""
    require_bpf()
    waves, folders, size = 10, 50, 100
    data = tmp_path / "data"
    data.mkdir()
    command = (sys.executable, "-c", IMPATIENT, "serve")
    with ExporterProcess("--map.folders.entries", "128", command=command) as exporter:
        others = folders_in_map(exporter)
        with started_broker(exporter, tmp_path, data) as broker:
            for wave in range(waves):
                broker.do("write_partitions", data, wave * folders, folders, size)
                broker.do("remove_partitions", data, wave * folders, folders)
                wait_until(lambda: folders_in_map(exporter) - others <= 64, "unused folders are forgotten", 20)
            assert by_topic(exporter, "cpu") == {"wave": waves * folders * size}
            assert Scrape(exporter.metrics()).sum("copy_exporter_dropped_updates_total", map="folders") == 0


@pytest.mark.kafka
def test_twenty_waves_of_a_thousand_partitions(exporter: ExporterProcess, tmp_path: Path) -> None:
    """More than the map has room for, with its default size and times."""
    waves, folders, size = 20, 1000, 10
    data = tmp_path / "data"
    data.mkdir()
    dropped = Scrape(exporter.metrics()).sum("copy_exporter_dropped_updates_total", map="folders")
    with started_broker(exporter, tmp_path, data) as broker:
        for wave in range(waves):
            broker.do("write_partitions", data, wave * folders, folders, size)
            broker.do("remove_partitions", data, wave * folders, folders)
            time.sleep(2)  # a broker takes longer for as many
        assert by_topic(exporter, "cpu")["wave"] == waves * folders * size
        after = Scrape(exporter.metrics())
        assert after.sum("copy_exporter_dropped_updates_total", map="folders") == dropped
        assert folders_in_map(exporter) < waves * folders


def folders_in_map(exporter: ExporterProcess) -> float:
    return Scrape(exporter.metrics()).sum("copy_exporter_map_entries", map="folders")
