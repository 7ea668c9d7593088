"""What a local user's process can make the inspector wait for, open or believe."""

import errno
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter.kafka import process_handles
from exporter.kafka.broker import Facts
from exporter.kafka.inspector import InspectionError, Inspector
from exporter.kafka.process_handles import open_handles
from tests.support.fake_broker import PYTHON, FakeBroker, write_config
from tests.support.namespaces import in_mount_namespace
from tests.support.requirements import require_root, skip_for_kernel
from tests.support.wait import wait_until

USER = 1
AS_USER = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
NOT_A_BROKER = Facts(problems=("not a broker",))
WITH_MANY_GROUPS = """if True:
    import os, sys
    os.setgroups(range(200_000, 265_536))
    os.setresgid(1, 1, 1)
    os.setresuid(1, 1, 1)
    os.execvp(sys.argv[1], sys.argv[1:])
"""
MOUNT_FUSE = """if True:
    import ctypes, os, struct, sys
    server = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={server},rootmode=40000,user_id=0,group_id=0,allow_other"
    if ctypes.CDLL(None).mount(b"x", b"/opt", b"fuse", 0, options.encode()):
        sys.exit("mount failed")
    if os.fork():
        os.close(server)
        os.execvp(sys.argv[1], sys.argv[1:])
    while True:
        _, opcode, unique = struct.unpack_from("=IIQ", os.read(server, 1 << 20))
        if opcode == 26:  # FUSE_INIT
            reply = struct.pack("=IIIIHHI", 7, 23, 0, 0, 0, 0, 4096) + bytes(40)
            os.write(server, struct.pack("=IiQ", 16 + len(reply), 0, unique) + reply)
"""
HANGING_FILE_SYSTEM = ("unshare", "--mount", "--pid", "--fork", "--kill-child", PYTHON, "-c", MOUNT_FUSE)
"""Runs a command with a FUSE file system on /opt that reads requests, and answers only the first."""


@pytest.fixture(scope="module")
def inspector() -> Iterator[Inspector]:
    require_root()
    started = Inspector("/proc", "nobody")
    yield started
    started.close()


def child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def test_more_groups_than_its_status_has_room_for(inspector: Inspector, directory: Path) -> None:
    """Seen: the first 64 KiB of the list, which may end within a number: that of another group."""
    config = write_config(directory, node_id=5)
    os.chown(config, 0, 265_535)
    config.chmod(0o640)
    with FakeBroker(directory, config.name, before=(PYTHON, "-c", WITH_MANY_GROUPS)) as broker:
        assert Path(f"/proc/{broker.pid}/status").stat().st_uid == USER
        assert len(Path(f"/proc/{broker.pid}/status").read_bytes()) > 1 << 16
        assert inspector.inspect(broker.pid).node_id == "5"


def test_what_is_opened_is_of_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever process gets the same id after the first look at it: its rights would go with the paths of another."""
    require_root()
    link = tmp_path / "7"
    with ExitStack() as stack:
        first, second = (stack.enter_context(subprocess.Popen([*before, "sleep", "60"])) for before in ((), AS_USER))
        stack.callback(second.kill)
        stack.callback(first.kill)
        wait_until(lambda: Path(f"/proc/{second.pid}/comm").read_text() == "sleep\n", "the other user")
        link.symlink_to(f"/proc/{first.pid}")
        original = process_handles._read

        def replaced_afterwards(*arguments: object) -> bytes:
            content = original(*arguments)  # type: ignore[arg-type]
            link.unlink(missing_ok=True)
            link.symlink_to(f"/proc/{second.pid}")
            return content

        monkeypatch.setattr(process_handles, "_read", replaced_afterwards)
        handles = open_handles(str(tmp_path), 7)
        assert (handles.credentials.uid, handles.command_line) == (0, b"sleep\x0060\0")


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("server.properties", errno.ELOOP),
        ("/proc/self/fd/0", errno.EXDEV),
        ("/proc/1/root/etc/hostname", errno.EACCES),
        ("/dev/zero", "not a regular file"),
        ("/dev/fuse", "not a regular file"),
        ("x/" * 1500 + "x", errno.ENOENT),
    ],
    ids=["loop", "descriptor", "root of another process", "endless", "a device that keeps state", "long path"],
)
def test_links_to(inspector: Inspector, directory: Path, target: str, problem: str | int) -> None:
    (directory / "server.properties").symlink_to(target)
    expected = problem if isinstance(problem, str) else os.strerror(problem)
    with FakeBroker(directory, "server.properties", before=AS_USER) as broker:
        assert inspector.inspect(broker.pid).problems == (f"server.properties: {expected}",)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("tracefs", "trace_pipe"), ("cgroup2", "cgroup.procs"), ("securityfs", "lsm"), ("sysfs", "kernel/uevent_seqnum")],
)
def test_file_systems_of_the_kernel(inspector: Inspector, directory: Path, kind: str, name: str) -> None:
    """To read trace_pipe empties it."""
    mounted = in_mount_namespace(f"mount -t {kind} none /opt; test -e /opt/{name}")
    if subprocess.run([*mounted, "true"], check=False, capture_output=True).returncode:
        skip_for_kernel(f"/opt/{name} on {kind}")
    with FakeBroker(directory, f"/opt/{name}", before=mounted) as broker:
        assert inspector.inspect(broker.pid).problems == (f"/opt/{name}: a file of the kernel",)


def test_a_file_of_a_terabyte_and_one_that_grows(inspector: Inspector, directory: Path) -> None:
    config = write_config(directory, node_id=5)
    with config.open("ab", buffering=0) as file, FakeBroker(directory, config.name) as broker:
        file.truncate(1 << 40)
        assert inspector.inspect(broker.pid).problems == ("server.properties: File too large",)
        file.truncate(len("node.id=5\n"))
        assert inspector.inspect(broker.pid).node_id == "5"


def test_a_process_that_is_stopped(inspector: Inspector, directory: Path) -> None:
    write_config(directory, node_id=5)
    with FakeBroker(directory, "server.properties") as broker:
        os.kill(broker.pid, signal.SIGSTOP)
        assert inspector.inspect(broker.pid).node_id == "5"


def test_questions_that_hang_are_few_and_end_with_their_cause(inspector: Inspector, directory: Path) -> None:
    """Another user's broker is answered meanwhile, and everyone's afterwards."""
    if not Path("/dev/fuse").exists():
        pytest.skip("not in this kernel: FUSE")
    (serving,) = Path(f"/proc/{inspector.pid}/task/{inspector.pid}/children").read_text().split()
    with subprocess.Popen([*AS_USER, "sleep", "60"]) as other, ExitStack() as stack:
        brokers = [
            stack.enter_context(FakeBroker(directory, "/opt/server.properties", before=HANGING_FILE_SYSTEM))
            for _ in range(3)
        ]
        pids = [child(broker.pid) for broker in brokers]
        for pid in pids[:2]:
            with pytest.raises(InspectionError, match=r"no answer within 5 s|its process ended"):
                inspector.inspect(pid)
        with pytest.raises(InspectionError, match="an earlier question about it hangs in the kernel"):
            inspector.inspect(pids[0])
        with pytest.raises(InspectionError, match="2 earlier questions hang in the kernel"):
            inspector.inspect(pids[2])
        assert inspector.inspect(other.pid) == NOT_A_BROKER
        stack.close()
        wait_until(lambda: not Path(f"/proc/{serving}/task/{serving}/children").read_text(), "no question is left", 30)
        assert inspector.inspect(os.getpid()) == NOT_A_BROKER
        other.kill()
