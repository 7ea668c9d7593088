"""O_DIRECT on files without a disk: what another process or machine serves, memory, and overlayfs over each."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.model import Endpoint, Operation
from tests.support.filesystems import command
from tests.support.paths import ROOT
from tests.support.requirements import skip_for_kernel

from .probe_fixture import Counts, ProbeFixture, cpu, dma

pytestmark = pytest.mark.probe("syscalls")

SIZE = 65536


@pytest.fixture(scope="module")
def endpoints(workload: Callable[..., Path]) -> Path:
    return workload("endpoints")


@pytest.fixture
def served(workload: Callable[..., Path], tmp_path: Path) -> Iterator[Path]:
    """A file that another process serves by FUSE."""
    directory = tmp_path / "fuse"
    directory.mkdir()
    with subprocess.Popen([workload("fuse_server"), "serve_file", directory], stdout=subprocess.PIPE) as server:
        assert server.stdout
        if server.stdout.read(1) != b"!":
            skip_for_kernel("FUSE")
        try:
            yield directory / "served"
        finally:
            command("umount", directory)
            assert server.wait(30) == 0


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "tmpfs"
    directory.mkdir()
    command("mount", "-t", "tmpfs", "test", directory)
    yield directory
    command("umount", directory)


def written(path: Path) -> Path:
    path.write_bytes(bytes(SIZE))
    return path


def copied(endpoint: Endpoint) -> Counts:
    return {
        cpu(Operation.READ, endpoint, Endpoint.USER): (1, 4096),
        cpu(Operation.PREADV, endpoint, Endpoint.USER): (1, 8192),
        cpu(Operation.WRITE, Endpoint.USER, endpoint): (1, 4096),
        cpu(Operation.PWRITEV, Endpoint.USER, endpoint): (1, 8192),
    }


def require_direct(path: Path) -> None:
    """Files on tmpfs accept O_DIRECT since e88e0d366f9c (v6.6)."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECT))
    except OSError as problem:
        skip_for_kernel(f"O_DIRECT on {path}: {problem.strerror}")


def test_a_file_served_by_a_process(probes: ProbeFixture, endpoints: Path, served: Path) -> None:
    assert probes.run(endpoints, "direct", served).calls == copied(Endpoint.REMOTE)


def test_a_file_served_by_another_machine(probes: ProbeFixture, endpoints: Path) -> None:
    """In the virtual machines the repository is on 9p."""
    if command("findmnt", "--noheadings", "--output=FSTYPE", "--target", ROOT) != "9p":  # stat shows the host's
        skip_for_kernel("the repository on 9p")
    file = ROOT / "docs/accounting.md"
    require_direct(file)
    assert probes.run(endpoints, "direct_for_a_while", file).calls == {
        cpu(Operation.PREAD64, Endpoint.PAGE_CACHE, Endpoint.USER): (2, 8192),
        cpu(Operation.PREAD64, Endpoint.REMOTE, Endpoint.USER): (1, 8192),
    }


def test_overlay_over_a_disk(
    probes: ProbeFixture, endpoints: Path, disk: Path, tmp_path: Path, overlay: Callable[[Path], Path]
) -> None:
    directory = disk / tmp_path.name
    directory.mkdir()
    assert probes.run(endpoints, "direct", written(overlay(directory) / "file")).calls == {
        dma(Operation.READ, Endpoint.DISK, Endpoint.USER): (1, 4096),
        dma(Operation.PREADV, Endpoint.DISK, Endpoint.USER): (1, 8192),
        dma(Operation.WRITE, Endpoint.USER, Endpoint.DISK): (1, 4096),
        dma(Operation.PWRITEV, Endpoint.USER, Endpoint.DISK): (1, 8192),
    }


def test_overlay_over_memory(
    probes: ProbeFixture, endpoints: Path, memory: Path, overlay: Callable[[Path], Path]
) -> None:
    file = written(overlay(memory) / "file")
    require_direct(file)
    assert probes.run(endpoints, "direct", file).calls == copied(Endpoint.PAGE_CACHE)


def test_overlay_over_a_served_file(probes: ProbeFixture, endpoints: Path, served: Path, tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    empty = tmp_path / "empty"
    mounted.mkdir()
    empty.mkdir()
    command("mount", "-t", "overlay", "-o", f"lowerdir={served.parent}:{empty}", "test", mounted)
    try:
        assert probes.run(endpoints, "direct_for_a_while", mounted / "served").calls == {
            cpu(Operation.PREAD64, Endpoint.PAGE_CACHE, Endpoint.USER): (2, 8192),
            cpu(Operation.PREAD64, Endpoint.REMOTE, Endpoint.USER): (1, 8192),
        }
    finally:
        command("umount", mounted)
