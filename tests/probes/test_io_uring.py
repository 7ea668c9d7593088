"""Requests of io_uring: the result of each completion, and what probes on kernel functions count of them."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.model import Endpoint, Operation
from tests.support.requirements import skip_for_kernel

from .probe_fixture import (
    DISK_READS,
    Counts,
    FinishedProcess,
    ProbeFixture,
    amount,
    cpu,
    dma,
    error,
    socket_copy,
    zero_copy,
)

pytestmark = pytest.mark.probe("io_uring")

SWITCH = Path("/proc/sys/kernel/io_uring_disabled")
NO_REQUEST = "this kernel's BTF has no request among the arguments of tracepoint io_uring_complete"

Run = Callable[..., FinishedProcess]


@pytest.fixture(scope="module")
def io_uring(probes: ProbeFixture, workload: Callable[..., Path]) -> Run:
    if SWITCH.exists() and SWITCH.read_text() != "0\n":
        skip_for_kernel(f"{SWITCH} says no")
    program = workload("io_uring")

    def run(*arguments: str | Path | int) -> FinishedProcess:
        finished = probes.run(program, *arguments)
        if finished.output == b"absent":
            skip_for_kernel(str(arguments[0]))
        return finished

    return run


@pytest.fixture(scope="module")
def counted(probes: ProbeFixture, io_uring: Run) -> Run:
    """Skips the test where the tracepoint does not have the request that has completed."""
    for probe in map(probes.state, ("io_uring", "io_uring_multishot")):
        if not probe.attached:
            assert probe.reason == NO_REQUEST
            skip_for_kernel(probe.reason)
    return io_uring


@pytest.fixture
def file(disk: Path) -> Path:
    path = disk / "file"
    path.write_bytes(bytes(10000))
    return path


def read_from(endpoint: Endpoint, call: Operation, events: int, total: int) -> Counts:
    return {cpu(call, endpoint, Endpoint.USER): (events, total)}


def written_to(endpoint: Endpoint, call: Operation, events: int, total: int) -> Counts:
    return {cpu(call, Endpoint.USER, endpoint): (events, total)}


def from_file(total: int, events: int = 1) -> Counts:
    return read_from(Endpoint.PAGE_CACHE, Operation.IO_URING_READ, events, total)


def test_files(counted: Run, file: Path) -> None:
    assert counted("files", file).calls == (
        from_file(4096 + 10 + 0 + 7000, events=4)
        | read_from(Endpoint.PAGE_CACHE, Operation.IO_URING_READV, 1, 1000)
        | read_from(Endpoint.PAGE_CACHE, Operation.IO_URING_READ_FIXED, 1, 3000)
        | written_to(Endpoint.PAGE_CACHE, Operation.IO_URING_WRITE, 1, 2000)
        | written_to(Endpoint.PAGE_CACHE, Operation.IO_URING_WRITEV, 1, 1000)
        | written_to(Endpoint.PAGE_CACHE, Operation.IO_URING_WRITE_FIXED, 1, 500)
    )


def test_vectors_in_registered_memory(counted: Run, file: Path) -> None:
    assert counted("fixed_vectors", file).calls == (
        read_from(Endpoint.PAGE_CACHE, Operation.IO_URING_READV_FIXED, 1, 1000)
        | written_to(Endpoint.PAGE_CACHE, Operation.IO_URING_WRITEV_FIXED, 1, 1000)
    )


def test_past_the_page_cache(counted: Run, disk: Path) -> None:
    file = disk / "direct"
    file.write_bytes(bytes(1 << 20))
    assert counted("direct", file).calls == {
        dma(Operation.IO_URING_READ, Endpoint.DISK, Endpoint.USER): (1, 65536),
        dma(Operation.IO_URING_WRITE, Endpoint.USER, Endpoint.DISK): (1, 4096),
    }


def test_pipes(counted: Run) -> None:
    assert counted("pipes").calls == (
        read_from(Endpoint.PIPE, Operation.IO_URING_READ, 1, 1000)
        | written_to(Endpoint.PIPE, Operation.IO_URING_WRITE, 1, 1000)
    )


@pytest.mark.parametrize(
    ("kind", "endpoint"),
    [("tcp4", Endpoint.TCP), ("tcp6", Endpoint.TCP), ("udp4", Endpoint.UDP), ("unix_stream", Endpoint.UNIX)],
)
def test_sockets(counted: Run, kind: str, endpoint: Endpoint) -> None:
    expected: Counts = {}
    for send in (Operation.IO_URING_SEND, Operation.IO_URING_SENDMSG, Operation.IO_URING_WRITE):
        expected |= written_to(endpoint, send, 1, 1000)
    for receive in (Operation.IO_URING_RECV, Operation.IO_URING_RECVMSG, Operation.IO_URING_READ):
        expected |= read_from(endpoint, receive, 1, 1000)
    assert counted("sockets", kind).calls == expected


def test_a_watched_port(probes: ProbeFixture, counted: Run, port: int) -> None:
    """The server's two transfers have its port, those of its client have none."""
    probes.maps.watch_ports([port])
    assert counted("on_a_port", port).calls == {
        cpu(Operation.IO_URING_SEND, Endpoint.USER, Endpoint.TCP, port): (1, 1000),
        cpu(Operation.IO_URING_RECV, Endpoint.TCP, Endpoint.USER): (1, 1000),
        cpu(Operation.IO_URING_SEND, Endpoint.USER, Endpoint.TCP): (1, 500),
        cpu(Operation.IO_URING_RECV, Endpoint.TCP, Endpoint.USER, port): (1, 500),
    }


