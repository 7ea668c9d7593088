"""The inspector: the facts that it finds, also of processes in containers, and the privileges that it does not have."""

import ast
import errno
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.kafka.broker import UNKNOWN, Facts, Listener
from exporter.kafka.inspector import INSPECTOR, InspectionError, Inspector
from exporter.model import FileId, kernel_device
from tests.support.fake_broker import PYTHON, FakeBroker, write_config
from tests.support.paths import ROOT
from tests.support.ports import free_ports
from tests.support.requirements import require_readable_checkout, require_root
from tests.support.wait import wait_until

NOT_A_BROKER = Facts(problems=("not a broker",))
SYS_PTRACE_SETUID_AND_SETGID = 1 << 19 | 1 << 7 | 1 << 6
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


def file_id(path: Path) -> FileId:
    """On file systems whose devices are the ones that ``stat`` returns."""
    status = path.stat()
    return FileId(kernel_device(os.major(status.st_dev), os.minor(status.st_dev)), status.st_ino)


def test_a_broker(inspector: Inspector, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/meta.properties").write_text("version=1\ncluster.id=c\nnode.id=5\ndirectory.id=d\n")
    write_config(tmp_path, node_id=5, log_dirs=tmp_path / "data", listeners="SSL://127.0.0.1:0")
    with FakeBroker(tmp_path, "server.properties") as broker:
        before = inspector.inspect(broker.pid)
        assert (before.node_id, before.listeners, before.log_directories) == ("5", (), (file_id(tmp_path / "data"),))
        port = broker.do("listen", "127.0.0.1", 0)
        after = inspector.inspect(broker.pid)
        assert after == replace(before, listeners=(Listener("SSL", "SSL", port),), ports=(port,), complete=True)
        added = broker.do("listen", "127.0.0.1", 0)
        found = inspector.inspect(broker.pid)
        assert Listener(UNKNOWN, UNKNOWN, added) in found.listeners, "not in the configuration, but open"
        assert after.fingerprint
        assert (after.cluster_id, after.node_id, after.directory_id) == ("c", "5", "d")


def test_a_broker_whose_configuration_has_neither_ids_nor_directories(inspector: Inspector, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "meta.properties").write_text("version=0\ncluster.id=c\nbroker.id=1001\n")
    (data / ".lock").touch()
    write_config(tmp_path, log_dirs="${env:DATA}")
    with FakeBroker(tmp_path, "server.properties") as broker:
        broker.do("hold", data / ".lock")
        facts = inspector.inspect(broker.pid)
        assert (facts.cluster_id, facts.node_id, facts.log_directories) == ("c", "1001", (file_id(data),))


def test_sockets_decide_over_the_configuration(inspector: Inspector, tmp_path: Path) -> None:
    used, unused = free_ports(2)
    write_config(tmp_path, node_id=5, listeners=f"A://127.0.0.1:{used},B://127.0.0.1:{unused}")
    with FakeBroker(tmp_path, "server.properties") as broker:
        broker.do("listen", "127.0.0.1", used)
        dynamic = broker.do("listen", "127.0.0.1", 0)
        facts = inspector.inspect(broker.pid)
        assert facts.listeners == (Listener("A", UNKNOWN, used), Listener(UNKNOWN, UNKNOWN, dynamic))
        assert (facts.unconfigured, facts.closed) == ((dynamic,), (unused,))


def test_host_name_and_port_before_kafka_3(inspector: Inspector, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    write_config(tmp_path, broker_id=5, host_name="127.0.0.1", port=port)
    with FakeBroker(tmp_path, "server.properties") as broker:
        broker.do("listen", "127.0.0.1", port)
        assert inspector.inspect(broker.pid).listeners == (Listener("PLAINTEXT", "PLAINTEXT", port),)


def test_the_reason_for_an_unknown_cluster_id(inspector: Inspector, tmp_path: Path) -> None:
    write_config(tmp_path, node_id=5, log_dirs=tmp_path)
    with FakeBroker(tmp_path, "server.properties") as broker:
        facts = inspector.inspect(broker.pid)
        assert facts.problems == (f"cluster id unknown: {tmp_path}/meta.properties: No such file or directory",)
        assert not facts.complete


def test_paths_from_its_working_directory(inspector: Inspector, tmp_path: Path) -> None:
    write_config(tmp_path, node_id=5, log_dirs="data")
    for name in ("data", "bin"):
        (tmp_path / name).mkdir()
    with FakeBroker(tmp_path / "bin", "../server.properties", "--override", "log.dirs=../data") as broker:
        facts = inspector.inspect(broker.pid)
        assert (facts.node_id, facts.log_directories) == ("5", (file_id(tmp_path / "data"),))
        assert (facts.listeners, facts.complete) == ((), False), "it does not listen on 9092"


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
        assert facts.problems == ("cluster id unknown: data/meta.properties: No such file or directory",)
        assert (facts.node_id, facts.listeners) == ("8", (Listener("SSL", "SSL", port),))
        (directory,) = set(facts.log_directories)
        assert directory == file_id(Path(f"/proc/{pid}/cwd/data"))


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
    path.write_bytes(os.urandom(1 << 16) + b"\n\nlisteners=A\nnode.id=x")


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
    assert inspector.inspect(os.getpid()) == NOT_A_BROKER
    assert inspector.inspect(4_000_000) == Facts(problems=("No such file or directory",))


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, value in (line.split(":", 1) for line in lines)}


def has_exited(pid: int) -> bool:
    try:
        return status(pid)["State"][0] == "Z"
    except FileNotFoundError:
        return True


def test_its_privileges(inspector: Inspector) -> None:
    inspector.inspect(os.getpid())
    found = status(inspector.pid)
    assert found["Uid"].split() == ["65534"] * 4
    assert found["Groups"] == ""
    assert found["NoNewPrivs"] == "1"
    kept = {name: int(found[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb")}
    only = SYS_PTRACE_SETUID_AND_SETGID
    assert kept == {"CapPrm": only, "CapEff": only, "CapBnd": only, "CapInh": 0, "CapAmb": 0}


def test_it_has_no_network_and_no_probes(inspector: Inspector) -> None:
    inspector.inspect(os.getpid())
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
        ours.send(struct.pack("=II", 7, 1))
        response = ours.recv(1 << 17)
        assert struct.unpack_from("=I?", response) == (7, True)
        assert Facts.decode(response[5:]) == Facts(problems=("No such file or directory",))
        assert status(process.pid)["NoNewPrivs"] == "1"
        ours.shutdown(socket.SHUT_WR)
        assert process.stderr
        assert (process.stderr.read(), process.wait(20)) == (b"", 0)


def test_it_ignores_sigint(inspector: Inspector) -> None:
    assert inspector.inspect(os.getpid()) == NOT_A_BROKER
    os.kill(inspector.pid, signal.SIGINT)
    assert inspector.inspect(os.getpid()) == NOT_A_BROKER


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
    assert b"CAP_SYS_PTRACE" in done.stdout, done


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_it_is_restarted(inspector: Inspector) -> None:
    """Whatever kills the process that answers."""
    inspector.inspect(os.getpid())
    (serving,) = children(inspector.pid)
    os.kill(serving, signal.SIGKILL)
    wait_until(lambda: children(inspector.pid) not in ([], [serving]), "another process", 30)
    assert inspector.inspect(os.getpid()) == NOT_A_BROKER


def test_a_late_answer_is_not_the_end(inspector: Inspector, monkeypatch: pytest.MonkeyPatch) -> None:
    inspector.inspect(os.getpid())
    (serving,) = children(inspector.pid)
    os.kill(serving, signal.SIGSTOP)
    with monkeypatch.context() as patched:
        patched.setattr("exporter.kafka.inspector._TIMEOUT_SECONDS", 0.2)
        with pytest.raises(InspectionError, match="did not answer within"):
            inspector.inspect(4_000_000)
    os.kill(serving, signal.SIGCONT)
    assert inspector.inspect(os.getpid()) == NOT_A_BROKER, "not the answer of the question before"


def test_the_error_after_the_exit_of_everything() -> None:
    other = Inspector("/proc", "nobody")
    other.inspect(os.getpid())
    (serving,) = children(other.pid)
    os.kill(other.pid, signal.SIGKILL)
    os.kill(serving, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(InspectionError, match=r"^the inspector was killed by SIGKILL before it finished$"):
            other.inspect(os.getpid())
    other.close()


def test_a_file_that_only_its_user_may_read(inspector: Inspector, directory: Path) -> None:
    """The broker's user may, so the facts are known; another user's file in a closed directory stays closed."""
    closed = directory / "closed"
    closed.mkdir(0o700)
    (closed / "root.properties").write_text("node.id=66\n")
    own = directory / "own"
    own.mkdir()
    write_config(own, node_id=5)
    for path in (own, own / "server.properties"):
        os.chown(path, 1, 1)
    user = ("setpriv", "--reuid=1", "--regid=1", "--clear-groups")
    with FakeBroker(own, "server.properties", before=user) as broker:
        assert inspector.inspect(broker.pid).node_id == "5"
    with FakeBroker(own, str(closed / "root.properties"), before=user) as broker:
        facts = inspector.inspect(broker.pid)
        assert (facts.node_id, facts.problems) == ("", (f"{closed}/root.properties: Permission denied",))


def test_the_rights_of_the_process_that_answers() -> None:
    """Those of the broker, without a capability; it can write nothing and has one descriptor to the inspector."""
    program = """if True:
        import os, resource, stat
        from exporter.host import privileges
        from exporter.host.credentials import Credentials
        from exporter.kafka import questions
        from exporter.kafka.inspector import CAPABILITIES
        privileges.drop(privileges.find_user("nobody"), CAPABILITIES)
        def respond(procfs, pid):
            questions._inspect(procfs, pid)
            descriptors = [n for n in range(256) if os.path.exists(f"/proc/self/fd/{n}")]
            sockets = [n for n in descriptors if stat.S_ISSOCK(os.fstat(n).st_mode)]
            status = open("/proc/self/status").read()
            limits = resource.getrlimit(resource.RLIMIT_FSIZE), resource.getrlimit(resource.RLIMIT_DATA)
            return repr((status, limits, len(sockets))).encode()
        print(questions.Questions("/proc", respond).ask(int(input())).decode())
    """
    user = ["setpriv", "--reuid=1", "--regid=1", "--groups=4,5", "sleep", "60"]
    with subprocess.Popen(user) as broker:
        wait_until(lambda: Path(f"/proc/{broker.pid}/comm").read_text() == "sleep\n", "the user")
        done = subprocess.run(
            [sys.executable, "-c", program], input=f"{broker.pid}\n", capture_output=True, text=True, check=False
        )
        broker.kill()
    assert done.stdout, done.stderr
    text, limits, sockets = ast.literal_eval(done.stdout)
    fields = {key: values.split() for key, _, values in (line.partition(":") for line in text.splitlines())}
    assert (fields["Uid"], fields["Gid"], fields["Groups"]) == (["1"] * 4, ["1"] * 4, ["4", "5"])
    assert (fields["CapEff"], fields["CapPrm"], fields["NoNewPrivs"]) == (["0" * 16], ["0" * 16], ["1"])
    assert (limits, sockets) == (((0, 0), (128 << 20, 128 << 20)), 1)


def test_a_program_that_runs_with_the_rights_of_another_user(inspector: Inspector, tmp_path: Path) -> None:
    (tmp_path / "java").write_bytes(Path(PYTHON).resolve().read_bytes())
    (tmp_path / "java").chmod(0o4755)
    script = 'exec -a java "$0" -S -c "import time; print(1, flush=True); time.sleep(60)" kafka.Kafka x.properties'
    command = ["bash", "-c", script.replace("-S -c", "-I -S -c"), str(tmp_path / "java")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert inspector.inspect(process.pid) == Facts(problems=("a program with the set-user-id bit",))
        process.kill()


@pytest.mark.parametrize("file_system", ["tmpfs", "overlay"])
def test_a_configuration_on(inspector: Inspector, tmp_path: Path, file_system: str) -> None:
    mount = {
        "tmpfs": "mount -t tmpfs none /opt",
        "overlay": "mount -t tmpfs none /mnt; mkdir /mnt/l /mnt/u /mnt/w; "
        "mount -t overlay none -o lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w /opt",
    }[file_system]
    script = f"{mount}; cp {tmp_path}/kafka.Kafka /opt; cd /opt; echo node.id=9 > server.properties"
    with start_in_container(tmp_path, script) as broker:
        assert inspector.inspect(pid_in_container(broker)).node_id == "9"


def test_a_file_of_the_kernel_and_a_device_are_not_opened(inspector: Inspector, tmp_path: Path) -> None:
    for path in ("/proc/version", "/sys/kernel/uevent_seqnum"):
        with FakeBroker(tmp_path, path) as broker:
            assert inspector.inspect(broker.pid).problems == (f"{path}: a file of the kernel",)
    with FakeBroker(tmp_path, "/dev/null") as broker:
        assert inspector.inspect(broker.pid).problems == ("/dev/null: not a regular file",)


def test_a_fifo_is_not_opened(inspector: Inspector, tmp_path: Path) -> None:
    """A writer that waits for a reader goes on waiting."""
    os.mkfifo(tmp_path / "server.properties")
    with FakeBroker(tmp_path, "server.properties") as broker:
        inspector.inspect(broker.pid)
        with pytest.raises(OSError, match="No such device or address"):  # ENXIO: nobody has it open for reading
            os.open(tmp_path / "server.properties", os.O_WRONLY | os.O_NONBLOCK)


@pytest.mark.parametrize(
    "properties",
    [
        {"listeners": ",".join(f"L{number}://:0" for number in range(20_000))},
        {"log_dirs": ",".join(f"/d{number}" for number in range(100_000))},
        {"listeners": "\\\n" * 300_000},
    ],
    ids=["listeners", "log.dirs", "continued lines"],
)
def test_large_configurations_take_little_time(
    inspector: Inspector, tmp_path: Path, properties: dict[str, str]
) -> None:
    """Seen: 12.6 s for 500 listeners, 84 s for 1 MB of log.dirs. No question may take longer than five seconds."""
    write_config(tmp_path, node_id=5, **properties)
    with FakeBroker(tmp_path, "server.properties") as broker:
        for _ in range(50):
            broker.do("listen", "127.0.0.1", 0)
        facts = inspector.inspect(broker.pid)
        assert facts.node_id == "5"
        assert len(facts.listeners) <= 100
        assert len(facts.problems) <= 110


MOUNT_FUSE = """if True:
    import ctypes, os, sys
    server = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={server},rootmode=40000,user_id=0,group_id=0,allow_other"
    if ctypes.CDLL(None).mount(b"x", b"/opt", b"fuse", 0, options.encode()):
        sys.exit("mount failed")
    os.set_inheritable(server, True)
    os.execvp(sys.argv[1], sys.argv[1:])
"""
UNRESPONSIVE_FILE_SYSTEM = (*CONTAINER, '"$0" "$@"', PYTHON, "-c", MOUNT_FUSE)
"""Runs a command with a FUSE file system on /opt that reads no request: a process that looks into it waits."""


def test_a_file_system_that_does_not_answer(inspector: Inspector, tmp_path: Path) -> None:
    """The question ends, others are answered, and the state is known once the file system is gone."""
    if not Path("/dev/fuse").exists():
        pytest.skip("not in this kernel: FUSE")
    with FakeBroker(tmp_path, "/opt/server.properties", before=UNRESPONSIVE_FILE_SYSTEM) as broker:
        with pytest.raises(InspectionError, match=r"no answer within 5 s|its process ended"):
            inspector.inspect(pid_in_container(broker))
        assert inspector.inspect(os.getpid()) == NOT_A_BROKER
    assert inspector.inspect(os.getpid()) == NOT_A_BROKER
    (serving,) = children(inspector.pid)
    wait_until(lambda: inspector.inspect(os.getpid()) and not children(serving), "nothing is left")
