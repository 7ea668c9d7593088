"""Invalid input ends with one line that names it and a valid value, and with the right status."""

import socket
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.exporter_process import refused
from tests.support.namespaces import WITHOUT_TRACEPOINTS, in_mount_namespace
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.requirements import require_readable_checkout

USAGE, UNABLE = 2, 1
HUGE = "9" * 5000

FLAGS = [
    ("--web.listen-address", "here", "HOST:PORT", "127.0.0.1:10435"),
    ("--web.listen-address", "127.0.0.1:65536", "HOST:PORT", ":10435"),
    ("--web.listen-address", "::1:80", "HOST:PORT", "[::1]:10435"),
    ("--web.listen-address", f":{HUGE}", "HOST:PORT", ":10435"),
    ("--web.listen-address", "192.0.2.1:0", "ip address"),
    ("--web.listen-address", "no.such.host.invalid:0", "the host name has no address"),
    ("--web.listen-address", "a..b:0", "the host name has no address"),
    ("--web.telemetry-path", "metrics", "/metrics"),
    ("--web.telemetry-path", "/", "/metrics"),
    ("--web.telemetry-path", "/openapi.json", "/metrics"),
    ("--web.telemetry-path", "/{name}", "/metrics"),
    ("--path.procfs", "/etc", "procfs"),
    ("--path.procfs", "/nowhere", "procfs"),
    ("--watch.port", "0", "between 1 and 65535"),
    ("--watch.port", "65536", "between 1 and 65535"),
    ("--watch.port", "http", "whole number", "between 1 and 65535"),
    ("--watch.port", "-1", "between 1 and 65535"),
    ("--process.include", "(", "regular expression"),
    ("--process.exclude", "*", "regular expression"),
    ("--process.exclude", f"a{{{HUGE[:12]}}}", "regular expression"),
    ("--process.max", "many", "whole number"),
    ("--process.max", "1e3", "whole number"),
    ("--process.max", "", "whole number"),
    ("--process.max", HUGE, "between 0 and 100000"),
    ("--process.linger", "soon", "2m"),
    ("--process.linger", "10", "90s"),
    ("--process.linger", "-1s", "90s"),
    ("--process.linger", f"{HUGE}h", "90s"),
    ("--process.labels", "pid", "pid,comm"),
    ("--process.comms.max", "-5", "between 0 and 100000"),
    ("--map.entries", "0", "between 1 and 16777216"),
    ("--map.entries", "16777217", "between 1 and 16777216"),
    ("--user", "no-such-user", "/etc/passwd"),
    ("--user", "4294967294", "/etc/passwd"),
    ("--user", "²", "/etc/passwd"),
    ("--user", HUGE, "/etc/passwd"),
    ("--user", "", "/etc/passwd"),
    ("--capabilities.keep", "CAP_NONSENSE", "CAP_SYS_PTRACE"),
    ("--capabilities.keep", "", "none"),
    ("--log.level", "loud", "debug", "info"),
    ("--log.format", "xml", "logfmt", "json"),
]


@pytest.mark.parametrize("words", FLAGS, ids=lambda words: f"{words[0]}={words[1]}"[:40])
def test_flag(words: tuple[str, ...]) -> None:
    flag, value, *remedies = words
    status, line = refused("serve", f"{flag}={value}")
    assert status == USAGE
    assert line.startswith("copy-exporter: ")
    for word in (flag, value, *remedies):
        assert word in line


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--no.such.flag", "1"), "--no.such.flag"),
        (("nonsense",), "nonsense"),
        (("--process.max", "many"), "many"),
        (("serve", "more"), "more"),
        (("--process.max",), "--process.max"),
        (("--no-probe.nothing",), "--no-probe.nothing"),
        (("--strict=yes",), "--strict"),
        (("doctor", "--nothing"), "--nothing"),
    ],
)
def test_unknown_words(arguments: tuple[str, ...], named: str) -> None:
    status, line = refused(*arguments)
    assert status == USAGE
    assert named in line
    assert "--help` shows what it takes" in line or "whole number" in line or "is not a command" in line


@pytest.mark.parametrize(
    ("word", "command"), [("docter", "doctor"), ("Serve", "serve"), ("tpo", "top"), ("xyz", ""), ("9092", "")]
)
def test_unknown_command(word: str, command: str) -> None:
    question = f"did you mean {command}? " if command else ""
    line = f"copy-exporter: {word} is not a command; {question}Commands: serve, doctor, demo, top"
    assert refused(word) == (USAGE, line)


def test_nothing_uses_an_address_that_the_host_does_not_have() -> None:
    _, line = refused("--web.listen-address=192.0.2.1:0")
    assert "stop the process" not in line


