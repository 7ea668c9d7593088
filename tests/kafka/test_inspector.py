"""The inspector: the facts that it finds, also of processes in containers, and the privileges that it does not have."""

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.kafka.broker import UNKNOWN, Facts, Listener
from exporter.kafka.inspector import INSPECTOR, Inspector, InspectorExitedError
from tests.support.fake_broker import PYTHON, FakeBroker, write_config
from tests.support.paths import ROOT
from tests.support.requirements import require_readable_checkout, require_root
from tests.support.wait import wait_until

NOT_A_BROKER = Facts(problems=("not a broker",))
SYS_PTRACE_AND_DAC_READ_SEARCH = 1 << 19 | 1 << 2
CONTAINER = ("unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "bash", "-ec")
CHROOT = 'root=$(mktemp -d); mount --rbind / "$root"; mount -t tmpfs none "$root/opt"'


@pytest.fixture(scope="module", autouse=True)
def _root() -> None:
    require_root()


@pytest.fixture(scope="module")
def inspector() -> Iterator[Inspector]:
    started = Inspector("/proc", "nobody")
    yield started
    started.close()


def inode(path: Path) -> int:
    return path.stat().st_ino


def test_a_broker(inspector: Inspector, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_config(tmp_path, node_id=5, log_dirs=tmp_path / "data", listeners="SSL://127.0.0.1:0")
    with FakeBroker(tmp_path, "server.properties") as broker:
        before = inspector.inspect(broker.pid)
        assert before == Facts("5", (), (inode(tmp_path / "data"),))
        port = broker.do("listen", "127.0.0.1", 0)
        assert inspector.inspect(broker.pid) == Facts(
            "5", (Listener("SSL", "SSL", port),), (inode(tmp_path / "data"),), complete=True
        )


def test_paths_from_its_working_directory(inspector: Inspector, tmp_path: Path) -> None:
    write_config(tmp_path, node_id=5, log_dirs="data")
    for name in ("data", "bin"):
        (tmp_path / name).mkdir()
    with FakeBroker(tmp_path / "bin", "../server.properties", "--override", "log.dirs=../data") as broker:
        facts = inspector.inspect(broker.pid)
        assert (facts.node_id, facts.log_directories) == ("5", (inode(tmp_path / "data"),))
        assert facts.listeners == (Listener("PLAINTEXT", "PLAINTEXT", 9092),)
        assert not facts.complete, "it does not listen on 9092"


def start_in_container(directory: Path, script: str) -> FakeBroker:
    return FakeBroker(directory, "/opt/server.properties", before=(*CONTAINER, f'{script}; exec "$@"', "bash"))


def pid_in_container(broker: FakeBroker) -> int:
    """The process that ``unshare`` started."""
    (child,) = Path(f"/proc/{broker.pid}/task/{broker.pid}/children").read_text().split()
    return int(child)


@pytest.mark.parametrize("entry", ["mount -t tmpfs none /opt", f"{CHROOT}; mkdir $root/opt/w"])
def test_a_broker_in_a_container(inspector: Inspector, tmp_path: Path, entry: str) -> None:
    """It has its own root directory, process ids and network; its configuration is a symbolic link."""
    root = '"$root"' if "root=" in entry else ""
    script = f"""{entry}; cd {root}/opt; ip link set lo up 2>/dev/null || true
        cp {tmp_path}/kafka.Kafka .; mkdir -p data; ln -s /opt/real.properties server.properties
        printf 'node.id=8\\nlisteners=SSL://:0\\nlog.dirs=data,/opt/data\\n' > real.properties
        chmod -R go= . ; set -- "$@" """
    if root:
        script += '; set -- chroot "$root" bash -c "cd /opt; exec \\"\\$@\\"" bash "$@"'
    with start_in_container(tmp_path, script) as broker:
        pid = pid_in_container(broker)
        port = broker.do("listen", "0.0.0.0", 0)
        facts = inspector.inspect(pid)
        assert facts.problems == ()
        assert (facts.node_id, facts.listeners) == ("8", (Listener("SSL", "SSL", port),))
        (directory,) = set(facts.log_directories)
        assert directory == os.stat(f"/proc/{pid}/cwd/data").st_ino


def test_a_link_is_resolved_inside_the_container(inspector: Inspector, tmp_path: Path) -> None:
    (tmp_path / "outside.properties").write_text("node.id=66\n")
    script = f"mount -t tmpfs none /opt; cd /opt; cp {tmp_path}/kafka.Kafka .; mkdir -p r/opt; "
    script += f"ln -s ../../../../../../../..{tmp_path}/outside.properties r/opt/server.properties; "
    script += "cp kafka.Kafka r/; mount --rbind /usr r/opt 2>/dev/null; umount -l r/opt; mkdir -p r/usr r/lib r/lib64 "
    script += 'r/bin; for d in usr lib lib64 bin; do mount --rbind /$d r/$d; done; set -- chroot r "$@"'
    with start_in_container(tmp_path, script) as broker:
        facts = inspector.inspect(pid_in_container(broker))
        assert facts.node_id == ""
        assert facts.problems == ("/opt/server.properties: No such file or directory",)


def test_without_a_configuration_the_ports_are_those_of_its_sockets(inspector: Inspector, tmp_path: Path) -> None:
    with FakeBroker(tmp_path, "/nowhere/server.properties") as broker:
        port = broker.do("listen", "127.0.0.1", 0)
        facts = inspector.inspect(broker.pid)
        assert facts.listeners == (Listener(UNKNOWN, UNKNOWN, port),)
        assert facts.problems == ("/nowhere/server.properties: No such file or directory",)
        assert not facts.complete


def fifo(path: Path) -> None:
    os.mkfifo(path)


def huge(path: Path) -> None:
    path.write_bytes(b"a" * (1 << 20) + b"b")


def malformed(path: Path) -> None:
    path.write_bytes(os.urandom(1 << 16) + b"\nlisteners=A\nnode.id=x")


def surrogate(path: Path) -> None:
    path.write_text("log.dirs=/\\ud800\n")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (fifo, "server.properties: not a regular file"),
        (Path.mkdir, "server.properties: not a regular file"),
        (huge, "server.properties: File too large"),
        (surrogate, f"log directory /\ud800: {os.strerror(errno.EILSEQ)}"),
        (malformed, "listeners has A, which is not NAME://HOST:PORT"),
    ],
)
def test_a_configuration_that_cannot_be_used(
    inspector: Inspector, tmp_path: Path, make: Callable[[Path], None], problem: str
) -> None:
    make(tmp_path / "server.properties")
    with FakeBroker(tmp_path, "server.properties") as broker:
        assert problem in inspector.inspect(broker.pid).problems


