"""The systemd unit, started by a systemd in namespaces: the service works in its sandbox and has only its rights."""

import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from exporter.loading.probes import DEFAULT_PROBE_NAMES
from tests.support.control_group import control_group
from tests.support.exporter_process import OPENMETRICS
from tests.support.paths import ROOT
from tests.support.ports import free_port
from tests.support.scrape import Scrape
from tests.support.wait import wait_until
from tests.support.watched_connection import BYTES, MAX_BYTES, WatchedConnection

UNITS = ROOT / "deploy/systemd"
EXPOSURE = re.compile(r"Overall exposure level for copy-exporter.service: ([0-9.]+)")
BOOT = """
mount --make-rprivate /
mount -t proc proc /proc
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs none /run
mount -t tmpfs none /etc/systemd/system
mount -t tracefs none /sys/kernel/tracing
cp -r "$0"/* /etc/systemd/system
mkdir -p /run/systemd/system
exec env container=test /lib/systemd/systemd --system --unit="$1" --show-status=no
"""
"""A shell script that starts a systemd in namespaces, with one unit of a directory and its dependencies."""
NO_DEFAULT_DEPENDENCIES = "[Unit]\nDefaultDependencies=no\nAfter=\n"

LISTEN = "--web.listen-address 127.0.0.1:{port} --watch.port {connection}"

INSPECTOR_CAPABILITIES = 1 << 6 | 1 << 7 | 1 << 19
"""CAP_SETGID, CAP_SETUID and CAP_SYS_PTRACE."""

without_systemd = pytest.mark.skipif(Path("/run/systemd/system").exists(), reason="this host runs a systemd")


@pytest.fixture
def units(installed: Path, connection: WatchedConnection, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of the units that differs in the path of the program, its address, its flags and its log file."""
    directory = tmp_path / "units"
    shutil.copytree(UNITS, directory)
    port = free_port()
    command = f"ExecStart=\nExecStart={installed} serve $OPTIONS\nStandardError=truncate:{installed.parents[1]}/log\n"
    flags = request.param.format(port=port, connection=connection.label)
    own = {
        "service": f'{NO_DEFAULT_DEPENDENCIES}[Service]\n{command}Environment="OPTIONS={flags}"\n',
        "socket": f"{NO_DEFAULT_DEPENDENCIES}[Socket]\nListenStream=\nListenStream=127.0.0.1:{port}\n",
    }
    for kind, text in own.items():
        (directory / f"copy-exporter.{kind}.d").mkdir()
        (directory / f"copy-exporter.{kind}.d/test.conf").write_text(text)
    (directory / "port").write_text(str(port))
    return directory


@pytest.fixture
def booted(units: Path, installed: Path, unit: str) -> Iterator[httpx.Client]:
    """A client of the service that a systemd has started from a unit."""
    unshare = ("unshare", "--fork", "--pid", "--kill-child", "--mount", "--cgroup", "--ipc", "--uts")
    with control_group(f"copy-exporter-test-{os.getpid()}") as in_control_group:
        systemd = subprocess.Popen([*in_control_group, *unshare, "sh", "-ec", BOOT, units, unit])
        with httpx.Client(base_url=f"http://127.0.0.1:{(units / 'port').read_text()}", timeout=60) as client:
            wait_until(lambda: systemd.poll() is not None or _answers(client), "the service", 60)
            yield client
        systemd.send_signal(signal.SIGKILL)
        systemd.wait()
    print((installed.parents[1] / "log").read_text())  # pytest shows it when the test failed


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False


def processes(program: Path) -> list[dict[str, str]]:
    """/proc/PID/status of the service, then of the two processes of its inspector."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if bytes(program.parent) in (directory / "cmdline").read_bytes():
                lines = (directory / "status").read_text().splitlines()
                found.append({key: value.strip() for key, value in (line.split(":", 1) for line in lines)})
    return sorted(found, key=lambda status: int(status["Pid"]))


@without_systemd
@pytest.mark.parametrize(("unit", "units"), [("copy-exporter.service", LISTEN)], indirect=["units"])
def test_the_unit(booted: httpx.Client, connection: WatchedConnection, installed: Path, unit: str) -> None:  # noqa: ARG001
    moved = connection.peek(1, 1000, MAX_BYTES)

    def scraped() -> Scrape:
        return Scrape(booted.get("/metrics", headers=OPENMETRICS).text)

    # this process is outside of its pid namespace: a hidden process counts after some seconds
    wait_until(lambda: scraped().sum(BYTES, port=connection.label) == moved, "the bytes of a hidden process")
    scrape = scraped()
    assert {name for name in DEFAULT_PROBE_NAMES if not scrape.sum("copy_exporter_probe_attached", probe=name)} == set()
    assert scrape.sum("copy_exporter_scrape_success", collector="processes") == 1
    wait_until(
        lambda: (
            [int(status["CapEff"], 16) for status in processes(installed)]
            == [0, INSPECTOR_CAPABILITIES, INSPECTOR_CAPABILITIES]
        ),
        "the inspector gives up its other capabilities",
    )
    service, *inspector = processes(installed)
    assert int(service["Uid"].split()[0]) not in (0, pwd.getpwnam("nobody").pw_uid)
    assert {service[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert {status["NoNewPrivs"] for status in (service, *inspector)} == {"1"}
    assert {status["Seccomp"] for status in (service, *inspector)} == {"2"}


@without_systemd
@pytest.mark.parametrize(("unit", "units"), [("copy-exporter.socket", "--web.systemd-socket")], indirect=["units"])
def test_the_socket(booted: httpx.Client, installed: Path, unit: str) -> None:  # noqa: ARG001
    """A connection starts the service; a connection after its death waits for the next one."""
    killed = int(processes(installed)[0]["Pid"])
    os.kill(killed, signal.SIGKILL)
    answer = httpx.get(booted.base_url.join("/metrics"), headers=OPENMETRICS, timeout=60)
    assert Scrape(answer.text).sum("copy_exporter_scrape_success", collector="processes") == 1
    assert int(processes(installed)[0]["Pid"]) != killed


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """Checked with another program in place of the exporter, which is not installed at its path."""
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/opt/copy-exporter/bin/copy-exporter", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *tmp_path.iterdir()], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_docs_have_the_exposure() -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", UNITS / "copy-exporter.service"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (level,) = EXPOSURE.findall(output)
    assert f"exposure level {level}" in (ROOT / "docs/privileges.md").read_text()