def test_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        status, line = refused("--web.listen-address", address)
    assert status == USAGE
    assert f"--web.listen-address={address}" in line
    assert "in use" in line
    assert "another address" in line


def test_the_same_address_twice() -> None:
    address = f"127.0.0.1:{free_port()}"
    status, line = refused("--web.listen-address", address, "--web.listen-address", address)
    assert (status, "in use" in line) == (USAGE, True)


SERVE = ("serve", "--web.listen-address", "127.0.0.1:0")
NO_CAPABILITY = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all")
NO_PERFMON = ("setpriv", "--bounding-set=-perfmon,-sys_admin", "--inh-caps=-all")


@pytest.mark.parametrize("before", [NO_CAPABILITY, NO_PERFMON, ("setpriv", "--reuid=65534", "--clear-groups")])
def test_privilege_missing(before: Sequence[str]) -> None:
    require_readable_checkout(before)
    status, line = refused(*SERVE, before=before)
    assert status == UNABLE
    assert "not permitted" in line
    assert "root" in line
    assert "CAP_BPF" in line


@pytest.mark.parametrize("dropped", ["setuid", "setgid", "setpcap"])
def test_cannot_give_up_privileges(dropped: str) -> None:
    """The service does not run as root when it cannot become another user."""
    status, line = refused(*SERVE, before=("setpriv", f"--bounding-set=-{dropped}", "--inh-caps=-all"))
    assert status == UNABLE
    assert "give up" in line
    assert f"CAP_{dropped.upper()}" in line


def test_procfs_that_the_user_cannot_reach(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    tmp_path.chmod(0o700)
    before = in_mount_namespace(f"mount -t proc proc {tmp_path}/proc")
    flag = f"--path.procfs={tmp_path}/proc"
    status, line = refused(*SERVE, flag, before=before)
    assert status == USAGE
    assert flag in line
    assert "--user=nobody" in line


def test_cannot_keep_what_it_does_not_have() -> None:
    flags = ("--capabilities.keep", "CAP_SYS_PTRACE")
    status, line = refused(*SERVE, *flags, before=("setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-all"))
    assert status == UNABLE
    assert "--capabilities.keep=CAP_SYS_PTRACE" in line


BCC = "/usr/lib/python3/dist-packages/bcc"


def with_bcc(directory: Path, text: str) -> tuple[str, ...]:
    """To put before a command: BCC's Python module has this text."""
    (directory / "__init__.py").write_text(text)
    return in_mount_namespace(f"mount --bind {directory} {BCC}")


def test_an_unrelated_bcc(tmp_path: Path) -> None:
    """PyPI has an unrelated package of that name."""
    status, line = refused(*SERVE, before=with_bcc(tmp_path, "class Lattice: ...\n"))
    assert status == UNABLE
    assert f"{BCC}/__init__.py" in line
    assert "apt-get install python3-bpfcc" in line


def test_broken_bcc(tmp_path: Path) -> None:
    missing = "raise OSError('libbcc.so.0: cannot open shared object file')\n"
    status, line = refused(*SERVE, before=with_bcc(tmp_path, missing))
    assert status == UNABLE
    assert "libbcc.so.0" in line
    assert "apt-get install --reinstall python3-bpfcc" in line


def test_bcc_that_the_environment_does_not_see() -> None:
    """An environment without the packages of the system."""
    with tempfile.TemporaryDirectory() as directory:
        venv.create(directory)
        python = Path(directory, "bin", "python")
        found = [str(path) for path in map(Path, sys.path) if path.name == "site-packages"]
        code = f"import sys; sys.path += {[*found, str(ROOT)]}; from exporter.loading import compiler; compiler._bcc()"
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    assert "BCC is installed in /usr/lib/python3/dist-packages, but" in done.stderr
    assert "--system-site-packages" in done.stderr


def test_libbpf_missing(tmp_path: Path) -> None:
    """In a mount namespace whose libbpf is an empty file."""
    libraries = [path for path in Path("/usr/lib").glob("*/libbpf.so.1") if path.exists()]
    (tmp_path / "nothing").touch()
    covers = "; ".join(f"mount --bind {tmp_path}/nothing {path.resolve()}" for path in libraries)
    before = in_mount_namespace(covers)
    status, line = refused(*SERVE, before=before)
    assert status == UNABLE
    assert "libbpf" in line
    assert "apt-get install libbpf1" in line


def test_strict_when_a_probe_cannot_attach() -> None:
    """The sendfile probe needs its tracepoint."""
    status, line = refused(*SERVE, "--strict", before=WITHOUT_TRACEPOINTS)
    assert status == UNABLE
    assert "probe sendfile" in line
    assert "remedy" in line
