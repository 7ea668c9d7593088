"""The serving process has no privilege that it does not need."""

import os
import pwd
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.exporter_process import COMMAND, SERVE, ExporterProcess
from tests.support.requirements import require_readable_checkout
from tests.support.scrape_recorder import ScrapeRecorder
from tests.support.watched_connection import WatchedConnection

from .movers import Mover, agree

Start = Callable[..., ExporterProcess]
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
NOBODY = pwd.getpwnam("nobody")
SYS_PTRACE = 1 << 19
BPF = 1 << 39
ASKS = "import ctypes, errno; print(ctypes.CDLL('libbpf.so.1').bpf_map_lookup_elem(-1, None, None) == -errno.EPERM)"


@pytest.fixture(scope="module")
def service() -> Iterator[ExporterProcess]:
    with ExporterProcess() as started:
        yield started


@pytest.fixture(scope="module")
def needed() -> int:
    """The capabilities that reading maps needs on this kernel: none since c8644cd0efe7 (v5.19)."""
    refused = subprocess.run(["/usr/bin/python3", "-c", ASKS], user="nobody", cwd="/", capture_output=True, check=True)
    return BPF if refused.stdout == b"True\n" else 0


def only(kept: int) -> dict[str, int]:
    return {"CapInh": 0, "CapPrm": kept, "CapEff": kept, "CapBnd": kept, "CapAmb": 0}


def capabilities(service: ExporterProcess) -> dict[str, int]:
    status = service.status()
    return {name: int(status[name], 16) for name in CAPABILITIES}


def is_user(service: ExporterProcess, uid: int, gid: int) -> bool:
    status = service.status()
    return status["Uid"].split() == [str(uid)] * 4 and status["Gid"].split() == [str(gid)] * 4


def test_nobody_without_a_capability(service: ExporterProcess, needed: int) -> None:
    assert is_user(service, NOBODY.pw_uid, NOBODY.pw_gid)
    assert service.status()["Groups"] == ""
    assert capabilities(service) == only(needed)
    assert service.status()["NoNewPrivs"] == "1"


def test_every_thread_gave_up_the_same(service: ExporterProcess, needed: int) -> None:
    service.metrics()
    for task in Path(f"/proc/{service.pid}/task").iterdir():
        status = (task / "status").read_text()
        assert f"CapBnd:\t{needed:016x}" in status
        assert f"CapPrm:\t{needed:016x}" in status
        assert f"Uid:\t{NOBODY.pw_uid}\t" in status


SHADOW = """
from exporter.host.privileges import drop, find_user
open("/etc/shadow").close()
drop(find_user("nobody"))
try:
    open("/etc/shadow")
except PermissionError:
    print("refused")
"""


def test_the_files_of_root_are_out_of_reach() -> None:
    """After giving up root as the service does."""
    python = COMMAND.with_name("python")
    assert subprocess.run([python, "-c", SHADOW], capture_output=True, text=True, check=True).stdout == "refused\n"


def test_the_loader_is_gone(service: ExporterProcess) -> None:
    children = Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()
    commands = [Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0") for child in children]
    assert [b"exporter.kafka.inspector" in command for command in commands] == [True]
    held = [os.readlink(entry) for entry in Path(f"/proc/{service.pid}/fd").iterdir()]
    assert any("bpf-prog" in target for target in held), "the probes are in these descriptors"


def test_bcc_and_the_compiler_are_not_loaded(service: ExporterProcess) -> None:
    lines = Path(f"/proc/{service.pid}/maps").read_text().splitlines()
    files = " ".join(line.split(maxsplit=5)[5] for line in lines if "/" in line)
    assert "libbpf" in files
    assert not [name for name in ("bcc", "clang", "llvm") if name in files.lower()]


def test_another_user(start: Start, move: Callable[..., Mover], connection: WatchedConnection, needed: int) -> None:
    daemon = pwd.getpwnam("daemon")
    service, recorder, mover = start("--user", "daemon"), ScrapeRecorder(), move()
    mover.move(77)
    agree(service, recorder, connection, 1, 77)
    assert is_user(service, daemon.pw_uid, daemon.pw_gid)
    assert capabilities(service) == only(needed)


def test_user_by_number(start: Start) -> None:
    assert is_user(start("--user", str(NOBODY.pw_uid)), NOBODY.pw_uid, NOBODY.pw_gid)


def test_keep_exactly_one_capability(
    start: Start, move: Callable[..., Mover], connection: WatchedConnection, needed: int
) -> None:
    service, recorder, mover = start("--capabilities.keep", "CAP_SYS_PTRACE"), ScrapeRecorder(), move()
    mover.move(5)
    agree(service, recorder, connection, 1, 5)
    assert capabilities(service) == only(SYS_PTRACE | needed)
    assert is_user(service, NOBODY.pw_uid, NOBODY.pw_gid)
    assert service.status()["NoNewPrivs"] == "1"


def test_metrics_of_the_own_process_work(service: ExporterProcess) -> None:
    text = service.metrics(openmetrics=False)
    for name in ("process_open_fds", "process_resident_memory_bytes", "process_cpu_seconds_total"):
        assert f"\n{name} " in text


def test_capabilities_without_root(
    start: Start, move: Callable[..., Mover], connection: WatchedConnection, needed: int
) -> None:
    """A service manager may start it as a user with capabilities: it drops them. The bounding set needs CAP_SETPCAP."""
    rights = ("--inh-caps=+bpf,+perfmon,+sys_ptrace", "--ambient-caps=+bpf,+perfmon,+sys_ptrace")
    before = ("setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups", *rights)
    require_readable_checkout(before)
    service, recorder, mover = start(command=(*before, *SERVE)), ScrapeRecorder(), move()
    mover.move(6)
    agree(service, recorder, connection, 1, 6)
    assert is_user(service, NOBODY.pw_uid, NOBODY.pw_gid)
    without_setpcap = {name: value for name, value in only(needed).items() if name != "CapBnd"}
    assert without_setpcap.items() <= capabilities(service).items()
    assert service.status()["NoNewPrivs"] == "1"


def test_others_of_the_same_user_cannot_look_into_it(service: ExporterProcess) -> None:
    """A process that was root is not dumpable: only root can read its memory and environment."""
    for name in ("environ", "mem", "maps"):
        path = f"/proc/{service.pid}/{name}"
        command = ["/usr/bin/python3", "-c", f"open({path!r})"]
        refused = subprocess.run(
            command, user="nobody", group=NOBODY.pw_gid, cwd="/", capture_output=True, text=True, check=False
        )
        assert f"PermissionError: [Errno 13] Permission denied: '{path}'" in refused.stderr
