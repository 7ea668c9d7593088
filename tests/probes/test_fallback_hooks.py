"""The same counts where the verifier can do less, and beside other probes that count the same."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.kernel.btf import Btf
from exporter.loading.kernel_constants import verifier_features
from exporter.model import RowKind
from tests.support.requirements import skip_for_kernel

from .probe_fixture import Counts, ProbeFixture, attached_probes, syscalls

SLOW_LOADER = Path(__file__).with_name("slow_loader.py")


def attached_names(probes: ProbeFixture) -> list[str]:
    return [probe.name for probe in probes.loaded.probes if probe.attached]


@pytest.fixture(params=["rdonly_cast", "typed_task"])
def slow(probes: ProbeFixture, request: pytest.FixtureRequest) -> Iterator[ProbeFixture]:
    if not getattr(verifier_features(Btf()), request.param):
        skip_for_kernel(f"{request.param}, which the test switches off")
    with attached_probes(command=(sys.executable, str(SLOW_LOADER), request.param)) as slow:
        assert attached_names(slow) == attached_names(probes)
        assert slow.loaded.read_method != probes.loaded.read_method
        yield slow


def kernel_copies_and_disk_reads(probes: ProbeFixture, pid: int) -> Counts:
    kinds = (RowKind.KERNEL_COPY, RowKind.DMA)
    return {row: (count.events, count.amount) for row, count in probes.rows(pid).items() if row.kind in kinds}


def test_the_same_counts(probes: ProbeFixture, slow: ProbeFixture, workload: Callable[..., Path], disk: Path) -> None:
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
        (workload("transfers"), "vmsplices", disk / f"fifo-{slow.loaded.read_method}"),
        (workload("transfers"), "sendfile_to_socket", small, "tcp4"),
        (workload("failures"), "seccomp_trap", file),
        (workload("failures"), "errors"),
        (workload("disk"), "read_all", file),
        (workload("disk"), "read_directly", file),
        (workload("processes"), "threads"),
    ]
    if slow.state("io_uring").attached:
        uring = workload("io_uring")
        runs += [(uring, "files", small), (uring, "sockets", "tcp4"), (uring, "zero_copy", "udp4")]
        runs += [(uring, "splices", small, disk / "spliced"), (uring, "errors", small), (uring, "multishot")]
    finished = [probes.run(*argv) for argv in runs]
    for process in finished:
        assert syscalls(slow.rows(process.pid)) == process.calls
        assert kernel_copies_and_disk_reads(slow, process.pid) == kernel_copies_and_disk_reads(probes, process.pid)
    exits = {ended.identity: ended.comm for ended in slow.maps.take_exits()}
    assert exits.keys() >= {process.identity for process in finished if process.identity}
    assert exits.items() <= probes.exits().items()
