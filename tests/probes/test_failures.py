"""Calls that fail, are interrupted, or are never made."""

import errno
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.model import Endpoint, Operation

from .probe_fixture import NUMBERS, ProbeFixture, cpu, error, wait_until_blocked, zero_copy

pytestmark = pytest.mark.probe("syscalls")


@pytest.fixture(scope="module")
def failures(workload: Callable[..., Path]) -> Path:
    return workload("failures")


@pytest.fixture
def file(disk: Path) -> Path:
    path = disk / "file"
    path.write_bytes(bytes(10000))
    return path


def test_errors_by_errno(probes: ProbeFixture, failures: Path) -> None:
    assert probes.run(failures, "errors").calls == {
        error(Operation.READ, errno.EAGAIN): (2, 0),
        error(Operation.READ, errno.EBADF): (1, 0),
        error(Operation.READ, errno.EISDIR): (1, 0),
        error(Operation.WRITE, errno.EBADF): (1, 0),
        error(Operation.WRITE, errno.EFAULT): (1, 0),
        error(Operation.WRITE, errno.EPIPE): (1, 0),
        error(Operation.PREAD64, errno.EBADF): (1, 0),
        error(Operation.PREAD64, errno.ESPIPE): (1, 0),
        error(Operation.SPLICE, errno.EINVAL): (1, 0),
        error(Operation.TEE, errno.EINVAL): (1, 0),
        error(Operation.SENDFILE, errno.EBADF): (1, 0),
        error(Operation.RECVFROM, errno.EAGAIN): (1, 0),
        error(Operation.RECVFROM, errno.EBADF): (1, 0),
        error(Operation.SENDTO, errno.ENOTSOCK): (1, 0),
    }


def test_what_was_partly_done_counts_as_far_as_it_went(probes: ProbeFixture, failures: Path) -> None:
    assert probes.run(failures, "partly").calls == {
        cpu(Operation.WRITE, Endpoint.USER, Endpoint.PIPE): (1, 65536),
        error(Operation.WRITE, errno.EAGAIN): (1, 0),
        cpu(Operation.READV, Endpoint.PIPE, Endpoint.USER): (1, 5),
    }


ANSWER = {cpu(Operation.WRITE, Endpoint.USER, Endpoint.PIPE): (1, 1)}
INTERRUPTED = {error(Operation.READ, errno.EINTR): (1, 0)}


def signal_and_wait(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdout
    wait_until_blocked(process.pid, "read")
    process.send_signal(signal.SIGUSR1)
    assert process.stdout.read(1) == b"!"


def test_an_interrupted_read(probes: ProbeFixture, failures: Path) -> None:
    with probes.start(failures, "interrupted", 0, stdin=subprocess.PIPE) as process:
        signal_and_wait(process)
        assert process.wait(30) == 0
    assert probes.result(process).calls == ANSWER | INTERRUPTED


def test_a_restarted_read_is_made_twice(probes: ProbeFixture, failures: Path) -> None:
    """The program sees one read that returned three bytes. The kernel ended one and started another."""
    with probes.start(failures, "interrupted", 1, stdin=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin
        signal_and_wait(process)
        wait_until_blocked(process.pid, "read")
        process.stdin.write(b"abc")
        assert process.wait(30) == 0
    read = {cpu(Operation.READ, Endpoint.PIPE, Endpoint.USER): (1, 3)}
    assert probes.result(process).calls == ANSWER | INTERRUPTED | read


@pytest.mark.parametrize(("replaced", "source"), [(False, Endpoint.UNKNOWN), (True, Endpoint.PAGE_CACHE)])
def test_a_descriptor_taken_away_meanwhile(
    probes: ProbeFixture, failures: Path, file: Path, replaced: bool, source: Endpoint
) -> None:
    """Descriptors are resolved after the call: it is unknown when closed, or the file that replaced it."""
    argv = (failures, "taken_away", *([file] if replaced else []))
    with probes.start(*argv, stdin=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin
        signal_and_wait(process)
        process.stdin.write(b"abc")
        assert process.wait(30) == 0
    assert probes.result(process).calls == ANSWER | {cpu(Operation.READ, source, Endpoint.USER): (1, 3)}


def test_a_trapped_call_was_never_made(probes: ProbeFixture, failures: Path, file: Path) -> None:
    """Its result is its own number, or on arm64 its first argument: this is not a number of bytes."""
    assert probes.run(failures, "seccomp_trap", file).calls == {
        zero_copy(Operation.SENDFILE, Endpoint.PAGE_CACHE, Endpoint.TCP): (1, 10),
        cpu(Operation.PREAD64, Endpoint.PAGE_CACHE, Endpoint.USER): (1, 20),
    }
    read = {cpu(Operation.PREAD64, Endpoint.PAGE_CACHE, Endpoint.USER): (1, NUMBERS["pread64"])}
    assert probes.run(failures, "seccomp_trap_of_read", file).calls == read


def test_a_denied_call_is_an_error(probes: ProbeFixture, failures: Path, file: Path) -> None:
    """A probe on the functions of the calls does not see it: the filter answers before."""
    on_functions = probes.state("syscalls").hook == "system calls"
    denied = {} if on_functions else {error(Operation.READ, errno.ENOSPC): (1, 0)}
    answered = {cpu(Operation.PREAD64, Endpoint.PAGE_CACHE, Endpoint.USER): (1, 10)}
    assert probes.run(failures, "seccomp_errno", file).calls == denied | answered