def test_processes_that_are_not_brokers_have_no_facts(inspector: Inspector) -> None:
    assert inspector.inspect(1) == inspector.inspect(os.getpid()) == NOT_A_BROKER
    assert inspector.inspect(4_000_000) == NOT_A_BROKER


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, value in (line.split(":", 1) for line in lines)}


def has_exited(pid: int) -> bool:
    try:
        return status(pid)["State"][0] == "Z"
    except FileNotFoundError:
        return True


def test_its_privileges(inspector: Inspector) -> None:
    inspector.inspect(1)
    found = status(inspector.pid)
    assert found["Uid"].split() == ["65534"] * 4
    assert found["Groups"] == ""
    assert found["NoNewPrivs"] == "1"
    kept = {name: int(found[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb")}
    only = SYS_PTRACE_AND_DAC_READ_SEARCH
    assert kept == {"CapPrm": only, "CapEff": only, "CapBnd": only, "CapInh": 0, "CapAmb": 0}


def test_it_has_no_network_and_no_probes(inspector: Inspector) -> None:
    inspector.inspect(1)
    devices = Path(f"/proc/{inspector.pid}/net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in devices] == ["lo"]
    assert os.readlink(f"/proc/{inspector.pid}/ns/net") != os.readlink("/proc/self/ns/net")
    open_files = [os.readlink(f"/proc/{inspector.pid}/fd/{entry}") for entry in os.listdir(f"/proc/{inspector.pid}/fd")]
    assert [target.split(":")[0] for target in open_files if "bpf" in target or "socket" in target] == ["socket"]


def start_inspector(*wrapper: str) -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [*wrapper, *INSPECTOR, str(theirs.fileno()), "/proc", "nobody"]
        process = subprocess.Popen(command, pass_fds=(theirs.fileno(),), stderr=subprocess.PIPE)
    return ours, process


def test_without_proc_no_process_is_a_broker() -> None:
    ours, process = start_inspector("unshare", "--mount", "sh", "-ec", 'umount --lazy /proc; exec "$@"', "sh")
    with ours, process:
        ours.send((1).to_bytes(4, "little"))
        assert Facts.decode(ours.recv(1 << 16)) == NOT_A_BROKER
        assert status(process.pid)["NoNewPrivs"] == "1"
        ours.shutdown(socket.SHUT_WR)
        assert process.stderr
        assert (process.stderr.read(), process.wait(20)) == (b"", 0)


def test_it_ignores_sigint(inspector: Inspector) -> None:
    assert inspector.inspect(1) == NOT_A_BROKER
    os.kill(inspector.pid, signal.SIGINT)
    assert inspector.inspect(1) == NOT_A_BROKER


@pytest.mark.parametrize("message", [b"x", b"more bytes than a request has", b""])
def test_it_exits_after_an_invalid_request(message: bytes) -> None:
    ours, process = start_inspector()
    with ours, process:
        ours.send(message)
        assert process.wait(20) == 0


def test_it_exits_with_the_service() -> None:
    """Also when the service is killed: its end of the socket pair is closed then."""
    program = "from exporter.kafka.inspector import Inspector; inspector = Inspector('/proc', 'nobody'); "
    program += "inspector.inspect(1); print(inspector.pid, flush=True);"
    started = subprocess.Popen([sys.executable, "-c", f"{program} input()"], stdin=-1, stdout=subprocess.PIPE)
    with started as service:
        assert service.stdout
        pid = int(service.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        service.send_signal(signal.SIGKILL)
        service.wait()
    wait_until(lambda: has_exited(pid), "the inspector exits")


def test_missing_privileges_are_a_problem() -> None:
    as_nobody = ["setpriv", "--bounding-set=-sys_ptrace", "--reuid=nobody", "--clear-groups"]
    require_readable_checkout(as_nobody)
    program = (
        "from exporter.kafka.inspector import Inspector; print(Inspector('/proc', 'nobody').inspect(1).problems[0])"
    )
    done = subprocess.run(
        [*as_nobody, PYTHON, "-c", program],
        capture_output=True,
        check=False,
        cwd="/",
        env={"PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.startswith(b"the inspector: "), done


def test_the_error_after_its_exit_has_the_status() -> None:
    other = Inspector("/proc", "nobody")
    other.inspect(1)
    os.kill(other.pid, signal.SIGKILL)
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(InspectorExitedError, match=r"^the inspector was killed by SIGKILL before it finished$"):
        other.inspect(1)
    with pytest.raises(InspectorExitedError):
        other.inspect(1)
