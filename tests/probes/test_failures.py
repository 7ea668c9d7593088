"""Calls that fail, are interrupted, or are never made."""

import errno
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.model import Endpoint, Operation

from .probe_fixture import NUMBERS, Ground, blocked_in, cpu, error, zero_copy


@pytest.fixture(scope="module")
def failures(workload: Callable[..., Path]) -> Path:
    return workload("failures")


@pytest.fixture
def file(disk: Path) -> Path:
    path = disk / "file"
    path.write_bytes(bytes(10000))
    return path


def test_errors_by_errno(ground: Ground, failures: Path) -> None:
    assert ground.run(failures, "errors").calls == {
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


def test_what_was_partly_done_counts_as_far_as_it_went(ground: Ground, failures: Path) -> None:
    assert ground.run(failures, "partly").calls == {
        cpu(Operation.WRITE, Endpoint.USER, Endpoint.PIPE): (1, 65536),
        error(Operation.WRITE, errno.EAGAIN): (1, 0),
        cpu(Operation.READV, Endpoint.PIPE, Endpoint.USER): (1, 5),
    }


ANSWER = {cpu(Operation.WRITE, Endpoint.USER, Endpoint.PIPE): (1, 1)}
INTERRUPTED = {error(Operation.READ, errno.EINTR): (1, 0)}


def signal_and_wait(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdout
    blocked_in(process.pid, "read")
    process.send_signal(signal.SIGUSR1)
    assert process.stdout.read(1) == b"!"


def test_an_interrupted_read(ground: Ground, failures: Path) -> None:
    with ground.start(failures, "interrupted", 0, stdin=subprocess.PIPE) as process:
        signal_and_wait(process)
        assert process.wait(30) == 0
    assert ground.result(process).calls == ANSWER | INTERRUPTED


def test_a_restarted_read_is_made_twice(ground: Ground, failures: Path) -> None:
    """The program sees one read that returned three bytes; the kernel ended one and entered another."""
    with ground.start(failures, "interrupted", 1, stdin=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin
        signal_and_wait(process)
        blocked_in(process.pid, "read")
        process.stdin.write(b"abc")
        assert process.wait(30) == 0
    read = {cpu(Operation.READ, Endpoint.PIPE, Endpoint.USER): (1, 3)}
    assert ground.result(process).calls == ANSWER | INTERRUPTED | read


@pytest.mark.parametrize(("replaced", "source"), [(False, Endpoint.UNKNOWN), (True, Endpoint.PAGE_CACHE)])
def test_a_descriptor_taken_away_meanwhile(
    ground: Ground, failures: Path, file: Path, replaced: bool, source: Endpoint
) -> None:
    """It is looked at after the call: it is unknown when it is closed, or what another thread put there."""
    argv = (failures, "taken_away", *([file] if replaced else []))
    with ground.start(*argv, stdin=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin
        signal_and_wait(process)
        process.stdin.write(b"abc")
        assert process.wait(30) == 0
    assert ground.result(process).calls == ANSWER | {cpu(Operation.READ, source, Endpoint.USER): (1, 3)}


def test_a_trapped_call_was_never_made(ground: Ground, failures: Path, file: Path) -> None:
    """It 'returns' its own number, or on arm64 its first argument, which is not a number of bytes."""
    assert ground.run(failures, "seccomp_trap", file).calls == {
        zero_copy(Operation.SENDFILE, Endpoint.PAGE_CACHE, Endpoint.TCP): (1, 10),
        cpu(Operation.PREAD64, Endpoint.PAGE_CACHE, Endpoint.USER): (1, 20),
    }
    read = {cpu(Operation.PREAD64, Endpoint.PAGE_CACHE, Endpoint.USER): (1, NUMBERS["pread64"])}
    assert ground.run(failures, "seccomp_trap_of_read", file).calls == read


def test_a_denied_call_is_an_error(ground: Ground, failures: Path, file: Path) -> None:
    """Unless the probe is on the functions of the calls: then the filter's answer comes before."""
    on_functions = any(
        probe.name == "syscalls" and probe.attach_method == "kretprobe.multi" for probe in ground.handover.probes
    )
    denied = {} if on_functions else {error(Operation.READ, errno.ENOSPC): (1, 0)}
    answered = {cpu(Operation.PREAD64, Endpoint.PAGE_CACHE, Endpoint.USER): (1, 10)}
    assert ground.run(failures, "seccomp_errno", file).calls == denied | answered
