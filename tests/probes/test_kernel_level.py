"""The kernel's own copy functions against the system calls: the same bytes, hop by hop, seen at two levels."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.model import Endpoint, RowKind, Rows
from tests.support.filesystems import command, file_system
from tests.support.requirements import skip_for_kernel

from .probe_fixture import Ground

READS = (Endpoint.PAGE_CACHE, Endpoint.USER)
WRITES = (Endpoint.USER, Endpoint.PAGE_CACHE)
SENDS = (Endpoint.USER, Endpoint.TCP)
RECEIVES = (Endpoint.TCP, Endpoint.USER)
PIPE_READS = (Endpoint.PIPE, Endpoint.USER)
PIPE_WRITES = (Endpoint.USER, Endpoint.PIPE)
HOPS = {READS, WRITES, SENDS, RECEIVES, PIPE_READS, PIPE_WRITES}

FILE_PROBES = {
    "ext4": ("filemap_read", "generic_perform_write"),
    "tmpfs": ("shmem_file_read_iter", "generic_perform_write"),
    "xfs": ("filemap_read", "iomap_file_buffered_write"),
}
PIPE_PROBES = ("pipe_read", "pipe_write")


def copied(rows: Rows, kind: RowKind) -> dict[tuple[Endpoint, Endpoint], int]:
    """Bytes of the hops that both levels see."""
    hops: Counter[tuple[Endpoint, Endpoint]] = Counter()
    for row, count in rows.items():
        if row.kind is kind and (row.source, row.destination) in HOPS:
            hops[row.source, row.destination] += count.amount
    return {hop: count for hop, count in hops.items() if count}


def agree(rows: Rows) -> dict[tuple[Endpoint, Endpoint], int]:
    """The same bytes at both levels; which they are."""
    by_kernel = copied(rows, RowKind.KERNEL_COPY)
    assert by_kernel == copied(rows, RowKind.CPU_COPY)
    return by_kernel


@pytest.fixture(scope="module", params=FILE_PROBES)
def directory(
    deep: Ground, disk: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Path]:
    deep.needs(*FILE_PROBES[request.param])
    mounted = tmp_path_factory.mktemp(request.param)
    match request.param:
        case "ext4":
            yield disk
        case "tmpfs":
            command("mount", "-t", "tmpfs", "copy-exporter-test", mounted)
            yield mounted
            command("umount", mounted)
        case other:
            with file_system(other, mounted) as (_, at):
                yield at


@pytest.fixture(scope="module")
def levels(workload: Callable[..., Path]) -> Path:
    return workload("levels")


@pytest.fixture(scope="module")
def transfers(workload: Callable[..., Path]) -> Path:
    return workload("transfers")


@pytest.fixture(scope="module")
def page_cache(deep: Ground, disk: Path) -> Path:
    """A file of 10,000 bytes, where reads of the page cache are seen."""
    deep.needs("filemap_read")
    path = disk / "in_page_cache"
    path.write_bytes(bytes(10000))
    return path


def test_buffered_reads_and_writes(deep: Ground, levels: Path, directory: Path) -> None:
    assert agree(deep.run(levels, "file", directory / "file").rows).keys() == {READS, WRITES}


@pytest.mark.parametrize("scenario", ["reads", "writes"])
def test_every_call_on_a_file(deep: Ground, workload: Callable[..., Path], directory: Path, scenario: str) -> None:
    path = directory / "small"
    path.write_bytes(bytes(10000))
    agreed = agree(deep.run(workload("endpoints"), scenario, path).rows)
    assert agreed == ({READS: 25} if scenario == "reads" else {WRITES: 35})


@pytest.mark.parametrize("kind", ["tcp4", "tcp6"])
def test_tcp_both_ways(deep: Ground, levels: Path, kind: str) -> None:
    deep.needs("tcp_sendmsg_locked")
    assert agree(deep.run(levels, "socket", kind).rows).keys() == {SENDS, RECEIVES}


@pytest.mark.parametrize("kind", ["tcp4", "tcp6"])
def test_every_call_on_tcp(deep: Ground, workload: Callable[..., Path], kind: str) -> None:
    deep.needs("tcp_sendmsg_locked")
    assert agree(deep.run(workload("sockets"), "families", kind).rows) == {SENDS: 460, RECEIVES: 460}


@pytest.mark.parametrize("scenario", ["pipe", "fifo"])
def test_pipes_both_ways(deep: Ground, levels: Path, tmp_path: Path, scenario: str) -> None:
    deep.needs(*PIPE_PROBES)
    assert agree(deep.run(levels, scenario, tmp_path / "fifo").rows).keys() == {PIPE_READS, PIPE_WRITES}


@pytest.mark.parametrize("kind", ["tcp4", "unix_stream"])
def test_sendfile_copies_nothing(deep: Ground, transfers: Path, page_cache: Path, kind: str) -> None:
    deep.needs("tcp_sendmsg_locked")
    assert agree(deep.run(transfers, "sendfile_to_socket", page_cache, kind).rows) == {}


@pytest.mark.parametrize("kind", ["tcp4", "unix_stream"])
def test_splice_through_a_pipe_copies_nothing(deep: Ground, transfers: Path, page_cache: Path, kind: str) -> None:
    deep.needs("tcp_sendmsg_locked", *PIPE_PROBES)
    assert agree(deep.run(transfers, "splice_through", page_cache, 3000, kind).rows) == {}


def test_sendfile_from_memory_copies_nothing(deep: Ground, transfers: Path) -> None:
    """tmpfs has a function of its own to read, which splice used to call with a pipe to fill."""
    deep.needs("shmem_file_read_iter", "tcp_sendmsg_locked")
    path = Path("/dev/shm/copy-exporter-test-sendfile")
    path.write_bytes(bytes(10000))
    assert agree(deep.run(transfers, "sendfile_to_socket", path, "tcp4").rows) == {}
    path.unlink()


def test_what_sendfile_copies_to_a_file_is_not_user_memory(
    deep: Ground, transfers: Path, page_cache: Path, tmp_path: Path
) -> None:
    """Page to page: only the system call shows it."""
    deep.needs("generic_perform_write")
    assert agree(deep.run(transfers, "sendfile_to_file", page_cache, tmp_path / "to").rows) == {}


def test_direct_reads_copy_nothing(deep: Ground, workload: Callable[..., Path], disk: Path) -> None:
    deep.needs("filemap_read")
    path = disk / "direct"
    path.write_bytes(bytes(4 << 20))
    assert agree(deep.run(workload("endpoints"), "direct", path).rows) == {}


def test_vmsplice_is_no_copy_of_pipes(deep: Ground, transfers: Path, tmp_path: Path) -> None:
    """Out of a pipe it copies, past pipe_read: only the system call shows it."""
    deep.needs(*PIPE_PROBES)
    rows = deep.run(transfers, "vmsplices", tmp_path / "fifo").rows
    assert copied(rows, RowKind.KERNEL_COPY) == {}


def test_zero_copy_needs_the_flag_and_the_option(deep: Ground, workload: Callable[..., Path]) -> None:
    deep.needs("tcp_sendmsg_locked")
    assert agree(deep.run(workload("sockets"), "zero_copy", "tcp4").rows) == {SENDS: 70}


def test_io_uring_is_seen(deep: Ground, workload: Callable[..., Path], disk: Path) -> None:
    """There are no system calls to agree with: the requests do, where the kernel tells which has completed."""
    deep.needs("filemap_read", "tcp_sendmsg_locked")
    switch = Path("/proc/sys/kernel/io_uring_disabled")
    if switch.exists() and switch.read_text() != "0\n":
        skip_for_kernel(f"{switch} says no")
    path = disk / "read_by_ring"
    path.write_bytes(bytes(4 << 20))
    rows = deep.run(workload("io_uring"), "transfers", path).rows
    expected = {READS: 65536, SENDS: 1000, RECEIVES: 1000}
    assert copied(rows, RowKind.KERNEL_COPY) == expected
    told = any(probe.name == "io_uring" and probe.attached for probe in deep.handover.probes)
    assert copied(rows, RowKind.CPU_COPY) == (expected if told else {})
