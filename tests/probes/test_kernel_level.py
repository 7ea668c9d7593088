"""The kernel's own copy functions against the system calls: both levels count the same bytes for each hop."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.model import Endpoint, RowKind, Rows
from tests.support.filesystems import command, file_system
from tests.support.requirements import skip_for_kernel

from .conftest import marked_probes
from .probe_fixture import ProbeFixture

READS = (Endpoint.PAGE_CACHE, Endpoint.USER)
WRITES = (Endpoint.USER, Endpoint.PAGE_CACHE)
SENDS = (Endpoint.USER, Endpoint.TCP)
RECEIVES = (Endpoint.TCP, Endpoint.USER)
PIPE_READS = (Endpoint.PIPE, Endpoint.USER)
PIPE_WRITES = (Endpoint.USER, Endpoint.PIPE)
HOPS = {READS, WRITES, SENDS, RECEIVES, PIPE_READS, PIPE_WRITES}

EXT4 = pytest.param("ext4", marks=pytest.mark.probe("filemap_read", "generic_perform_write"))
TMPFS = pytest.param("tmpfs", marks=pytest.mark.probe("shmem_file_read_iter", "generic_perform_write"))
XFS = pytest.param("xfs", marks=pytest.mark.probe("filemap_read", "iomap_file_buffered_write"))
READS_FILES = pytest.mark.probe("filemap_read")
SENDS_TCP = pytest.mark.probe("tcp_sendmsg_locked")
MOVES_PIPES = pytest.mark.probe("pipe_read", "pipe_write")


@pytest.fixture(autouse=True)
def _marked_probes_are_attached(all_probes: ProbeFixture, request: pytest.FixtureRequest) -> None:
    all_probes.require(*marked_probes(request.node))


def copied(rows: Rows, kind: RowKind) -> dict[tuple[Endpoint, Endpoint], int]:
    """Bytes of the hops that both levels count."""
    hops: Counter[tuple[Endpoint, Endpoint]] = Counter()
    for row, count in rows.items():
        if row.kind is kind and (row.source, row.destination) in HOPS:
            hops[row.source, row.destination] += count.amount
    return {hop: count for hop, count in hops.items() if count}


def agree(rows: Rows) -> dict[tuple[Endpoint, Endpoint], int]:
    """Check that both levels counted the same bytes, and return them."""
    by_kernel = copied(rows, RowKind.KERNEL_COPY)
    assert by_kernel == copied(rows, RowKind.CPU_COPY)
    return by_kernel


@pytest.fixture(scope="module", params=[EXT4, TMPFS, XFS])
def directory(disk: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Path]:
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
def page_cache(disk: Path) -> Path:
    """A file of 10,000 bytes."""
    path = disk / "in_page_cache"
    path.write_bytes(bytes(10000))
    return path


def test_buffered_reads_and_writes(all_probes: ProbeFixture, levels: Path, directory: Path) -> None:
    assert agree(all_probes.run(levels, "file", directory / "file").rows).keys() == {READS, WRITES}


@pytest.mark.parametrize("scenario", ["reads", "writes"])
def test_every_call_on_a_file(
    all_probes: ProbeFixture, workload: Callable[..., Path], directory: Path, scenario: str
) -> None:
    path = directory / "small"
    path.write_bytes(bytes(10000))
    agreed = agree(all_probes.run(workload("endpoints"), scenario, path).rows)
    assert agreed == ({READS: 25} if scenario == "reads" else {WRITES: 35})


@SENDS_TCP
@pytest.mark.parametrize("kind", ["tcp4", "tcp6"])
def test_tcp_both_ways(all_probes: ProbeFixture, levels: Path, kind: str) -> None:
    assert agree(all_probes.run(levels, "socket", kind).rows).keys() == {SENDS, RECEIVES}


@SENDS_TCP
@pytest.mark.parametrize("kind", ["tcp4", "tcp6"])
def test_every_call_on_tcp(all_probes: ProbeFixture, workload: Callable[..., Path], kind: str) -> None:
    assert agree(all_probes.run(workload("sockets"), "families", kind).rows) == {SENDS: 460, RECEIVES: 460}


@MOVES_PIPES
@pytest.mark.parametrize("scenario", ["pipe", "fifo"])
def test_pipes_both_ways(all_probes: ProbeFixture, levels: Path, tmp_path: Path, scenario: str) -> None:
    assert agree(all_probes.run(levels, scenario, tmp_path / "fifo").rows).keys() == {PIPE_READS, PIPE_WRITES}


@READS_FILES
@SENDS_TCP
@pytest.mark.parametrize("kind", ["tcp4", "unix_stream"])
def test_sendfile_copies_nothing(all_probes: ProbeFixture, transfers: Path, page_cache: Path, kind: str) -> None:
    assert agree(all_probes.run(transfers, "sendfile_to_socket", page_cache, kind).rows) == {}


@READS_FILES
@SENDS_TCP
@MOVES_PIPES
@pytest.mark.parametrize("kind", ["tcp4", "unix_stream"])
def test_splice_through_a_pipe_copies_nothing(
    all_probes: ProbeFixture, transfers: Path, page_cache: Path, kind: str
) -> None:
    assert agree(all_probes.run(transfers, "splice_through", page_cache, 3000, kind).rows) == {}


@pytest.mark.probe("shmem_file_read_iter")
@SENDS_TCP
def test_sendfile_from_memory_copies_nothing(all_probes: ProbeFixture, transfers: Path) -> None:
    """tmpfs has its own read function. Older kernels call it for splice too, with an iterator over a pipe."""
    path = Path(f"/dev/shm/copy-exporter-test-{os.getpid()}")
    path.write_bytes(bytes(10000))
    assert agree(all_probes.run(transfers, "sendfile_to_socket", path, "tcp4").rows) == {}
    path.unlink()


@READS_FILES
@pytest.mark.probe("generic_perform_write")
def test_what_sendfile_copies_to_a_file_is_not_user_memory(
    all_probes: ProbeFixture, transfers: Path, page_cache: Path, tmp_path: Path
) -> None:
    """From page to page: only the system call counts it."""
    assert agree(all_probes.run(transfers, "sendfile_to_file", page_cache, tmp_path / "to").rows) == {}


@READS_FILES
def test_direct_reads_copy_nothing(all_probes: ProbeFixture, workload: Callable[..., Path], disk: Path) -> None:
    path = disk / "direct"
    path.write_bytes(bytes(4 << 20))
    assert agree(all_probes.run(workload("endpoints"), "direct", path).rows) == {}


@MOVES_PIPES
def test_vmsplice_is_no_copy_of_pipes(all_probes: ProbeFixture, transfers: Path, tmp_path: Path) -> None:
    """Out of a pipe it copies, but not in pipe_read: only the system call counts it."""
    rows = all_probes.run(transfers, "vmsplices", tmp_path / "fifo").rows
    assert copied(rows, RowKind.KERNEL_COPY) == {}


@SENDS_TCP
def test_zero_copy_needs_the_flag_and_the_option(all_probes: ProbeFixture, workload: Callable[..., Path]) -> None:
    assert agree(all_probes.run(workload("sockets"), "zero_copy", "tcp4").rows) == {SENDS: 70}


@READS_FILES
@SENDS_TCP
def test_io_uring_counts_at_both_levels(all_probes: ProbeFixture, workload: Callable[..., Path], disk: Path) -> None:
    """Instead of system calls there are requests, which count where the tracepoint has the completed request."""
    switch = Path("/proc/sys/kernel/io_uring_disabled")
    if switch.exists() and switch.read_text() != "0\n":
        skip_for_kernel(f"{switch} says no")
    path = disk / "read_by_ring"
    path.write_bytes(bytes(4 << 20))
    rows = all_probes.run(workload("io_uring"), "transfers", path).rows
    expected = {READS: 65536, SENDS: 1000, RECEIVES: 1000}
    assert copied(rows, RowKind.KERNEL_COPY) == expected
    counted = all_probes.state("io_uring").attached
    assert copied(rows, RowKind.CPU_COPY) == (expected if counted else {})
