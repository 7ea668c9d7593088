"""What the starter leaves (directory, environment, descriptors, signals, limits) decides and breaks nothing."""

import json
import os
import signal
import site
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.loading.compiler import probes_directory
from tests.support.exporter_process import COMMAND, SERVE, ExporterProcess, refused
from tests.support.namespaces import in_mount_namespace
from tests.support.paths import ROOT
from tests.support.requirements import require_readable_checkout
from tests.support.wait import wait_until

DENY_BPF = ROOT / "tests/support/deny_bpf.py"
UNABLE = 1
BTF = "/sys/kernel/btf/vmlinux"
SERVE_ANYWHERE = ("serve", "--web.listen-address", "127.0.0.1:0")
OF_A_USER = Path(".local", Path(site.getusersitepackages()).relative_to(site.getuserbase()))
"""Where Python looks for modules below $HOME."""
SYSTEM_HEADERS = ("linux/types.h", "linux/kconfig.h", "asm/unistd.h", "asm/ptrace.h", "stddef.h", "abi.h")
WITHOUT_SYS_RESOURCE = ("setpriv", "--bounding-set=-sys_resource", "--inh-caps=-all")


def after(commands: str) -> tuple[str, ...]:
    """To put before a command: it starts after these shell commands, in the same process."""
    return ("bash", "-ec", f'{commands}; exec "$@"', "bash")


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A directory of another user, with files that stop whoever compiles, imports or links them."""
    headers = [path.name for path in probes_directory().glob("*.h")]
    for name in (*headers, *SYSTEM_HEADERS):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#error "{name} of a stranger"\n')
    for name in ("bcc", "fastapi", "click", "encodings_of_a_stranger"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name} of a stranger')\n")
    for name in ("bcc", "fastapi"):
        path = tmp_path / OF_A_USER / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"raise SystemExit('{name} of a stranger')\n")
    for name in ("libbpf.so.1", "libbcc.so.0"):
        (tmp_path / name).write_text("a stranger's")
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, 1000, 1000)
    return tmp_path


@pytest.fixture
def poisoned(planted: Path) -> dict[str, str]:
    """An environment that points to these files."""
    names = ("CPATH", "C_INCLUDE_PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "BCC_KERNEL_SOURCE", "BCC_LINUX_MODULE_PATH")
    return {**os.environ, **dict.fromkeys(names, str(planted)), "TMPDIR": "/nowhere", "PYTHONOPTIMIZE": "2"}


@pytest.fixture
def hostile(planted: Path, poisoned: dict[str, str]) -> Iterator[ExporterProcess]:
    """A service that was started in such a directory, with everything else that a starter can leave too."""
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
    program = (
        "import os, signal, sys; "
        f"signal.pthread_sigmask(signal.SIG_BLOCK, {[int(number) for number in signals]}); "
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.umask(0); "
        f"os.set_inheritable(os.open({str(planted / 'bcc.py')!r}, os.O_RDONLY), True); "
        "os.set_inheritable(os.open('/dev/zero', os.O_RDONLY), True); os.close(0); "
        f"os.chdir({str(planted)!r}); os.execve(sys.argv[1], sys.argv[1:], {poisoned!r})"
    )
    with ExporterProcess(command=(sys.executable, "-c", program, *SERVE)) as service:
        yield service


def test_a_hostile_starter(hostile: ExporterProcess, planted: Path) -> None:
    assert "copy_syscalls_total{" in hostile.metrics()
    process = Path(f"/proc/{hostile.pid}")
    status = hostile.status()
    assert int(status["SigBlk"], 16) == 0
    assert os.readlink(process / "cwd") == "/"
    assert status["Umask"] == "0077"
    opened = [os.readlink(entry) for entry in (process / "fd").iterdir()]
    assert not [target for target in opened if target.startswith(str(planted)) or target == "/dev/zero"]
    assert os.readlink(process / "fd/0") == "/dev/null"
    assert hostile.terminate() == 0


@pytest.mark.parametrize(
    "arguments",
    [("doctor", "--json"), ("demo", "--json", "--size", "1MiB"), ("top", "--json")],
    ids=["doctor", "demo", "top"],
)
def test_other_commands_in_a_planted_directory(
    planted: Path, poisoned: dict[str, str], arguments: tuple[str, ...]
) -> None:
    done = subprocess.run((COMMAND, *arguments), cwd=planted, env=poisoned, capture_output=True, text=True, check=False)
    assert "stranger" not in done.stdout + done.stderr
    assert json.loads(done.stdout), done.stderr
    assert done.returncode == 0


def test_modules_below_home(planted: Path) -> None:
    """Python looks there before it looks for BCC in the system's folder, if the virtual environment has this too."""
    env = {**os.environ, "HOME": str(planted)}
    done = subprocess.run((COMMAND, "doctor", "--json"), env=env, capture_output=True, text=True, check=False)
    assert "stranger" not in done.stdout + done.stderr
    assert all(probe["attached"] for probe in json.loads(done.stdout)["probes"] if probe["name"] == "syscalls")
    assert json.loads(done.stdout)["probes"], done.stdout


