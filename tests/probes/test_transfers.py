"""sendfile, splice, tee, vmsplice and copy_file_range: passed by reference or copied by the kernel."""

import errno
import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.model import Endpoint, Operation
from tests.support.filesystems import command, file_system
from tests.support.requirements import skip_for_kernel

from .probe_fixture import ProbeFixture, cpu, error, zero_copy

pytestmark = pytest.mark.probe("syscalls")


@pytest.fixture(scope="module")
def transfers(workload: Callable[..., Path]) -> Path:
    return workload("transfers")


@pytest.fixture(scope="module")
def file(disk: Path) -> Path:
    path = disk / "transferred"
    path.write_bytes(bytes(10000))
    return path


WITHOUT_PAGES = [("/proc/version", Endpoint.PSEUDO), ("/dev/zero", Endpoint.DEVICE)]


def require_splice_from(path: str) -> None:
    """36e2c7421f02 (v5.10) removed the fallback for all files; devices and pseudo files got it back later."""
    reader, writer = os.pipe()
    with open(path, "rb") as file, open(reader, "rb"), open(writer, "wb"):
        try:
            os.splice(file.fileno(), writer, 1)
        except OSError as problem:
            skip_for_kernel(f"splice from {path}: {problem.strerror}")


@pytest.mark.parametrize(
    ("kind", "endpoint"), [("tcp4", Endpoint.TCP), ("tcp6", Endpoint.TCP), ("unix_stream", Endpoint.UNIX)]
)
def test_sendfile_to_a_socket(probes: ProbeFixture, transfers: Path, file: Path, kind: str, endpoint: Endpoint) -> None:
    finished = probes.run(transfers, "sendfile_to_socket", file, kind)
    assert finished.calls == {zero_copy(Operation.SENDFILE, Endpoint.PAGE_CACHE, endpoint): (3, 5000)}


def test_sendfile_to_a_file_is_copied(probes: ProbeFixture, transfers: Path, file: Path, tmp_path: Path) -> None:
    finished = probes.run(transfers, "sendfile_to_file", file, tmp_path / "to")
    assert finished.calls == {cpu(Operation.SENDFILE, Endpoint.PAGE_CACHE, Endpoint.PAGE_CACHE): (1, 3000)}


def test_sendfile_to_a_pipe(probes: ProbeFixture, transfers: Path, file: Path) -> None:
    finished = probes.run(transfers, "sendfile_to_pipe", file, 3000)
    assert finished.calls == {zero_copy(Operation.SENDFILE, Endpoint.PAGE_CACHE, Endpoint.PIPE): (1, 3000)}


@pytest.mark.parametrize(("path", "source"), WITHOUT_PAGES)
def test_sendfile_from_what_has_no_pages(probes: ProbeFixture, transfers: Path, path: str, source: Endpoint) -> None:
    require_splice_from(path)
    finished = probes.run(transfers, "sendfile_to_pipe", path, 20)
    assert finished.calls == {cpu(Operation.SENDFILE, source, Endpoint.PIPE): (1, 20)}


@pytest.mark.parametrize(("kind", "endpoint"), [("tcp4", Endpoint.TCP), ("unix_stream", Endpoint.UNIX)])
def test_splice_through_pipe_and_socket(
    probes: ProbeFixture, transfers: Path, file: Path, kind: str, endpoint: Endpoint
) -> None:
    finished = probes.run(transfers, "splice_through", file, 3000, kind)
    assert finished.calls == {
        zero_copy(Operation.SPLICE, Endpoint.PAGE_CACHE, Endpoint.PIPE): (1, 3000),
        zero_copy(Operation.SPLICE, Endpoint.PIPE, endpoint): (1, 3000),
        zero_copy(Operation.SPLICE, endpoint, Endpoint.PIPE): (1, 3000),
        cpu(Operation.SPLICE, Endpoint.PIPE, Endpoint.DEVICE): (1, 3000),
    }


@pytest.mark.parametrize(("path", "source"), WITHOUT_PAGES)
def test_splice_from_what_has_no_pages(probes: ProbeFixture, transfers: Path, path: str, source: Endpoint) -> None:
    require_splice_from(path)
    assert (
        cpu(Operation.SPLICE, source, Endpoint.PIPE) in probes.run(transfers, "splice_through", path, 20, "tcp4").calls
    )


@pytest.mark.parametrize(
    ("path", "destination"), [(None, Endpoint.PAGE_CACHE), ("/proc/sys/kernel/hostname", Endpoint.PSEUDO)]
)
def test_splice_into_a_file_is_copied(
    probes: ProbeFixture, transfers: Path, file: Path, path: str | None, destination: Endpoint
) -> None:
    assert probes.run(transfers, "splice_to", path or file).calls == {
        cpu(Operation.WRITE, Endpoint.USER, Endpoint.PIPE): (1, 7),
        cpu(Operation.SPLICE, Endpoint.PIPE, destination): (1, 7),
    }


def test_tee_and_splice_between_pipes(probes: ProbeFixture, transfers: Path) -> None:
    assert probes.run(transfers, "between_pipes").calls == {
        cpu(Operation.WRITE, Endpoint.USER, Endpoint.PIPE): (1, 500),
        zero_copy(Operation.TEE, Endpoint.PIPE, Endpoint.PIPE): (1, 300),
        zero_copy(Operation.SPLICE, Endpoint.PIPE, Endpoint.PIPE): (1, 500),
    }


