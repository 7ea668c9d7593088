"""Durations of sendfile, and its port."""

import errno
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.model import DURATION_BUCKETS_NS, Endpoint, Operation, RowKind, Rows

from .probe_fixture import Counts, ProbeFixture, cpu, error, wait_until_blocked, zero_copy

pytestmark = pytest.mark.probe("sendfile")

BYTES = 8 << 20


@pytest.fixture(scope="module")
def transfers(workload: Callable[..., Path]) -> Path:
    return workload("transfers")


@pytest.fixture(scope="module")
def file(disk: Path) -> Path:
    path = disk / "sent"
    path.write_bytes(bytes(BYTES))
    return path


def durations(rows: Rows) -> dict[int, tuple[int, int]]:
    """Calls and nanoseconds by bucket."""
    return {
        row.errno_or_bucket: (count.events, count.amount) for row, count in rows.items() if row.kind is RowKind.DURATION
    }


def test_every_successful_call_has_a_duration(probes: ProbeFixture, transfers: Path, file: Path) -> None:
    small = file.with_name("small")
    small.write_bytes(bytes(10000))
    started = time.monotonic_ns()
    rows = probes.run(transfers, "sendfile_to_socket", small, "tcp4").rows
    took = time.monotonic_ns() - started
    assert sum(events for events, _ in durations(rows).values()) == 3
    assert 0 < sum(nanoseconds for _, nanoseconds in durations(rows).values()) < took


def test_a_slow_call_is_in_a_slow_bucket(probes: ProbeFixture, transfers: Path, file: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, probes.start(transfers, "sendfile_to_the_test", file, BYTES, stdout=theirs) as process:
        theirs.close()
        started = time.monotonic_ns()
        wait_until_blocked(process.pid, "sendfile")
        seen = time.monotonic_ns()
        time.sleep(0.3)  # what is measured
        held = time.monotonic_ns() - seen
        received = 0
        while data := ours.recv(1 << 20):
            received += len(data)
        assert process.wait(30) == 0
        took = time.monotonic_ns() - started
    assert received == BYTES
    rows = probes.result(process).rows
    ((bucket, (events, nanoseconds)),) = durations(rows).items()
    assert events == 1
    assert held <= nanoseconds <= took + 1_000_000_000  # it may have started before the test's clock
    assert DURATION_BUCKETS_NS[bucket - 1] < nanoseconds <= DURATION_BUCKETS_NS[bucket]
    assert probes.result(process).calls == {
        zero_copy(Operation.SENDFILE, Endpoint.PAGE_CACHE, Endpoint.UNIX): (1, BYTES),
        error(Operation.SENDFILE, errno.EBADF): (1, 0),
    }


def on_port(port: int) -> Counts:
    """The counts of both. The rows of the client never have the port of the server."""
    server: Counts = {
        cpu(Operation.RECVFROM, Endpoint.TCP, Endpoint.USER, port): (1, 10),
        cpu(Operation.SENDTO, Endpoint.USER, Endpoint.TCP, port): (1, 20),
        zero_copy(Operation.SENDFILE, Endpoint.PAGE_CACHE, Endpoint.TCP, port): (1, 3000),
        zero_copy(Operation.SPLICE, Endpoint.TCP, Endpoint.PIPE, port): (1, 40),
        zero_copy(Operation.SPLICE, Endpoint.PIPE, Endpoint.TCP, port): (1, 40),
        error(Operation.RECVFROM, errno.EAGAIN): (1, 0),
    }
    client: Counts = {
        cpu(Operation.SENDTO, Endpoint.USER, Endpoint.TCP): (2, 50),
        cpu(Operation.RECVFROM, Endpoint.TCP, Endpoint.USER): (2, 3020),
    }
    both: Counts = {}
    for row, (events, amount) in [*server.items(), *client.items()]:
        before = both.get(row, (0, 0))
        both[row] = (before[0] + events, before[1] + amount)
    return both


def test_a_watched_port(probes: ProbeFixture, transfers: Path, file: Path, port: int) -> None:
    """The local port of the socket, for sends and receives. It is 0 before it is watched, and afterwards."""
    assert probes.run(transfers, "on_a_port", file, port).calls == on_port(0)
    probes.maps.watch_ports([port, 1, 65535])
    assert probes.run(transfers, "on_a_port", file, port).calls == on_port(port)
    probes.maps.watch_ports([1, 65535])
    assert probes.run(transfers, "on_a_port", file, port).calls == on_port(0)
