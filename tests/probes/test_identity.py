"""Whose calls they are: threads, forks, execs, pid namespaces; and how processes end."""

import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.model import Endpoint, Identity, Operation
from tests.support.filesystems import file_system
from tests.support.wait import wait_until

from .probe_fixture import DISK_READS, Ground, amount, blocked_in, cpu, syscalls

ZERO = cpu(Operation.READ, Endpoint.DEVICE, Endpoint.USER)
NULL = cpu(Operation.WRITE, Endpoint.USER, Endpoint.DEVICE)
SAID = cpu(Operation.WRITE, Endpoint.USER, Endpoint.PIPE)
HEARD = cpu(Operation.READ, Endpoint.PIPE, Endpoint.USER)


@pytest.fixture(scope="module")
def processes(workload: Callable[..., Path]) -> Path:
    return workload("processes")


@pytest.fixture(scope="module")
def other_name(processes: Path) -> Path:
    path = processes.with_name("another-name")
    path.hardlink_to(processes)
    return path


def ended(ground: Ground, identity: Identity | None) -> str:
    """The name with which a process ended, once the kernel has told of it."""
    assert identity
    wait_until(lambda: identity in ground.exits(), "the exit of the process")
    return ground.exits()[identity]


def test_threads_count_as_one_process_whatever_their_names(ground: Ground, processes: Path) -> None:
    ran = ground.run(processes, "threads")
    assert ran.calls == {ZERO: (90, 9000)}
    assert ended(ground, ran.identity) == "the-leader"


def test_a_fork_counts_apart(ground: Ground, processes: Path) -> None:
    parent = ground.run(processes, "forks")
    child = ground.ran(*struct.unpack("=i", parent.output))
    assert parent.calls == {NULL: (2, 20), SAID: (1, 4)}
    assert child.calls == {NULL: (1, 33)}
    assert child.identity != parent.identity
    assert ended(ground, child.identity) == "processes"


@pytest.mark.parametrize("scenario", ["execs", "execs_from_a_thread"])
def test_an_exec_stays_the_same_process(ground: Ground, processes: Path, other_name: Path, scenario: str) -> None:
    ran = ground.run(processes, scenario, other_name)
    assert ran.calls == {NULL: (3, 107)}
    assert ended(ground, ran.identity) == "another-name"
    assert [identity for identity in ground.exits() if identity.pid == ran.pid] == [ran.identity]


def test_a_process_outlives_its_leader(ground: Ground, processes: Path) -> None:
    with ground.start(processes, "leader_leaves", stdin=subprocess.PIPE) as process:
        assert process.stdin
        wait_until(lambda: syscalls(ground.rows(process.pid)) == {ZERO: (10, 1000)}, "ten calls")
        assert Path(f"/proc/{process.pid}/stat").read_text().split(") ")[1][0] == "Z"
        assert process.pid not in {identity.pid for identity in ground.exits()}
        process.stdin.close()
        assert process.wait(30) == 0
    ran = ground.result(process)
    assert ran.calls == {ZERO: (10, 1000), HEARD: (1, 0)}
    assert ended(ground, ran.identity) == "the-leader"


def test_a_process_in_another_pid_namespace(ground: Ground, processes: Path) -> None:
    """Inside it is process 1; its rows are under the id that the host knows it by."""
    command = ("unshare", "--fork", "--pid", processes, "stays")
    with ground.start(*command, stdin=subprocess.PIPE) as outside:
        assert outside.stdin
        assert outside.stdout
        assert struct.unpack("=i", outside.stdout.read(4)) == (1,)
        children = Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text().split()
        outside.stdin.close()
        assert outside.wait(30) == 0
    assert ground.ran(int(children[0])).calls == {NULL: (1, 11), SAID: (1, 4), HEARD: (1, 0)}


def test_the_start_of_an_identity_is_that_of_proc(ground: Ground, processes: Path) -> None:
    """/proc/PID/stat has it in clock ticks, which exporter.counting.attribution compares by."""
    with ground.start(processes, "stays", stdin=subprocess.PIPE) as process:
        assert process.stdin
        blocked_in(process.pid, "read")
        identity, _ = ground.latest(process.pid)
        ticks = int(Path(f"/proc/{process.pid}/stat").read_text().rsplit(") ", 1)[1].split()[19])
        process.stdin.close()
    assert identity
    assert identity.start * os.sysconf("SC_CLK_TCK") // 1_000_000_000 == ticks


def test_what_is_read_while_a_process_ends_is_not_counted(ground: Ground, tmp_path: Path) -> None:
    """Its counts were final. Letting go of a deleted file reads from the disk where its blocks were."""
    with file_system("ext4 with blocks of 1 KiB", tmp_path) as ((device,), mounted):
        path = mounted / "scattered"
        with path.open("wb") as file:
            for block in range(4000):
                os.pwrite(file.fileno(), b"x", block * 2048)
        for argv in (["umount", mounted], ["mount", device, mounted]):
            subprocess.run(argv, check=True, timeout=30)
        script = f"exec 7<{path}; rm {path}; echo ready; read _"
        with ground.start("sh", "-c", script, stdin=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stdout.read(6) == b"ready\n"
            before = amount(ground.rows(process.pid), DISK_READS)
        assert amount(ground.rows(process.pid), DISK_READS) == before