def test_vmsplice_both_ways(probes: ProbeFixture, transfers: Path, tmp_path: Path) -> None:
    assert probes.run(transfers, "vmsplices", tmp_path / "fifo").calls == {
        zero_copy(Operation.VMSPLICE, Endpoint.USER, Endpoint.PIPE): (2, 1050),
        cpu(Operation.VMSPLICE, Endpoint.PIPE, Endpoint.USER): (1, 1000),
    }


def test_copy_file_range_is_copied_where_files_cannot_be_cloned(
    probes: ProbeFixture, transfers: Path, file: Path
) -> None:
    finished = probes.run(transfers, "copies_range", file, file.with_name("copied"), 4096)
    assert finished.calls == {cpu(Operation.COPY_FILE_RANGE, Endpoint.PAGE_CACHE, Endpoint.PAGE_CACHE): (1, 4096)}


def test_copy_file_range_across_file_systems(probes: ProbeFixture, transfers: Path, file: Path) -> None:
    to = Path(f"/dev/shm/copy-exporter-test-{os.getpid()}")
    finished = probes.run(transfers, "copies_range_across", file, to)
    to.unlink()
    assert finished.calls == {error(Operation.COPY_FILE_RANGE, errno.EXDEV): (1, 0)}


@pytest.mark.parametrize("kind", ["btrfs", "xfs"])
def test_copy_file_range_clones_where_it_can(probes: ProbeFixture, transfers: Path, tmp_path: Path, kind: str) -> None:
    with file_system(kind, tmp_path) as (_, mounted):
        (mounted / "from").write_bytes(bytes(65536))
        finished = probes.run(transfers, "copies_range", mounted / "from", mounted / "to", 65536)
    assert finished.calls == {
        zero_copy(Operation.COPY_FILE_RANGE, Endpoint.PAGE_CACHE, Endpoint.PAGE_CACHE): (1, 65536)
    }


_SIZE, _TAIL = 65536, 100
_RANGES = {
    "all": (0, 0, _SIZE + _TAIL, 0),
    "whole blocks": (4096, 8192, 16384, 0),
    "cut to a whole block": (0, 0, 4096 + 50, 0),
    "from within a block": (100, 0, 4096, 0),
    "into a block": (0, 100, 4096, 0),
    "a part of a block": (0, 0, 50, 0),
    "the end, into the middle": (_SIZE, 0, _TAIL, 2 * _SIZE),
    "the end, to the end": (_SIZE, _SIZE, _TAIL, _SIZE),
}
"""Offsets, requested bytes, and size of the file that is written."""


def has_shared_blocks(path: Path) -> bool:
    """Ask the file system (ioctl FIEMAP, FIEMAP_EXTENT_SHARED)."""
    extents = 16
    request = struct.pack("=QQIIII", 0, 1 << 40, 1, 0, extents, 0) + bytes(56 * extents)
    with path.open("rb") as file:
        answer = fcntl.ioctl(file, 0xC020660B, request)
    mapped = struct.unpack_from("=I", answer, 20)[0]
    return any(struct.unpack_from("=I", answer, 32 + 56 * extent + 40)[0] & 0x2000 for extent in range(mapped))


@pytest.mark.parametrize("kind", ["btrfs", "xfs"])
def test_ranges_that_are_cloned_and_copied(probes: ProbeFixture, transfers: Path, tmp_path: Path, kind: str) -> None:
    with file_system(kind, tmp_path) as (_, mounted):
        source = mounted / "from"
        source.write_bytes(os.urandom(_SIZE + _TAIL))
        for name, (position, destination, requested, size) in _RANGES.items():
            to = mounted / name
            to.write_bytes(os.urandom(size))
            os.sync()
            finished = probes.run(transfers, "copies_range_at", source, to, position, destination, requested)
            counted = zero_copy if has_shared_blocks(to) else cpu
            row = counted(Operation.COPY_FILE_RANGE, Endpoint.PAGE_CACHE, Endpoint.PAGE_CACHE)
            assert finished.calls[row] == (1, int(finished.output)), name
            assert has_shared_blocks(to) == (
                name in ("all", "whole blocks", "cut to a whole block", "the end, to the end")
            )


def test_copy_file_range_on_overlayfs_is_copied(probes: ProbeFixture, transfers: Path, tmp_path: Path) -> None:
    """As in a container; whether overlayfs clones below is not visible."""
    with file_system("xfs", tmp_path) as (_, mounted):
        for name in ("lower", "upper", "work", "merged"):
            (mounted / name).mkdir()
        lower, upper, work = (f"{name}dir={mounted / name}" for name in ("lower", "upper", "work"))
        command("mount", "-t", "overlay", "-o", f"{lower},{upper},{work}", "test", mounted / "merged")
        try:
            (mounted / "merged" / "from").write_bytes(bytes(_SIZE))
            finished = probes.run(transfers, "copies_range", mounted / "merged/from", mounted / "merged/to", _SIZE)
        finally:
            command("umount", mounted / "merged")
    row = cpu(Operation.COPY_FILE_RANGE, Endpoint.PAGE_CACHE, Endpoint.PAGE_CACHE)
    assert finished.calls == {row: (1, _SIZE)}
