"""Sockets that sendfile and splice pass pages to, and those for which the kernel copies nevertheless."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.kernel.btf import Btf, UnknownToBtfError
from exporter.model import CopyReason, Endpoint, Operation, Row
from tests.support.requirements import skip_for_kernel

from .probe_fixture import Counts, FinishedProcess, ProbeFixture, amount, attached_probes, cpu, socket_copy, zero_copy

pytestmark = pytest.mark.probe("syscalls")

_MISSING_KIND = 77
"""Status of a workload whose kind of socket the kernel does not have."""


@pytest.fixture(scope="module")
def transfers(workload: Callable[..., Path]) -> Path:
    return workload("transfers")


@pytest.fixture(scope="module")
def file(disk: Path) -> Path:
    path = disk / "passed"
    path.write_bytes(bytes(10000))
    return path


def run(probes: ProbeFixture, *argv: str | Path | int) -> Counts:
    """The system calls of a workload; skips the test if the kernel lacks what it needs."""
    return finish(probes, *argv).calls


def finish(probes: ProbeFixture, *argv: str | Path | int) -> FinishedProcess:
    with probes.start(*argv) as process:
        process.wait(60)
    if process.returncode == _MISSING_KIND:
        skip_for_kernel(f"no {argv[-1]}")
    assert process.returncode == 0
    return probes.result(process)


def has_sendpage() -> bool:
    """Whether this kernel is older than MSG_SPLICE_PAGES (6.5)."""
    try:
        Btf().offset("proto_ops", "sendpage")
    except UnknownToBtfError:
        return False
    return True


def tls(row: Row) -> Row:
    """The same row, copied because of kernel TLS."""
    return row._replace(errno_or_bucket=CopyReason.KERNEL_TLS)


@pytest.mark.parametrize(
    ("kind", "endpoint"),
    [
        ("mptcp4", Endpoint.TCP),
        ("sctp4", Endpoint.TCP),
        ("unix_dgram", Endpoint.UNIX),
        ("unix_seqpacket", Endpoint.UNIX),
        ("vsock", Endpoint.SOCKET),
    ],
)
def test_sockets_that_take_no_pages(
    probes: ProbeFixture, transfers: Path, file: Path, kind: str, endpoint: Endpoint
) -> None:
    counts = run(probes, transfers, "through_socket", file, kind)
    assert counts[cpu(Operation.SENDFILE, Endpoint.PAGE_CACHE, endpoint)] == (1, 3000)
    assert counts[cpu(Operation.SPLICE, Endpoint.PIPE, endpoint)] == (1, 3000)
    if kind != "mptcp4":  # MPTCP gives pages on the newest kernels
        assert counts[cpu(Operation.SPLICE, endpoint, Endpoint.PIPE)] == (1, 3000)


@pytest.mark.parametrize(("kind", "endpoint"), [("tcp6", Endpoint.TCP), ("unix_stream", Endpoint.UNIX)])
def test_sockets_that_take_and_give_pages(
    probes: ProbeFixture, transfers: Path, file: Path, kind: str, endpoint: Endpoint
) -> None:
    assert run(probes, transfers, "through_socket", file, kind) == {
        zero_copy(Operation.SENDFILE, Endpoint.PAGE_CACHE, endpoint): (1, 3000),
        zero_copy(Operation.SPLICE, endpoint, Endpoint.PIPE): (1, 3000),
        zero_copy(Operation.SPLICE, Endpoint.PIPE, endpoint): (1, 3000),
    }


def test_udp_takes_pages_since_6_5_and_gives_none(probes: ProbeFixture, transfers: Path, file: Path) -> None:
    send = cpu if has_sendpage() else zero_copy
    assert run(probes, transfers, "through_socket", file, "udp4") == {
        send(Operation.SENDFILE, Endpoint.PAGE_CACHE, Endpoint.UDP): (1, 3000),
        cpu(Operation.SPLICE, Endpoint.UDP, Endpoint.PIPE): (1, 3000),
        send(Operation.SPLICE, Endpoint.PIPE, Endpoint.UDP): (1, 3000),
    }


def test_kernel_tls_with_keys_copies(probes: ProbeFixture, transfers: Path, file: Path, port: int) -> None:
    probes.maps.watch_ports([port])
    assert run(probes, transfers, "kernel_tls", file, port, 1) == {
        tls(cpu(Operation.SENDFILE, Endpoint.PAGE_CACHE, Endpoint.TCP, port)): (1, 3000),
        tls(cpu(Operation.SPLICE, Endpoint.TCP, Endpoint.PIPE)): (1, 3000),
        # The client has keys only for what it receives, the server only for what it sends.
        zero_copy(Operation.SPLICE, Endpoint.PIPE, Endpoint.TCP): (1, 2000),
        zero_copy(Operation.SPLICE, Endpoint.TCP, Endpoint.PIPE, port): (1, 2000),
    }


def test_kernel_tls_without_keys_passes_pages(probes: ProbeFixture, transfers: Path, file: Path, port: int) -> None:
    probes.maps.watch_ports([port])
    assert run(probes, transfers, "kernel_tls", file, port, 0) == {
        zero_copy(Operation.SENDFILE, Endpoint.PAGE_CACHE, Endpoint.TCP, port): (1, 3000),
        zero_copy(Operation.SPLICE, Endpoint.TCP, Endpoint.PIPE): (1, 3000),
        zero_copy(Operation.SPLICE, Endpoint.PIPE, Endpoint.TCP): (1, 2000),
        zero_copy(Operation.SPLICE, Endpoint.TCP, Endpoint.PIPE, port): (1, 2000),
    }


@pytest.mark.probe("sockets")
@pytest.mark.parametrize("kind", ["tcp4", "tcp6"])
def test_the_kernels_copies_of_what_it_decrypted(probes: ProbeFixture, transfers: Path, kind: str) -> None:
    probes.require("sockets")
    finished = finish(probes, transfers, "kernel_tls_receives", kind)
    assert amount(finished.rows, socket_copy(Endpoint.TCP)) == 3000
    assert amount(finished.rows, socket_copy(Endpoint.UDP)) == 0


def test_where_the_kernel_hides_addresses(transfers: Path, file: Path, port: int) -> None:
    """Then kernel TLS is known by its name, also without keys."""
    loader = Path(__file__).with_name("slow_loader.py")
    with attached_probes(command=(sys.executable, str(loader), "addresses"), probes=("syscalls",)) as probes:
        tcp = cpu(Operation.SENDFILE, Endpoint.PAGE_CACHE, Endpoint.TCP)
        assert zero_copy(*tcp[1:4]) in run(probes, transfers, "through_socket", file, "tcp4")
        assert tcp in run(probes, transfers, "through_socket", file, "mptcp4")
        assert run(probes, transfers, "kernel_tls", file, port, 0) == {
            tls(tcp): (1, 3000),
            tls(cpu(Operation.SPLICE, Endpoint.TCP, Endpoint.PIPE)): (2, 5000),
            tls(cpu(Operation.SPLICE, Endpoint.PIPE, Endpoint.TCP)): (1, 2000),
        }
