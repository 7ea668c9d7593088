"""Calls that move data between processes, through queues, from the kernel itself, or by mapping received pages."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.model import Endpoint, Operation
from tests.support.requirements import skip_for_kernel

from .probe_fixture import Counts, ProbeFixture, amount, cpu, error, zero_copy

pytestmark = pytest.mark.probe("syscalls")

RECEIVED = (Endpoint.TCP, Endpoint.USER)


@pytest.fixture(scope="module")
def movers(workload: Callable[..., Path]) -> Path:
    return workload("movers")


def without_output(counts: Counts) -> Counts:
    """Without the truth that the workload prints."""
    return {row: count for row, count in counts.items() if row.operation is not Operation.WRITE}


def test_memory_of_another_process(probes: ProbeFixture, movers: Path) -> None:
    assert probes.run(movers, "process_vm").calls == {
        cpu(Operation.PROCESS_VM_READV, Endpoint.USER, Endpoint.USER): (1, 123),
        cpu(Operation.PROCESS_VM_WRITEV, Endpoint.USER, Endpoint.USER): (1, 123),
        error(Operation.PROCESS_VM_READV, errno.EFAULT): (1, 0),
    }


def test_a_posix_message_queue(probes: ProbeFixture, movers: Path) -> None:
    assert probes.run(movers, "posix_queue", f"/copy-exporter-test-{os.getpid()}").calls == {
        cpu(Operation.MQ_TIMEDSEND, Endpoint.USER, Endpoint.QUEUE): (2, 1010),
        cpu(Operation.MQ_TIMEDRECEIVE, Endpoint.QUEUE, Endpoint.USER): (2, 1010),
        error(Operation.MQ_TIMEDRECEIVE, errno.EAGAIN): (1, 0),
        error(Operation.MQ_TIMEDSEND, errno.EMSGSIZE): (1, 0),
    }


def test_a_system_v_message_queue(probes: ProbeFixture, movers: Path) -> None:
    assert probes.run(movers, "sysv_queue").calls == {
        cpu(Operation.MSGSND, Endpoint.USER, Endpoint.QUEUE): (2, 500),
        cpu(Operation.MSGRCV, Endpoint.QUEUE, Endpoint.USER): (2, 500),
        error(Operation.MSGRCV, errno.ENOMSG): (1, 0),
    }


def test_random_numbers(probes: ProbeFixture, movers: Path) -> None:
    """Every program of the C library asks for some at its start: compare with one that asks for no more."""
    asked = cpu(Operation.GETRANDOM, Endpoint.DEVICE, Endpoint.USER)
    at_start = amount(probes.run(movers, "process_vm").rows, asked)
    rows = probes.run(movers, "random_numbers").rows
    assert amount(rows, asked) == at_start + 300
    assert rows[error(Operation.GETRANDOM, errno.EINVAL)].events == 1


@pytest.mark.parametrize(("path", "source"), [("/proc/self/task", Endpoint.PSEUDO), (None, Endpoint.PAGE_CACHE)])
def test_entries_of_a_directory(
    probes: ProbeFixture, movers: Path, disk: Path, path: str | None, source: Endpoint
) -> None:
    finished = probes.run(movers, "entries", path or disk)
    assert without_output(finished.calls) == {
        cpu(Operation.GETDENTS64, source, Endpoint.USER): (2, int(finished.output))
    }


def test_received_pages(probes: ProbeFixture, movers: Path) -> None:
    """1000 bytes are no page, so the kernel copies them: one call in two rows."""
    finished = probes.run(movers, "mapped_receive")
    mapped, copied = map(int, finished.output.split())
    if not copied:
        skip_for_kernel("TCP_ZEROCOPY_RECEIVE with a buffer for copies (7eeba1706eba, v5.11)")
    assert (mapped, copied) == (0, 1000)
    counted = finished.calls
    assert counted[zero_copy(Operation.GETSOCKOPT, *RECEIVED)] == (1, 0)
    assert counted[cpu(Operation.GETSOCKOPT, *RECEIVED)] == (0, 1000)


def test_mapped_pages(probes: ProbeFixture, movers: Path) -> None:
    finished = probes.run(movers, "mapped_pages")
    mapped, copied = map(int, finished.output.split())
    if not mapped:
        skip_for_kernel("TCP_ZEROCOPY_RECEIVE of pages that came through a pipe")
    assert (mapped, copied) == (3 * 4096, 0)
    counted = finished.calls
    assert counted[zero_copy(Operation.GETSOCKOPT, *RECEIVED)] == (1, mapped)
    assert cpu(Operation.GETSOCKOPT, *RECEIVED) not in counted
    assert counted[error(Operation.GETSOCKOPT, errno.EINVAL)] == (1, 0)
