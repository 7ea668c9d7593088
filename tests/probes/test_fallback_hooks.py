"""The same counts where the verifier can do less, and beside other probes that count the same."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.kernel.btf import Btf
from exporter.loading.kernel_constants import abilities
from exporter.model import RowKind
from tests.support.requirements import skip_for_kernel

from .probe_fixture import Counts, Ground, loaded, syscalls

SLOW_LOADER = Path(__file__).with_name("slow_loader.py")


def attached(ground: Ground) -> list[str]:
    return [probe.name for probe in ground.handover.probes if probe.attached]


@pytest.fixture(params=["rdonly_cast", "typed_task"])
def slow(ground: Ground, request: pytest.FixtureRequest) -> Iterator[Ground]:
    if not getattr(abilities(Btf()), request.param):
        skip_for_kernel(f"{request.param}, to do without")
    for slow in loaded(command=(sys.executable, str(SLOW_LOADER), request.param)):
        assert attached(slow) == attached(ground)
        assert slow.handover.read_method != ground.handover.read_method
        yield slow


def kernel_copies_and_disk_reads(ground: Ground, pid: int) -> Counts:
    kinds = (RowKind.KERNEL_COPY, RowKind.DMA)
    return {row: (count.events, count.amount) for row, count in ground.rows(pid).items() if row.kind in kinds}


def test_the_same_counts(ground: Ground, slow: Ground, workload: Callable[..., Path], disk: Path) -> None:
    """Both count the same processes, which touch every kind of endpoint."""
    file = disk / "both"
    file.write_bytes(bytes(4 << 20))
    small = disk / "small"
    small.write_bytes(bytes(10000))
    runs = [
        (workload("endpoints"), "reads", file),
        (workload("endpoints"), "writes", file),
        (workload("endpoints"), "reads", "/proc/version"),
        (workload("endpoints"), "anonymous"),
        (workload("endpoints"), "pipes"),
        (workload("endpoints"), "direct", file),
        (workload("sockets"), "zero_copy", "tcp4"),
        (workload("sockets"), "families", "tcp6"),
        (workload("sockets"), "families", "unix_dgram"),
        (workload("sockets"), "transfer", "udp4", 60000),
        (workload("sockets"), "many", "udp4", 1024),
        (workload("transfers"), "between_pipes"),
        (workload("transfers"), "vmsplices", disk / f"fifo-{slow.handover.read_method}"),
        (workload("transfers"), "sendfile_to_socket", small, "tcp4"),
        (workload("failures"), "seccomp_trap", file),
        (workload("failures"), "errors"),
        (workload("disk"), "read_all", file),
        (workload("disk"), "read_directly", file),
        (workload("processes"), "threads"),
    ]
    if any(probe.name == "io_uring" and probe.attached for probe in slow.handover.probes):
        uring = workload("io_uring")
        runs += [(uring, "files", small), (uring, "sockets", "tcp4"), (uring, "zero_copy", "udp4")]
        runs += [(uring, "splices", small, disk / "spliced"), (uring, "errors", small), (uring, "multishot")]
    for argv in runs:
        ran = ground.run(*argv)
        assert syscalls(slow.rows(ran.pid)) == ran.calls
        assert kernel_copies_and_disk_reads(slow, ran.pid) == kernel_copies_and_disk_reads(ground, ran.pid)
    for ended in slow.reader.take_exits():
        assert ground.exits()[ended.identity] == ended.comm
