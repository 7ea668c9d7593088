"""The send and receive families on every kind of socket, and what the kernel copies from sockets."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.model import Endpoint, Operation

from .probe_fixture import Counts, ProbeFixture, cpu, error, socket_copy, zero_copy

pytestmark = pytest.mark.probe("syscalls")

KINDS = {
    "tcp4": Endpoint.TCP,
    "tcp6": Endpoint.TCP,
    "udp4": Endpoint.UDP,
    "udp6": Endpoint.UDP,
    "unix_stream": Endpoint.UNIX,
    "unix_dgram": Endpoint.UNIX,
    "netlink": Endpoint.SOCKET,
}
DATAGRAMS = ("udp4", "udp6", "unix_dgram")


@pytest.fixture(scope="module")
def sockets(workload: Callable[..., Path]) -> Path:
    return workload("sockets")


@pytest.mark.parametrize("kind", KINDS)
def test_every_call(probes: ProbeFixture, sockets: Path, kind: str) -> None:
    endpoint = KINDS[kind]
    sends = (Operation.WRITE, Operation.WRITEV, Operation.SENDTO, Operation.SENDMSG)
    receives = (Operation.READ, Operation.READV, Operation.RECVFROM, Operation.RECVMSG)
    assert probes.run(sockets, "families", kind).calls == (
        {cpu(call, Endpoint.USER, endpoint): (1, 100) for call in sends}
        | {cpu(call, endpoint, Endpoint.USER): (1, 100) for call in receives}
        | {
            cpu(Operation.SENDMMSG, Endpoint.USER, endpoint): (3, 60),
            cpu(Operation.RECVMMSG, endpoint, Endpoint.USER): (3, 60),
        }
    )


@pytest.mark.parametrize("count", [1, 3, 1023, 1024])
def test_many_messages_in_one_call(probes: ProbeFixture, sockets: Path, count: int) -> None:
    """The bytes are the sum of msg_len, not the number that the call returns."""
    total = count * (count + 1) // 2
    assert probes.run(sockets, "many", "udp4", count).calls == {
        cpu(Operation.SENDMMSG, Endpoint.USER, Endpoint.UDP): (2, total),
        cpu(Operation.RECVMMSG, Endpoint.UDP, Endpoint.USER): (1, total),
        error(Operation.RECVMMSG, errno.EAGAIN): (1, 0),
    }


@pytest.mark.parametrize("kind", ["tcp4", "udp4", "unix_stream", "unix_dgram"])
def test_a_peek_copies_like_any_other_receive(probes: ProbeFixture, sockets: Path, kind: str) -> None:
    finished = probes.run(sockets, "peek", kind)
    assert finished.calls == {
        cpu(Operation.SENDTO, Endpoint.USER, KINDS[kind]): (1, 100),
        cpu(Operation.RECVFROM, KINDS[kind], Endpoint.USER): (3, 240),
    }


@pytest.mark.parametrize("kind", DATAGRAMS)
def test_what_a_truncating_receive_returns_counts(probes: ProbeFixture, sockets: Path, kind: str) -> None:
    """Only 40 bytes of each datagram are copied. With MSG_TRUNC the call returns 100, and 100 are counted."""
    finished = probes.run(sockets, "truncated", kind)
    assert finished.calls == {
        cpu(Operation.SENDTO, Endpoint.USER, KINDS[kind]): (2, 200),
        cpu(Operation.RECVFROM, KINDS[kind], Endpoint.USER): (2, 140),
    }


def copied_by_the_kernel(probes: ProbeFixture, *argv: object) -> Counts:
    """Rows of the copy functions, without the number of their calls."""
    rows = probes.run(*argv).rows
    return {row: (0, count.amount) for row, count in rows.items() if row.kind.name == "KERNEL_COPY"}


@pytest.mark.probe("sockets")
@pytest.mark.parametrize("kind", ["tcp4", "tcp6", "unix_stream", "unix_dgram", "netlink", "udp4", "udp6"])
def test_the_kernel_copies_what_is_received(probes: ProbeFixture, sockets: Path, kind: str) -> None:
    expected = {socket_copy(KINDS[kind]): (0, 60000)}
    assert copied_by_the_kernel(probes, sockets, "transfer", kind, 60000) == expected


@pytest.mark.probe("sockets")
@pytest.mark.parametrize("kind", ["udp4", "udp6"])
def test_a_datagram_in_one_piece_is_copied_past_the_tracepoint(probes: ProbeFixture, sockets: Path, kind: str) -> None:
    """copy_linear_skb() in net/ipv4/udp.c: no tracepoint there."""
    assert copied_by_the_kernel(probes, sockets, "transfer", kind, 1000) == {}


@pytest.mark.probe("sockets")
def test_the_kernel_copies_only_what_fits(probes: ProbeFixture, sockets: Path) -> None:
    expected = {socket_copy(Endpoint.UNIX): (0, 80)}
    assert copied_by_the_kernel(probes, sockets, "truncated", "unix_dgram") == expected


@pytest.mark.probe("sockets")
def test_what_tcp_discards_is_returned_but_not_copied(probes: ProbeFixture, sockets: Path) -> None:
    finished = probes.run(sockets, "discarded", "tcp4")
    assert finished.calls == {
        cpu(Operation.SENDTO, Endpoint.USER, Endpoint.TCP): (1, 100),
        cpu(Operation.RECVFROM, Endpoint.TCP, Endpoint.USER): (2, 100),
    }
    assert finished.rows[socket_copy(Endpoint.TCP)].amount == 40


@pytest.mark.parametrize("kind", ["tcp4", "tcp6", "udp4"])
def test_zero_copy_needs_the_flag_and_the_option(probes: ProbeFixture, sockets: Path, kind: str) -> None:
    endpoint = KINDS[kind]
    assert probes.run(sockets, "zero_copy", kind).calls == {
        cpu(Operation.SENDTO, Endpoint.USER, endpoint): (2, 30),
        cpu(Operation.WRITE, Endpoint.USER, endpoint): (1, 40),
        zero_copy(Operation.SENDTO, Endpoint.USER, endpoint): (1, 1000),
        zero_copy(Operation.SENDMSG, Endpoint.USER, endpoint): (1, 100),
        zero_copy(Operation.SENDMMSG, Endpoint.USER, endpoint): (1, 7000),
        cpu(Operation.RECVMSG, endpoint, Endpoint.USER): (1, 0),
    }
