"""The capabilities that a start needs, and what each is for: the table of docs/privileges.md, row by row."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from exporter.loading.probes import DEFAULT_PROBE_NAMES
from tests.support.exporter_process import ExporterProcess
from tests.support.namespaces import WITH_TRACEFS, in_mount_namespace
from tests.support.scrape import Scrape
from tests.support.watched_connection import BYTES, MAX_BYTES, WatchedConnection

NOBODY = pwd.getpwnam("nobody")
WITHOUT_TRACEFS = in_mount_namespace("! mountpoint -q /sys/kernel/tracing || umount /sys/kernel/tracing")
READ_ONLY = in_mount_namespace(
    "for dir in / /tmp /var/tmp /dev/shm; do mount -B $dir $dir; mount -o remount,ro,bind $dir; done"
)
"""To put before a command: it cannot create files in the usual directories."""
ALL = "bpf,perfmon,dac_read_search,syslog"
TO_BECOME_NOBODY = "setuid,setgid,setpcap"
PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
WITHOUT_ADDRESSES = {"copy_time"} if int(PARANOID.read_text()) > 1 else set()
"""A kernel that all users may sample shows its addresses to all users."""
UNPRIVILEGED = dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapAmb"), "0" * 16)


def as_nobody(capabilities: str) -> tuple[str, ...]:
    """To put before a command: it runs as nobody with these capabilities, and cannot get others."""
    user = (f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups")
    return (
        "setpriv",
        *user,
        *(f"{part}={_plus(capabilities)}" for part in ("--inh-caps", "--ambient-caps")),
        _bounded(capabilities),
    )


def as_root(capabilities: str) -> tuple[str, ...]:
    """To put before a command: it runs as root, as in a container with only these capabilities."""
    return ("setpriv", _bounded(capabilities))


def _plus(capabilities: str) -> str:
    return ",".join(f"+{name}" for name in capabilities.split(","))


def _bounded(capabilities: str) -> str:
    return f"--bounding-set=-all,{_plus(capabilities)}"


def attached(scrape: Scrape) -> set[str]:
    rows = scrape.series("copy_exporter_probe_attached")
    return {row["probe"] for row in rows if scrape.sum("copy_exporter_probe_attached", probe=row["probe"]) == 1}


def missing(service: ExporterProcess) -> set[str]:
    return set(DEFAULT_PROBE_NAMES) - attached(Scrape(service.metrics()))


def log_lines(service: ExporterProcess) -> list[str]:
    """Its log without lines about brokers, which other tests on this host start and stop."""
    return [line for line in service.log().splitlines() if "broker" not in line]


def started(installed: Path, before: Sequence[str], connection: WatchedConnection, *flags: str) -> ExporterProcess:
    return ExporterProcess(*connection.flags, *flags, command=("env", "--chdir=/", *before, installed, "serve"))


@pytest.mark.parametrize(
    ("before", "without"),
    [
        pytest.param((*WITH_TRACEFS, *as_nobody(ALL)), set(), id="all"),
        pytest.param((*WITH_TRACEFS, *as_nobody("bpf,perfmon,syslog")), {"sendfile"}, id="no-dac_read_search"),
        pytest.param((*WITH_TRACEFS, *as_nobody("bpf,perfmon,dac_read_search")), WITHOUT_ADDRESSES, id="no-syslog"),
        pytest.param((*WITH_TRACEFS, *READ_ONLY, *as_nobody(ALL)), set(), id="nowhere-to-write"),
        pytest.param((*WITHOUT_TRACEFS, *as_nobody(ALL)), {"sendfile"}, id="no-tracefs"),
        pytest.param((*WITHOUT_TRACEFS, *as_nobody(f"{ALL},sys_admin")), set(), id="no-tracefs-but-sys_admin"),
        pytest.param((*WITH_TRACEFS, *as_root(f"bpf,perfmon,{TO_BECOME_NOBODY}")), WITHOUT_ADDRESSES, id="root"),
    ],
)
def test_start(installed: Path, connection: WatchedConnection, before: Sequence[str], without: set[str]) -> None:
    """Counts are exact, a scrape logs nothing, and the service has dropped all capabilities."""
    with started(installed, before, connection) as service:
        assert missing(service) == without
        before_scrape = log_lines(service)
        moved = connection.peek(1, 1000, MAX_BYTES)
        scrape = Scrape(service.metrics())
        assert scrape.sum(BYTES, port=connection.label) == moved
        assert scrape.sum(BYTES, mechanism="cpu", port=connection.label, pid=str(os.getpid())) == moved
        assert scrape.sum("copy_exporter_scrape_success", collector="processes") == 1
        status = service.status()
        assert status["Uid"].split() == [str(NOBODY.pw_uid)] * 4
        assert {name: status[name] for name in UNPRIVILEGED} == UNPRIVILEGED
        assert status["NoNewPrivs"] == "1"
        assert log_lines(service) == before_scrape


def refused(installed: Path, before: Sequence[str], *flags: str) -> str:
    """The line on standard error with which the start fails."""
    command = [*before, installed, "serve", "--web.listen-address", "127.0.0.1:0", *flags]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    errors = [line for line in done.stderr.splitlines() if not line.startswith("ts=")]
    assert done.returncode == 1
    assert len(errors) == 1, done.stderr
    return errors[0]


@pytest.mark.parametrize("capability", ["perfmon", "bpf", "net_admin"])
def test_both_bpf_and_perfmon_are_needed(installed: Path, capability: str) -> None:
    assert "with CAP_BPF and CAP_PERFMON" in refused(installed, as_nobody(capability))


def test_run_statistics_need_sys_admin(installed: Path, connection: WatchedConnection) -> None:
    assert "start with CAP_SYS_ADMIN" in refused(installed, as_nobody(ALL), "--probe.stats")
    with started(installed, as_nobody(f"{ALL},sys_admin"), connection, "--probe.stats") as service:
        connection.peek(1)
        assert Scrape(service.metrics()).sum("copy_exporter_probe_runs_total", probe="syscalls") > 0


def test_doctor_names_what_it_has(installed: Path) -> None:
    done = subprocess.run(
        [*as_nobody("bpf,perfmon"), installed, "doctor"], cwd="/", capture_output=True, text=True, check=True
    )
    assert "with CAP_BPF, CAP_PERFMON" in done.stdout
    assert "with no capability" in done.stdout
