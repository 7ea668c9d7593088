"""The read and write families on every kind of endpoint."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.model import Endpoint, Operation
from tests.support.filesystems import command, loop_device
from tests.support.requirements import skip_for_kernel

from .probe_fixture import Counts, ProbeFixture, cpu, dma

pytestmark = pytest.mark.probe("syscalls")

READS = (Operation.READ, Operation.READV, Operation.PREAD64, Operation.PREADV, Operation.PREADV2)
WRITES = (Operation.WRITE, Operation.WRITEV, Operation.PWRITE64, Operation.PWRITEV, Operation.PWRITEV2)


@pytest.fixture(scope="module")
def endpoints(workload: Callable[..., Path]) -> Path:
    return workload("endpoints")


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    """A file on tmpfs."""
    path = Path("/dev/shm") / f"copy-exporter-test-{os.getpid()}"
    path.write_bytes(bytes(65536))
    yield path
    path.unlink()


@pytest.fixture
def file(disk: Path) -> Path:
    path = disk / "file"
    path.write_bytes(bytes(65536))
    return path


@pytest.fixture
def block_device(disk: Path) -> Iterator[Path]:
    with loop_device(disk / "backing", 1 << 20) as device:
        yield device


def reads_from(endpoint: Endpoint) -> Counts:
    return {cpu(call, endpoint, Endpoint.USER): (1, 5) for call in READS}


def writes_to(endpoint: Endpoint) -> Counts:
    return {cpu(call, Endpoint.USER, endpoint): (1, 7) for call in WRITES}


def test_a_file_on_a_disk(probes: ProbeFixture, endpoints: Path, file: Path) -> None:
    assert probes.run(endpoints, "reads", file).calls == reads_from(Endpoint.PAGE_CACHE)
    assert probes.run(endpoints, "writes", file).calls == writes_to(Endpoint.PAGE_CACHE)


def test_a_file_in_memory(probes: ProbeFixture, endpoints: Path, memory: Path) -> None:
    assert probes.run(endpoints, "reads", memory).calls == reads_from(Endpoint.PAGE_CACHE)
    assert probes.run(endpoints, "writes", memory).calls == writes_to(Endpoint.PAGE_CACHE)


def test_a_memfd(probes: ProbeFixture, endpoints: Path) -> None:
    memfd = os.memfd_create("test")
    os.pwrite(memfd, bytes(100), 0)
    path = f"/proc/{os.getpid()}/fd/{memfd}"
    assert probes.run(endpoints, "reads", path).calls == reads_from(Endpoint.PAGE_CACHE)
    assert probes.run(endpoints, "writes", path).calls == writes_to(Endpoint.PAGE_CACHE)
    os.close(memfd)


def test_a_block_device(probes: ProbeFixture, endpoints: Path, block_device: Path) -> None:
    assert probes.run(endpoints, "reads", block_device).calls == reads_from(Endpoint.PAGE_CACHE)
    assert probes.run(endpoints, "writes", block_device).calls == writes_to(Endpoint.PAGE_CACHE)


def test_character_devices(probes: ProbeFixture, endpoints: Path) -> None:
    assert probes.run(endpoints, "reads", "/dev/zero").calls == reads_from(Endpoint.DEVICE)
    assert probes.run(endpoints, "writes", "/dev/null").calls == writes_to(Endpoint.DEVICE)


@pytest.fixture
def cgroup(tmp_path: Path) -> Iterator[Path]:
    """The control files of version 2, wherever else they are mounted."""
    command("mount", "-t", "cgroup2", "test", tmp_path)
    yield tmp_path
    command("umount", tmp_path)


def test_a_cgroup_file(probes: ProbeFixture, endpoints: Path, cgroup: Path) -> None:
    assert probes.run(endpoints, "reads", cgroup / "cgroup.procs").calls == reads_from(Endpoint.PSEUDO)


@pytest.mark.parametrize("path", ["/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled"])
def test_pseudo_files(probes: ProbeFixture, endpoints: Path, path: str) -> None:
    assert probes.run(endpoints, "reads", path).calls == reads_from(Endpoint.PSEUDO)


def test_a_written_pseudo_file(probes: ProbeFixture, endpoints: Path) -> None:
    written = {cpu(Operation.WRITE, Endpoint.USER, Endpoint.PSEUDO): (1, 7)}
    assert probes.run(endpoints, "writes_proc").calls == written


def test_a_pipe(probes: ProbeFixture, endpoints: Path) -> None:
    assert probes.run(endpoints, "pipes").calls == {
        cpu(Operation.WRITE, Endpoint.USER, Endpoint.PIPE): (1, 100),
        cpu(Operation.WRITEV, Endpoint.USER, Endpoint.PIPE): (1, 7),
        cpu(Operation.READ, Endpoint.PIPE, Endpoint.USER): (3, 100),
        cpu(Operation.READV, Endpoint.PIPE, Endpoint.USER): (1, 7),
    }


def test_anonymous_inodes(probes: ProbeFixture, endpoints: Path) -> None:
    """An eventfd, a timerfd, and a signalfd, whose record has 128 bytes."""
    assert probes.run(endpoints, "anonymous").calls == {
        cpu(Operation.WRITE, Endpoint.USER, Endpoint.ANON): (1, 8),
        cpu(Operation.READ, Endpoint.ANON, Endpoint.USER): (3, 8 + 8 + 128),
    }


def test_partial_reads_and_the_end_of_a_file(probes: ProbeFixture, endpoints: Path, disk: Path) -> None:
    path = disk / "10000"
    path.write_bytes(bytes(10000))
    assert probes.run(endpoints, "to_the_end", path).calls == {
        cpu(Operation.READ, Endpoint.PAGE_CACHE, Endpoint.USER): (6, 10000),
        cpu(Operation.PREAD64, Endpoint.PAGE_CACHE, Endpoint.USER): (1, 10),
    }


def test_a_descriptor_above_1024(probes: ProbeFixture, endpoints: Path, file: Path) -> None:
    read = {cpu(Operation.READ, Endpoint.PAGE_CACHE, Endpoint.USER): (1, 4096)}
    assert probes.run(endpoints, "high_descriptor", file).calls == read


def _directly() -> Counts:
    return {
        dma(Operation.READ, Endpoint.DISK, Endpoint.USER): (1, 4096),
        dma(Operation.PREADV, Endpoint.DISK, Endpoint.USER): (1, 8192),
        dma(Operation.WRITE, Endpoint.USER, Endpoint.DISK): (1, 4096),
        dma(Operation.PWRITEV, Endpoint.USER, Endpoint.DISK): (1, 8192),
    }


def test_direct_io_on_a_disk(probes: ProbeFixture, endpoints: Path, file: Path) -> None:
    assert probes.run(endpoints, "direct", file).calls == _directly()


def test_direct_io_on_a_block_device(probes: ProbeFixture, endpoints: Path, block_device: Path) -> None:
    assert probes.run(endpoints, "direct", block_device).calls == _directly()


def test_direct_io_on_a_file_in_memory_is_copied(probes: ProbeFixture, endpoints: Path, memory: Path) -> None:
    """Since e88e0d366f9c (v6.6)."""
    try:
        os.close(os.open(memory, os.O_RDWR | os.O_DIRECT))
    except OSError as problem:
        skip_for_kernel(f"O_DIRECT on tmpfs: {problem.strerror}")
    assert probes.run(endpoints, "direct", memory).calls == {
        cpu(Operation.READ, Endpoint.PAGE_CACHE, Endpoint.USER): (1, 4096),
        cpu(Operation.PREADV, Endpoint.PAGE_CACHE, Endpoint.USER): (1, 8192),
        cpu(Operation.WRITE, Endpoint.USER, Endpoint.PAGE_CACHE): (1, 4096),
        cpu(Operation.PWRITEV, Endpoint.USER, Endpoint.PAGE_CACHE): (1, 8192),
    }


def test_direct_io_switched_on_and_off(probes: ProbeFixture, endpoints: Path, file: Path) -> None:
    assert probes.run(endpoints, "direct_for_a_while", file).calls == {
        cpu(Operation.PREAD64, Endpoint.PAGE_CACHE, Endpoint.USER): (2, 8192),
        dma(Operation.PREAD64, Endpoint.DISK, Endpoint.USER): (1, 8192),
    }
