"""32-bit system calls: `int $0x80` and 32-bit programs, whose numbers mean other calls."""

import errno
from collections.abc import Callable
from pathlib import Path
from platform import machine

import pytest

from exporter.model import Call, Endpoint, Kind

from .probe_fixture import Counts, Ground, cpu, error, zero_copy

pytestmark = pytest.mark.skipif(machine() != "x86_64", reason="32-bit calls of x86")

ZERO, NULL = (Endpoint.DEVICE, Endpoint.USER), (Endpoint.USER, Endpoint.DEVICE)
RECEIVED, SENT = (Endpoint.UNIX, Endpoint.USER), (Endpoint.USER, Endpoint.UNIX)
FILES: Counts = {
    cpu(Call.READ, *ZERO): (1, 100),
    cpu(Call.READV, *ZERO): (1, 7),
    cpu(Call.PREAD64, *ZERO): (1, 90),
    cpu(Call.PREADV, *ZERO): (1, 7),
    cpu(Call.PREADV2, *ZERO): (1, 7),
    cpu(Call.WRITE, *NULL): (1, 100),
    cpu(Call.WRITEV, *NULL): (1, 7),
    cpu(Call.PWRITE64, *NULL): (1, 90),
    cpu(Call.PWRITEV, *NULL): (1, 7),
    cpu(Call.PWRITEV2, *NULL): (1, 7),
    error(Call.READ, errno.EBADF): (1, 0),
}
SOCKETS: Counts = {
    cpu(Call.SENDTO, *SENT): (3, 60),
    cpu(Call.RECVFROM, *RECEIVED): (3, 60),
    cpu(Call.SENDMSG, *SENT): (2, 80),
    cpu(Call.RECVMSG, *RECEIVED): (2, 80),
    cpu(Call.SENDMMSG, *SENT): (2, 160),
    cpu(Call.RECVMMSG, *RECEIVED): (3, 160),
    error(Call.RECVFROM, errno.EAGAIN): (1, 0),
}
TRANSFERS: Counts = {
    zero_copy(Call.SENDFILE, Endpoint.PAGE_CACHE, Endpoint.PIPE): (2, 200),
    zero_copy(Call.TEE, Endpoint.PIPE, Endpoint.PIPE): (1, 60),
    zero_copy(Call.SPLICE, Endpoint.PIPE, Endpoint.PIPE): (1, 200),
    zero_copy(Call.VMSPLICE, Endpoint.USER, Endpoint.PIPE): (1, 40),
    cpu(Call.VMSPLICE, Endpoint.PIPE, Endpoint.USER): (1, 40),
    cpu(Call.SPLICE, Endpoint.PIPE, Endpoint.DEVICE): (1, 260),
}


@pytest.fixture(scope="module")
def i386(workload: Callable[..., Path]) -> Path:
    return workload("i386", "-m32", "-nostdlib", "-ffreestanding", "-fno-pie", "-fno-stack-protector")


@pytest.fixture(scope="module")
def int80(workload: Callable[..., Path]) -> Path:
    return workload("int80")


def test_a_32_bit_program(ground: Ground, i386: Path) -> None:
    assert ground.run(i386).calls == FILES | SOCKETS | TRANSFERS


def test_both_kinds_of_calls_in_one_program(ground: Ground, int80: Path) -> None:
    assert ground.run(int80, "mixes").calls == {
        cpu(Call.READ, *ZERO): (20, 110),
        cpu(Call.WRITE, *NULL): (20, 1010),
        error(Call.READ, errno.EBADF): (1, 0),
    }


def test_numbers_that_move_data_only_in_the_other_table(ground: Ground, int80: Path) -> None:
    ran = ground.run(int80, "neighbours")
    assert ran.calls == {}
    assert not [row for row in ran.rows if row.kind is Kind.ERROR]
