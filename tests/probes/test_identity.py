"""Which process a call counts for: threads, forks, execs, pid namespaces; and the exits of processes."""

import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.model import Endpoint, Identity, Operation
from tests.support.filesystems import file_system
from tests.support.wait import wait_until

from .probe_fixture import DISK_READS, ProbeFixture, amount, cpu, syscalls, wait_until_blocked

pytestmark = pytest.mark.probe("syscalls", "exits")

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


def ended(probes: ProbeFixture, identity: Identity | None) -> str:
    """The name of a process at its exit, once the exit is in the map."""
    assert identity
    wait_until(lambda: identity in probes.exits(), "the exit of the process")
    return probes.exits()[identity]


def test_threads_count_as_one_process_whatever_their_names(probes: ProbeFixture, processes: Path) -> None:
    finished = probes.run(processes, "threads")
    assert finished.calls == {ZERO: (90, 9000)}
    assert ended(probes, finished.identity) == "the-leader"


def test_a_fork_counts_separately(probes: ProbeFixture, processes: Path) -> None:
    parent = probes.run(processes, "forks")
    child = probes.finished(*struct.unpack("=i", parent.output))
    assert parent.calls == {NULL: (2, 20), SAID: (1, 4)}
    assert child.calls == {NULL: (1, 33)}
    assert child.identity != parent.identity
    assert ended(probes, child.identity) == "processes"


@pytest.mark.parametrize("scenario", ["execs", "execs_from_a_thread"])
def test_an_exec_stays_the_same_process(probes: ProbeFixture, processes: Path, other_name: Path, scenario: str) -> None:
    finished = probes.run(processes, scenario, other_name)
    assert finished.calls == {NULL: (3, 107)}
    assert ended(probes, finished.identity) == "another-name"
    assert [identity for identity in probes.exits() if identity.pid == finished.pid] == [finished.identity]


def test_a_process_outlives_its_leader(probes: ProbeFixture, processes: Path) -> None:
    with probes.start(processes, "leader_leaves", stdin=subprocess.PIPE) as process:
        assert process.stdin
        wait_until(lambda: syscalls(probes.rows(process.pid)) == {ZERO: (10, 1000)}, "ten calls")
        assert Path(f"/proc/{process.pid}/stat").read_text().split(") ")[1][0] == "Z"
        assert process.pid not in {identity.pid for identity in probes.exits()}
        process.stdin.close()
        assert process.wait(30) == 0
    finished = probes.result(process)
    assert finished.calls == {ZERO: (10, 1000), HEARD: (1, 0)}
    assert ended(probes, finished.identity) == "the-leader"


def test_a_process_in_another_pid_namespace(probes: ProbeFixture, processes: Path) -> None:
    """Inside it is process 1. Its rows have its id in the initial pid namespace."""
    command = ("unshare", "--fork", "--pid", processes, "stays")
    with probes.start(*command, stdin=subprocess.PIPE) as outside:
        assert outside.stdin
        assert outside.stdout
        assert struct.unpack("=i", outside.stdout.read(4)) == (1,)
        children = Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text().split()
        outside.stdin.close()
        assert outside.wait(30) == 0
    assert probes.finished(int(children[0])).calls == {NULL: (1, 11), SAID: (1, 4), HEARD: (1, 0)}


def test_the_start_of_an_identity_is_that_of_proc(probes: ProbeFixture, processes: Path) -> None:
    """/proc/PID/stat has it in clock ticks: exporter.counting compares these."""
    with probes.start(processes, "stays", stdin=subprocess.PIPE) as process:
        assert process.stdin
        wait_until_blocked(process.pid, "read")
        identity, _ = probes.latest(process.pid)
        ticks = int(Path(f"/proc/{process.pid}/stat").read_text().rsplit(") ", 1)[1].split()[19])
        process.stdin.close()
    assert identity
    assert identity.start * os.sysconf("SC_CLK_TCK") // 1_000_000_000 == ticks


def test_what_is_read_while_a_process_ends_is_not_counted(probes: ProbeFixture, tmp_path: Path) -> None:
    """Its counts are final by then. The release of a deleted file reads its block map from the disk."""
    with file_system("ext4 with blocks of 1 KiB", tmp_path) as ((device,), mounted):
        path = mounted / "scattered"
        with path.open("wb") as file:
            for block in range(4000):
                os.pwrite(file.fileno(), b"x", block * 2048)
        for argv in (["umount", mounted], ["mount", device, mounted]):
            subprocess.run(argv, check=True, timeout=30)
        script = f"exec 7<{path}; rm {path}; echo ready; read _"
        with probes.start("sh", "-c", script, stdin=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stdout.read(6) == b"ready\n"
            before = amount(probes.rows(process.pid), DISK_READS)
        assert amount(probes.rows(process.pid), DISK_READS) == before