@pytest.mark.parametrize(("kind", "endpoint"), [("tcp4", Endpoint.TCP), ("udp4", Endpoint.UDP)])
def test_zero_copy(counted: Run, kind: str, endpoint: Endpoint) -> None:
    """The notification that follows each of the two does not count."""
    assert counted("zero_copy", kind).calls == {
        zero_copy(Operation.IO_URING_SEND_ZC, Endpoint.USER, endpoint): (1, 1000),
        zero_copy(Operation.IO_URING_SENDMSG_ZC, Endpoint.USER, endpoint): (1, 1000),
        zero_copy(Operation.IO_URING_SEND, Endpoint.USER, endpoint): (1, 200),
        cpu(Operation.IO_URING_SEND, Endpoint.USER, endpoint): (2, 400),
        cpu(Operation.RECVFROM, endpoint, Endpoint.USER): (2, 2000),
    }


def test_errors(counted: Run, file: Path) -> None:
    assert counted("errors", file).calls == {
        error(Operation.IO_URING_READ, errno.EBADF): (1, 0),
        error(Operation.IO_URING_WRITE, errno.EBADF): (1, 0),
        error(Operation.IO_URING_READ, errno.EFAULT): (1, 0),
        error(Operation.IO_URING_SEND, errno.ENOTSOCK): (1, 0),
        error(Operation.IO_URING_RECV, errno.EAGAIN): (1, 0),
    }


def test_requests_that_move_no_data(counted: Run, file: Path) -> None:
    assert counted("others", file).calls == {}


@pytest.mark.parametrize("who", ["asynchronous", "polled", "threads"])
def test_requests_count_for_their_submitter(counted: Run, file: Path, who: str) -> None:
    """Also when a kernel worker, the kernel thread that polls the ring, or another thread does the work."""
    assert counted(who, file).calls == from_file(5000)


def test_a_ring_that_is_inherited(probes: ProbeFixture, counted: Run, file: Path) -> None:
    parent = counted("forked", file)
    assert probes.finished(int(parent.output)).calls == from_file(5000)
    assert {row.operation for row in parent.calls} == {Operation.WRITE}  # its message to the test


def test_a_completion_that_comes_later(counted: Run) -> None:
    assert counted("waits").calls == (
        read_from(Endpoint.TCP, Operation.IO_URING_RECV, 1, 100) | written_to(Endpoint.TCP, Operation.SENDTO, 1, 100)
    )


def test_a_chain_that_breaks(counted: Run, file: Path) -> None:
    assert counted("linked", file).calls == (
        from_file(3000)
        | written_to(Endpoint.PIPE, Operation.IO_URING_WRITE, 1, 3000)
        | {
            error(Operation.IO_URING_READ, errno.EBADF): (1, 0),
            error(Operation.IO_URING_WRITE, errno.ECANCELED): (1, 0),
        }
    )


def test_splices(counted: Run, file: Path) -> None:
    """The kernel releases a source that is a registered file before the completion, so it is unknown."""
    assert counted("splices", file, file.with_name("copy")).calls == {
        zero_copy(Operation.IO_URING_SPLICE, Endpoint.PAGE_CACHE, Endpoint.PIPE): (1, 4000),
        zero_copy(Operation.IO_URING_TEE, Endpoint.PIPE, Endpoint.PIPE): (1, 3000),
        zero_copy(Operation.IO_URING_SPLICE, Endpoint.PIPE, Endpoint.TCP): (2, 3000),
        cpu(Operation.IO_URING_SPLICE, Endpoint.PIPE, Endpoint.PAGE_CACHE): (1, 3000),
        zero_copy(Operation.IO_URING_SPLICE, Endpoint.UNKNOWN, Endpoint.PIPE): (1, 500),
    }


@pytest.mark.probe("io_uring_multishot")
def test_a_multishot_counts_each_completion(probes: ProbeFixture, counted: Run) -> None:
    """The last one is the end of the stream, or the cancellation."""
    before = probes.maps.dropped()
    assert counted("multishot").calls == (
        read_from(Endpoint.TCP, Operation.IO_URING_RECV, 4, 600)
        | read_from(Endpoint.UNIX, Operation.IO_URING_RECV, 3, 6)
        | written_to(Endpoint.TCP, Operation.SENDTO, 3, 600)
        | written_to(Endpoint.UNIX, Operation.SENDTO, 3, 6)
        | {error(Operation.IO_URING_RECV, errno.ECANCELED): (1, 0)}
    )
    assert probes.maps.dropped() == before


@pytest.mark.probe("io_uring_multishot")
def test_reads_of_many_shots(counted: Run) -> None:
    assert counted("read_multishot").calls == (
        read_from(Endpoint.PIPE, Operation.IO_URING_READ_MULTISHOT, 3, 150)
        | written_to(Endpoint.PIPE, Operation.WRITE, 2, 150)
    )


def test_a_completion_without_an_event_is_not_counted(counted: Run, file: Path) -> None:
    assert counted("silent", file).calls == from_file(2000)


def test_what_a_full_ring_has_no_room_for_is_not_counted(counted: Run, file: Path) -> None:
    """Of 24 completions 16 fit. The kernel delivers the others later, without the tracepoint."""
    assert counted("overflowing", file).calls == from_file(160, events=16)


def test_what_never_completes_is_not_counted(counted: Run) -> None:
    assert counted("unfinished").calls == {}


def test_other_probes_count_io_uring_too(probes: ProbeFixture, io_uring: Run, disk: Path) -> None:
    probes.require("sockets", "block")
    file = disk / "uring"
    file.write_bytes(bytes(4 << 20))
    finished = io_uring("transfers", file)
    assert finished.rows[socket_copy(Endpoint.TCP)][:2] == (1, 1000)
    assert amount(finished.rows, DISK_READS) >= 65536
