"""Reads of disks into the page cache, compared with ``read_bytes`` of /proc/PID/io."""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.model import Endpoint, Operation, Rows
from tests.support.filesystems import MKFS, command, file_system, loop_device

from .probe_fixture import DISK_READS, ProbeFixture, amount, dma

pytestmark = pytest.mark.probe("block")

SIZE = 4 << 20


@pytest.fixture(scope="module")
def program(workload: Callable[..., Path]) -> Path:
    return workload("disk")


@pytest.fixture(scope="module")
def file(disk: Path) -> Path:
    return written(disk)


def written(directory: Path) -> Path:
    path = directory / "cold"
    path.write_bytes(bytes(SIZE))
    os.sync()
    return path


@dataclass
class Reads:
    read_bytes: int
    rows: Rows

    @property
    def counted(self) -> int:
        return amount(self.rows, DISK_READS)


def measure(probes: ProbeFixture, program: Path, scenario: str, path: Path) -> Reads:
    with probes.start(program, scenario, path, stdin=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.read(1) == b"!"
        lines = Path(f"/proc/{process.pid}/io").read_text().splitlines()
        reads = Reads(int(dict(line.split(": ") for line in lines)["read_bytes"]), probes.rows(process.pid))
        process.stdin.close()
        assert process.wait(30) == 0
    return reads


@pytest.mark.parametrize("scenario", ["read_all", "fault_all", "send_all"])
def test_a_cold_file(probes: ProbeFixture, program: Path, file: Path, scenario: str) -> None:
    """By read, by faults of mapped pages, by sendfile: the disk is read once."""
    reads = measure(probes, program, scenario, file)
    assert reads.counted == reads.read_bytes == SIZE


def test_direct_reads_are_not_of_the_page_cache(probes: ProbeFixture, program: Path, file: Path) -> None:
    reads = measure(probes, program, "read_directly", file)
    direct = dma(Operation.PREAD64, Endpoint.DISK, Endpoint.USER)
    assert reads.rows[direct][:2] == (4, reads.read_bytes)
    assert reads.counted == 0


def test_a_warm_file(probes: ProbeFixture, program: Path, file: Path) -> None:
    measure(probes, program, "read_all", file)
    reads = measure(probes, program, "read_again", file)
    assert reads.counted == reads.read_bytes == 0


@pytest.mark.parametrize("kind", [kind for kind in MKFS if kind != "ext4"])
def test_other_file_systems(probes: ProbeFixture, program: Path, tmp_path: Path, kind: str) -> None:
    """btrfs over two disks splits each read into clones, which are not those of a stacked device."""
    with file_system(kind, tmp_path) as (_, mounted):
        reads = measure(probes, program, "read_all", written(mounted))
        assert reads.counted == reads.read_bytes >= SIZE


def test_a_block_device(probes: ProbeFixture, program: Path, tmp_path: Path) -> None:
    with file_system("ext4", tmp_path) as ((device,), _):
        reads = measure(probes, program, "read_all", device)
        assert reads.counted == reads.read_bytes >= SIZE // 2


@pytest.fixture(params=["linear", "crypt"])
def stacked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A device of the device mapper over a loop device."""
    with loop_device(tmp_path / "below", 64 << 20) as below:
        sectors = (64 << 20) // 512
        table = f"0 {sectors} " + (
            f"linear {below} 0" if request.param == "linear" else f"crypt aes-xts-plain64 {'0f' * 32} 0 {below} 0"
        )
        name = f"copy-exporter-test-{os.getpid()}"
        command("dmsetup", "create", "--noudevsync", name, "--table", table)
        yield Path("/dev") / command("dmsetup", "info", "-c", "--noheadings", "-o", "blkdevname", name)
        command("dmsetup", "remove", "--noudevsync", "--retry", name)


def test_a_stacked_device_counts_once(probes: ProbeFixture, program: Path, stacked: Path) -> None:
    reads = measure(probes, program, "read_all", stacked)
    assert reads.counted == reads.read_bytes >= SIZE
