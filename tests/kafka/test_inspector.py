"""The finder: what it finds out of processes in containers too, and what it may not do."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.kafka.broker import UNKNOWN, Facts, Listener
from exporter.kafka.inspector import INSPECTOR, Inspector, InspectorExitedError
from tests.support.fake_broker import PYTHON, FakeBroker

SYS_PTRACE_AND_DAC_READ_SEARCH = 1 << 19 | 1 << 2
CONTAINER = ("unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "bash", "-ec")
CHROOT = 'root=$(mktemp -d); mount --rbind / "$root"; mount -t tmpfs none "$root/opt"'


@pytest.fixture(scope="module")
def finder() -> Iterator[Inspector]:
    if os.geteuid() != 0:
        pytest.skip("looking into other processes needs root")
    started = Inspector("/proc", "nobody")
    yield started
    started.close()


def configured(directory: Path, **properties: str) -> Path:
    """``server.properties`` that only root may read, and a log directory."""
    (directory / "data").mkdir()
    file = directory / "server.properties"
    file.write_text("".join(f"{name.replace('_', '.')}={value}\n" for name, value in properties.items()))
    file.chmod(0o600)
    return file


def inode(path: Path) -> int:
    return path.stat().st_ino


def test_a_broker(finder: Inspector, tmp_path: Path) -> None:
    configured(tmp_path, node_id="5", log_dirs=str(tmp_path / "data"), listeners="SSL://127.0.0.1:0")
    with FakeBroker(tmp_path, "server.properties") as poser:
        before = finder.ask(poser.pid)
        assert before == Facts("5", (), (inode(tmp_path / "data"),))
        port = poser.do("listen", "127.0.0.1", 0)
        assert finder.ask(poser.pid) == Facts(
            "5", (Listener("SSL", "SSL", port),), (inode(tmp_path / "data"),), settled=True
        )


def test_paths_from_its_working_directory(finder: Inspector, tmp_path: Path) -> None:
    configured(tmp_path, node_id="5", log_dirs="data")
    (tmp_path / "bin").mkdir()
    with FakeBroker(tmp_path / "bin", "../server.properties", "--override", "log.dirs=../data") as poser:
        facts = finder.ask(poser.pid)
        assert (facts.node_id, facts.log_directories) == ("5", (inode(tmp_path / "data"),))
        assert facts.listeners == (Listener("PLAINTEXT", "PLAINTEXT", 9092),)
        assert not facts.settled, "it does not listen yet"


def contained(directory: Path, script: str) -> FakeBroker:
    return FakeBroker(directory, "/opt/server.properties", before=(*CONTAINER, f'{script}; exec "$@"', "bash"))


def inner(poser: FakeBroker) -> int:
    """The process that ``unshare`` made."""
    (child,) = Path(f"/proc/{poser.pid}/task/{poser.pid}/children").read_text().split()
    return int(child)


@pytest.mark.parametrize("entry", ["mount -t tmpfs none /opt", f"{CHROOT}; mkdir $root/opt/w"])
def test_inside_of_a_container(finder: Inspector, tmp_path: Path, entry: str) -> None:
    """With a root directory, process ids and a network of its own; a link inside leads inside."""
    root = '"$root"' if "root=" in entry else ""
    script = f"""{entry}; cd {root}/opt; ip link set lo up 2>/dev/null || true
        cp {tmp_path}/kafka.Kafka .; mkdir -p data; ln -s /opt/real.properties server.properties
        printf 'node.id=8\\nlisteners=SSL://:0\\nlog.dirs=data,/opt/data\\n' > real.properties
        chmod -R go= . ; set -- "$@" """
    if root:
        script += '; set -- chroot "$root" bash -c "cd /opt; exec \\"\\$@\\"" bash "$@"'
    with contained(tmp_path, script) as poser:
        pid = inner(poser)
        port = poser.do("listen", "0.0.0.0", 0)
        facts = finder.ask(pid)
        assert facts.problems == ()
        assert (facts.node_id, facts.listeners) == ("8", (Listener("SSL", "SSL", port),))
        (directory,) = set(facts.log_directories)
        assert directory == os.stat(f"/proc/{pid}/cwd/data").st_ino


def test_a_link_out_of_a_container_stays_inside(finder: Inspector, tmp_path: Path) -> None:
    (tmp_path / "outside.properties").write_text("node.id=66\n")
    script = f"mount -t tmpfs none /opt; cd /opt; cp {tmp_path}/kafka.Kafka .; mkdir -p r/opt; "
    script += f"ln -s ../../../../../../../..{tmp_path}/outside.properties r/opt/server.properties; "
    script += "cp kafka.Kafka r/; mount --rbind /usr r/opt 2>/dev/null; umount -l r/opt; mkdir -p r/usr r/lib r/lib64 "
    script += 'r/bin; for d in usr lib lib64 bin; do mount --rbind /$d r/$d; done; set -- chroot r "$@"'
    with contained(tmp_path, script) as poser:
        facts = finder.ask(inner(poser))
        assert facts.node_id == ""
        assert facts.problems == ("/opt/server.properties: No such file or directory",)


def test_without_its_configuration_sockets_tell(finder: Inspector, tmp_path: Path) -> None:
    with FakeBroker(tmp_path, "/nowhere/server.properties") as poser:
        port = poser.do("listen", "127.0.0.1", 0)
        facts = finder.ask(poser.pid)
        assert facts.listeners == (Listener(UNKNOWN, UNKNOWN, port),)
        assert facts.problems == ("/nowhere/server.properties: No such file or directory",)
        assert not facts.settled


def fifo(path: Path) -> None:
    os.mkfifo(path)


def huge(path: Path) -> None:
    path.write_bytes(b"a" * (1 << 20) + b"b")


def noise(path: Path) -> None:
    path.write_bytes(os.urandom(1 << 16) + b"\nlisteners=A\nnode.id=x")


def surrogate(path: Path) -> None:
    path.write_text("log.dirs=/\\ud800\n")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (fifo, "server.properties: not a regular file"),
        (Path.mkdir, "server.properties: not a regular file"),
        (huge, "server.properties: File too large"),
        (
            surrogate,
            "UnicodeEncodeError: 'utf-8' codec can't encode character '\\ud800' in position 1: surrogates not allowed",
        ),
        (noise, "listeners has A, which is not NAME://HOST:PORT"),
    ],
)
def test_a_configuration_that_is_none(
    finder: Inspector, tmp_path: Path, make: Callable[[Path], None], problem: str
) -> None:
    make(tmp_path / "server.properties")
    with FakeBroker(tmp_path, "server.properties") as poser:
        assert problem in finder.ask(poser.pid).problems


def test_it_answers_for_brokers_alone(finder: Inspector) -> None:
    assert finder.ask(1) == finder.ask(os.getpid()) == Facts(problems=("it is not a broker",))
    assert finder.ask(4_000_000) == Facts(problems=("it is not a broker",))


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, value in (line.split(":", 1) for line in lines)}


def test_what_it_may_do(finder: Inspector) -> None:
    finder.ask(1)
    own = status(finder.pid)
    assert own["Uid"].split() == ["65534"] * 4
    assert own["Groups"] == ""
    assert own["NoNewPrivs"] == "1"
    kept = {name: int(own[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb")}
    only = SYS_PTRACE_AND_DAC_READ_SEARCH
    assert kept == {"CapPrm": only, "CapEff": only, "CapBnd": only, "CapInh": 0, "CapAmb": 0}


def test_it_has_no_network_and_no_probes(finder: Inspector) -> None:
    finder.ask(1)
    devices = Path(f"/proc/{finder.pid}/net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in devices] == ["lo"]
    assert os.readlink(f"/proc/{finder.pid}/ns/net") != os.readlink("/proc/self/ns/net")
    held = [os.readlink(f"/proc/{finder.pid}/fd/{entry}") for entry in os.listdir(f"/proc/{finder.pid}/fd")]
    assert [target.split(":")[0] for target in held if "bpf" in target or "socket" in target] == ["socket"]


def start_by_hand(*wrapper: str) -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [*wrapper, *INSPECTOR, str(theirs.fileno()), "/proc", "nobody"]
        process = subprocess.Popen(command, pass_fds=(theirs.fileno(),), stderr=subprocess.PIPE)
    return ours, process


def test_without_proc_it_finds_nothing_and_says_nothing(finder: Inspector) -> None:
    assert finder.ask(1)
    ours, process = start_by_hand("unshare", "--mount", "sh", "-ec", 'umount --lazy /proc; exec "$@"', "sh")
    with ours, process:
        ours.send((1).to_bytes(4, "little"))
        assert Facts.decode(ours.recv(1 << 16)) == Facts(problems=("it is not a broker",))
        assert status(process.pid)["NoNewPrivs"] == "1"
        ours.shutdown(socket.SHUT_WR)
        assert process.stderr
        assert (process.stderr.read(), process.wait(20)) == (b"", 0)


def test_ctrl_c_is_not_for_it(finder: Inspector) -> None:
    assert finder.ask(1)
    os.kill(finder.pid, signal.SIGINT)
    assert finder.ask(1)


@pytest.mark.parametrize("garbage", [b"x", b"garbage of many bytes", b""])
def test_garbage_ends_it(finder: Inspector, garbage: bytes) -> None:
    assert finder.ask(1)
    ours, process = start_by_hand()
    with ours, process:
        ours.send(garbage)
        assert process.wait(20) == 0


def test_it_ends_with_the_service(finder: Inspector) -> None:
    """Even when that is killed: nobody holds the other end any more."""
    assert finder.ask(1)
    program = "from exporter.kafka.inspector import Inspector; inspector = Inspector('/proc', 'nobody'); "
    program += "inspector.ask(1); print(inspector.pid, flush=True);"
    started = subprocess.Popen([sys.executable, "-c", f"{program} input()"], stdin=-1, stdout=subprocess.PIPE)
    with started as service:
        assert service.stdout
        pid = int(service.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        service.send_signal(signal.SIGKILL)
        service.wait()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and status(pid)["State"][0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_without_rights_it_says_so(finder: Inspector) -> None:
    assert finder.ask(1)
    program = "from exporter.kafka.inspector import Inspector; print(Inspector('/proc', 'nobody').ask(1).problems[0])"
    said = subprocess.run(
        ["setpriv", "--bounding-set=-sys_ptrace", "--reuid=nobody", "--clear-groups", PYTHON, "-c", program],
        capture_output=True,
        check=False,
        cwd="/",
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    if b"ModuleNotFoundError" in said.stderr or b"Permission" in said.stderr:
        pytest.skip("not in this kernel: this checkout is not for other users to read")
    assert said.stdout.startswith(b"the finder: "), said


def test_when_it_has_gone_the_reason_is_told(finder: Inspector) -> None:
    assert finder.ask(1)
    other = Inspector("/proc", "nobody")
    other.ask(1)
    os.kill(other.pid, signal.SIGKILL)
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(InspectorExitedError, match="ended with status -9"):
        other.ask(1)
    with pytest.raises(InspectorExitedError):
        other.ask(1)
