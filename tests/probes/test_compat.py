"""32-bit system calls: `int $0x80` and 32-bit programs, whose numbers mean other calls."""

import errno
from collections.abc import Callable
from pathlib import Path
from platform import machine

import pytest

from exporter.model import Endpoint, Operation

from .probe_fixture import Counts, ProbeFixture, cpu, error, zero_copy

pytestmark = [pytest.mark.probe("syscalls"), pytest.mark.skipif(machine() != "x86_64", reason="32-bit calls of x86")]

ZERO, NULL = (Endpoint.DEVICE, Endpoint.USER), (Endpoint.USER, Endpoint.DEVICE)
RECEIVED, SENT = (Endpoint.UNIX, Endpoint.USER), (Endpoint.USER, Endpoint.UNIX)
FILES: Counts = {
    cpu(Operation.READ, *ZERO): (1, 100),
    cpu(Operation.READV, *ZERO): (1, 7),
    cpu(Operation.PREAD64, *ZERO): (1, 90),
    cpu(Operation.PREADV, *ZERO): (1, 7),
    cpu(Operation.PREADV2, *ZERO): (1, 7),
    cpu(Operation.WRITE, *NULL): (1, 100),
    cpu(Operation.WRITEV, *NULL): (1, 7),
    cpu(Operation.PWRITE64, *NULL): (1, 90),
    cpu(Operation.PWRITEV, *NULL): (1, 7),
    cpu(Operation.PWRITEV2, *NULL): (1, 7),
    error(Operation.READ, errno.EBADF): (1, 0),
}
SOCKETS: Counts = {
    cpu(Operation.SENDTO, *SENT): (3, 60),
    cpu(Operation.RECVFROM, *RECEIVED): (3, 60),
    cpu(Operation.SENDMSG, *SENT): (2, 80),
    cpu(Operation.RECVMSG, *RECEIVED): (2, 80),
    cpu(Operation.SENDMMSG, *SENT): (2, 160),
    cpu(Operation.RECVMMSG, *RECEIVED): (3, 160),
    error(Operation.RECVFROM, errno.EAGAIN): (1, 0),
}
TRANSFERS: Counts = {
    zero_copy(Operation.SENDFILE, Endpoint.PAGE_CACHE, Endpoint.PIPE): (2, 200),
    zero_copy(Operation.TEE, Endpoint.PIPE, Endpoint.PIPE): (1, 60),
    zero_copy(Operation.SPLICE, Endpoint.PIPE, Endpoint.PIPE): (1, 200),
    zero_copy(Operation.VMSPLICE, Endpoint.USER, Endpoint.PIPE): (1, 40),
    cpu(Operation.VMSPLICE, Endpoint.PIPE, Endpoint.USER): (1, 40),
    cpu(Operation.SPLICE, Endpoint.PIPE, Endpoint.DEVICE): (1, 260),
}


MOVERS: Counts = {
    cpu(Operation.PROCESS_VM_READV, Endpoint.USER, Endpoint.USER): (1, 70),
    cpu(Operation.PROCESS_VM_WRITEV, Endpoint.USER, Endpoint.USER): (1, 70),
    cpu(Operation.MSGSND, Endpoint.USER, Endpoint.QUEUE): (1, 50),
    cpu(Operation.MSGRCV, Endpoint.QUEUE, Endpoint.USER): (1, 50),
    cpu(Operation.MQ_TIMEDSEND, Endpoint.USER, Endpoint.QUEUE): (2, 23),
    cpu(Operation.MQ_TIMEDRECEIVE, Endpoint.QUEUE, Endpoint.USER): (2, 23),
    cpu(Operation.SENDTO, Endpoint.USER, Endpoint.TCP): (1, 25),
    zero_copy(Operation.GETSOCKOPT, Endpoint.TCP, Endpoint.USER): (1, 0),
    cpu(Operation.GETSOCKOPT, Endpoint.TCP, Endpoint.USER): (0, 25),
}


@pytest.fixture(scope="module")
def i386(workload: Callable[..., Path]) -> Path:
    return workload("i386", "-m32", "-nostdlib", "-ffreestanding", "-fno-pie", "-fno-stack-protector")


@pytest.fixture(scope="module")
def int80(workload: Callable[..., Path]) -> Path:
    return workload("int80")


def test_a_32_bit_program(probes: ProbeFixture, i386: Path) -> None:
    finished = probes.run(i386)
    calls, entries = finished.calls, cpu(Operation.GETDENTS64, Endpoint.PSEUDO, Endpoint.USER)
    assert calls.pop(entries)[0] == 2
    assert calls == FILES | SOCKETS | TRANSFERS | MOVERS
    assert finished.rows[cpu(Operation.GETRANDOM, Endpoint.DEVICE, Endpoint.USER)].amount == 33


def test_both_kinds_of_calls_in_one_program(probes: ProbeFixture, int80: Path) -> None:
    assert probes.run(int80, "mixes").calls == {
        cpu(Operation.READ, *ZERO): (20, 110),
        cpu(Operation.WRITE, *NULL): (20, 1010),
        error(Operation.READ, errno.EBADF): (1, 0),
    }


def test_numbers_that_move_data_only_in_the_other_table(probes: ProbeFixture, int80: Path) -> None:
    assert probes.run(int80, "neighbours").calls == {}