@pytest.mark.parametrize(
    ("flag", "limit"), [("-n", 16), ("-n", 32), ("-u", 1), ("-u", 5), ("-v", 300_000), ("-d", 50_000), ("-t", 5)]
)
def test_a_limit_that_cannot_be_raised(flag: str, limit: int) -> None:
    status, line = refused(*SERVE_ANYWHERE, before=(*WITHOUT_SYS_RESOURCE, *after(f"ulimit {flag} {limit}")))
    assert status == UNABLE
    assert f"is {limit}" in line
    assert f"ulimit {flag}" in line


def test_a_working_directory_that_was_deleted(tmp_path: Path) -> None:
    gone = after(f"mkdir {tmp_path}/gone; cd {tmp_path}/gone; rmdir {tmp_path}/gone")
    with ExporterProcess(command=(*gone, *SERVE)) as service:
        assert service.get("/-/ready").status_code == 200
    status, line = refused(*SERVE_ANYWHERE, "--web.config.file", "web.yml", before=gone)
    assert status == 2
    assert "--web.config.file=web.yml" in line
    assert "absolute path" in line


def test_a_relative_file_is_below_the_working_directory(tmp_path: Path) -> None:
    status, line = refused(*SERVE_ANYWHERE, "--web.config.file", "none.yml", before=after(f"cd {tmp_path}"))
    assert status == 2
    assert f"{tmp_path}/none.yml" in line


def test_standard_descriptors_that_are_closed() -> None:
    """Also no error is seen then, but the status is."""
    done = subprocess.run([*after("exec 0<&- 1>&- 2>&-"), COMMAND, "serve", "--no.such.flag"], check=False)
    assert done.returncode == 2


@pytest.mark.parametrize(("cover", "named"), [(":", "empty or damaged"), (f"head -c 1000 {BTF}", "empty or damaged")])
def test_btf_that_is_cut(tmp_path: Path, cover: str, named: str) -> None:
    before = in_mount_namespace(f"{cover} > {tmp_path}/btf; mount --bind {tmp_path}/btf {BTF}")
    status, line = refused(*SERVE_ANYWHERE, before=before)
    assert status == UNABLE
    assert BTF in line
    assert named in line
    done = subprocess.run([*before, COMMAND, "doctor", "--json"], capture_output=True, check=False)
    (check,) = (check for check in json.loads(done.stdout)["checks"] if "BTF" in check["name"])
    assert not check["ok"]
    assert named in check["why"]


def test_a_bcc_without_files() -> None:
    before = in_mount_namespace("mount -t tmpfs none /usr/lib/python3/dist-packages/bcc")
    status, line = refused(*SERVE_ANYWHERE, before=before)
    assert status == UNABLE
    assert "/usr/lib/python3/dist-packages/bcc" in line
    assert "--reinstall python3-bpfcc" in line


def test_a_header_that_does_not_compile(tmp_path: Path) -> None:
    (tmp_path / "types.h").write_text("this is not C\n")
    before = in_mount_namespace(f"mount --bind {tmp_path}/types.h /usr/include/linux/types.h")
    status, line = refused(*SERVE_ANYWHERE, before=before)
    assert status == UNABLE
    assert "/usr/include/linux/types.h:1:" in line
    assert "error: " in line


def test_bpf_that_seccomp_refuses() -> None:
    status, line = refused(*SERVE_ANYWHERE, before=(sys.executable, str(DENY_BPF)))
    assert status == UNABLE
    for word in ("bpf()", "seccomp", "lockdown", "AppArmor"):
        assert word in line


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_loader_works_ends_both(number: signal.Signals) -> None:
    process = subprocess.Popen((*SERVE, "--web.listen-address", "127.0.0.1:0"), stderr=subprocess.PIPE, text=True)
    wait_until(lambda: children(process.pid), "the loader")
    (loader,) = children(process.pid)
    began = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - began < 5
    assert process.returncode == (0 if number is signal.SIGTERM else 130)
    assert "Traceback" not in errors
    wait_until(lambda: not Path(f"/proc/{loader}/exe").exists(), "the end of the loader")


@pytest.mark.parametrize("delay", [0, 0.1, 0.3])
def test_an_interrupt_during_the_first_imports(tmp_path: Path, delay: float) -> None:
    process = subprocess.Popen(
        (COMMAND, "doctor"), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: os.readlink(f"/proc/{process.pid}/cwd") == "/", "its own first lines")
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGINT, 130)
    assert "Traceback" not in errors


def test_a_service_without_root_cannot_be_traced_either() -> None:
    """Neither it nor its child: the files of both in /proc belong to root."""
    capable = ("setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=+bpf,+perfmon,+sys_ptrace,+dac_read_search")
    before = (*capable, "--ambient-caps=+bpf,+perfmon,+sys_ptrace,+dac_read_search")
    require_readable_checkout(before)
    with ExporterProcess(command=(*before, *SERVE)) as service:
        assert service.status()["Uid"].split()[0] == "65534"
        processes = [service.pid, *children(service.pid)]
        wait_until(lambda: {os.stat(f"/proc/{pid}/environ").st_uid for pid in processes} == {0}, "owned by root")
        assert len(processes) == 2
