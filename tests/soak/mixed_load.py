"""A mixed load of known calls and bytes, an exporter beside it, and what the load did to the exporter."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression, median

from tests.service.web_config_files import PASSWORD, USER, WebConfigFiles, bcrypt_hash
from tests.support.compiler import compile_c
from tests.support.exporter_process import ExporterProcess
from tests.support.paths import ROOT
from tests.support.process_usage import cpu_seconds, resident_kib, thread_times
from tests.support.scrape import Scrape
from tests.support.scrape_recorder import ScrapeRecorder
from tests.support.watched_connection import BYTES, CALLS, HOST_BYTES, HOST_CALLS, RECVMMSG, WatchedConnection

SOURCE = Path(__file__).parent / "load.c"
SCRAPE_SECONDS = 1.0
FILE_BYTES = 1 << 20
SCRAPE_CPU_SECONDS = 0.1
"""Limit per 1,000 processes: the target of docs/performance.md."""
MAX_ROWS_LEFT = 1000
"""Limit for the rows that remain: other processes of the host may have started meanwhile."""
SENDFILE = {"mechanism": "zero_copy", "syscall": "sendfile", "source": "page_cache", "destination": "tcp"}


@dataclass(frozen=True)
class Plan:
    """The size of the load."""

    seconds: int
    births_per_second: int = 1000
    live: int = 5000
    threads: int = 64
    pause_us: int = 20_000
    """Pause of each thread after 64 calls; 0: none."""
    misbehaving_clients: bool = False


@dataclass(frozen=True)
class Snapshot:
    """The exporter itself at one scrape."""

    seconds: float
    resident_kib: int
    map_entries: float
    scrape_cpu_seconds: float
    """CPU time of the exporter from before the scrape until after it."""
    scrape_seconds: float


class Roles:
    """Processes of ``load.c``, one per role."""

    def __init__(self, directory: Path, connection: WatchedConnection) -> None:
        self._connection = connection
        self._directory = directory
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._program = compile_c(SOURCE, directory / "load", "-static")
        self.file = directory / "file"
        self.file.write_bytes(bytes(FILE_BYTES))

    def start(self, role: str, *arguments: object) -> None:
        """Start the process of a role; its name contains the port, so that no other process has it."""
        program = self._directory / self.comm(role)
        program.hardlink_to(self._program)
        fds = (self._connection.server.fileno(), self._connection.client.fileno())
        self._running[role] = subprocess.Popen(
            [program, role, *map(str, arguments)], stdin=-1, stdout=-1, text=True, pass_fds=fds
        )

    def comm(self, role: str) -> str:
        """The name of a role's process: at most 15 characters."""
        return f"{role}-{self._connection.port}"

    def wait_for_idle(self) -> None:
        """Wait until all idle processes have started."""
        output = self._running["idle"].stdout
        assert output
        assert output.readline() == "ready\n"

    def running(self, *roles: str) -> bool:
        """Whether a process of these roles is running."""
        return any(self._running[role].poll() is None for role in roles)

    def result(self, role: str) -> tuple[int, int]:
        """Wait for the end of a role's process; the calls and bytes that it made."""
        process = self._running[role]
        output, _ = process.communicate()
        assert process.returncode == 0, f"{role} exited with status {process.returncode}"
        calls, moved = map(int, output.split())
        return calls, moved

    def kill(self) -> None:
        """Kill all processes that are still running."""
        for process in self._running.values():
            process.kill()
            process.wait()


@contextmanager
def misbehaving_clients(service: ExporterProcess, connections: dict[str, int]) -> Iterator[None]:
    """Clients of every bad kind inside; afterwards ``connections`` has the number of theirs by kind."""
    command = [sys.executable, "-m", "tests.soak.misbehaving_clients", str(service.port), USER, PASSWORD]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield
        finally:
            process.terminate()
            connections.update(json.loads(process.communicate()[0]))


class Soak:
    """One run of the load, and its results."""

    def __init__(self, plan: Plan, directory: Path, *flags: str) -> None:
        self.plan, self.snapshots = plan, list[Snapshot]()
        self.recorder = ScrapeRecorder()
        self.calls = self.bytes = self.sent = self.read = 0
        self.bad_connections: dict[str, int] = {}
        with ExitStack() as stack:
            web = stack.enter_context(WebConfigFiles())
            web.config.write_text(json.dumps({"basic_auth_users": {USER: bcrypt_hash(PASSWORD, 4)}}))
            connection = WatchedConnection()
            stack.callback(connection.close)
            self.port = connection.label
            roles = Roles(directory, connection)
            stack.callback(roles.kill)
            flags = (*connection.flags, "--process.linger", "5s", "--web.config.file", str(web.config), *flags)
            options = {"auth": (USER, PASSWORD)}
            service = stack.enter_context(ExporterProcess(*flags, client=options))
            self._began = time.monotonic()
            self.before = self._scrape(service)
            with ExitStack() as bad:
                if plan.misbehaving_clients:
                    bad.enter_context(misbehaving_clients(service, self.bad_connections))
                self._load(roles, connection, service)
            self.last = self._last(service)
            self.log = service.log()

    def _load(self, roles: Roles, connection: WatchedConnection, service: ExporterProcess) -> None:
        plan, end, peer = self.plan, connection.server.fileno(), connection.client.fileno()
        roles.start("idle", end, plan.live)
        roles.wait_for_idle()
        timed = ("births", "threads", "files", "sendfile")
        roles.start("births", end, plan.births_per_second, plan.seconds)
        roles.start("threads", end, plan.threads, plan.seconds, plan.pause_us)
        roles.start("files", roles.file, plan.seconds)
        roles.start("sendfile", end, peer, roles.file, plan.seconds)
        while roles.running(*timed):
            self._scrape(service)
            time.sleep(SCRAPE_SECONDS)
        self.load_seconds = time.monotonic() - self._began
        self._scrape(service)  # the idle processes are still there
        for role in ("idle", "births", "threads"):
            calls, moved = roles.result(role)
            self.calls += calls
            self.bytes += moved
        self.read = roles.result("files")[1]
        self.sent = roles.result("sendfile")[1]
        self.reader = roles.comm("files")

    def _scrape(self, service: ExporterProcess) -> Scrape:
        before, start = thread_times(service.pid), time.monotonic()
        scrape = Scrape(service.metrics())
        waited = time.monotonic() - start
        spent = cpu_seconds(before, thread_times(service.pid))
        self.recorder.add(scrape)
        resident = resident_kib(service.pid)
        entries = scrape.sum("copy_exporter_map_entries", map="counts")
        self.snapshots.append(Snapshot(time.monotonic() - self._began, resident, entries, spent, waited))
        return scrape

    def _last(self, service: ExporterProcess) -> Scrape:
        """A scrape after the series of exited processes have ended."""
        deadline = time.monotonic() + 30
        while (scrape := self._scrape(service)).sum(
            "copy_exporter_processes", state="exited"
        ) > 0 and time.monotonic() < deadline:
            time.sleep(SCRAPE_SECONDS)
        return scrape

    def wrong_counts(self) -> list[str]:
        """A line for each wrong count: the port has what the load has done, and the host what all processes have."""
        host, port = self.last, {"port": self.port}
        expected = {
            "calls of the host": (host.sum(HOST_CALLS, **RECVMMSG), self.recorder.total(CALLS, **RECVMMSG)),
            "bytes of the host": (host.sum(HOST_BYTES, **RECVMMSG), self.recorder.total(BYTES, **RECVMMSG)),
            "calls of the processes": (self.recorder.total(CALLS, **RECVMMSG, **port), self.calls),
            "bytes of the processes": (self.recorder.total(BYTES, **RECVMMSG, **port), self.bytes),
            "bytes sent by the host": (host.sum(HOST_BYTES, **SENDFILE), self.recorder.total(BYTES, **SENDFILE)),
            "bytes sent by the processes": (self.recorder.total(BYTES, **SENDFILE, **port), self.sent),
            "bytes read from the file": (self.recorder.total(BYTES, syscall="pread64", comm=self.reader), self.read),
            "dropped updates": (host.sum("copy_exporter_dropped_updates_total"), 0),
            "missed runs": (host.sum("copy_exporter_probe_missed_runs_total"), 0),
        }
        return [
            f"{name}: {counted:.0f} instead of {true}" for name, (counted, true) in expected.items() if counted != true
        ]

    def memory_slope(self) -> float:
        """Growth of resident memory over the second half of the load, in KiB per minute."""
        second_half = [each for each in self._under_load() if each.seconds >= self.load_seconds / 2]
        minutes = [each.seconds / 60 for each in second_half]
        return linear_regression(minutes, [each.resident_kib for each in second_half]).slope

    def scrape_cpu(self) -> float:
        """The median of the CPU seconds per scrape during the load."""
        return median(each.scrape_cpu_seconds for each in self._under_load())

    def longest_scrape(self) -> float:
        """In seconds."""
        return max(each.scrape_seconds for each in self.snapshots)

    def growth(self) -> int:
        """Growth of resident memory from the middle of the load to the end, in KiB."""
        middle = next(each for each in self.snapshots if each.seconds >= self.load_seconds / 2)
        return self.snapshots[-1].resident_kib - middle.resident_kib

    def _under_load(self) -> list[Snapshot]:
        return [each for each in self.snapshots if each.seconds <= self.load_seconds]

    def rows_left(self) -> float:
        """How many more rows the map of counts has than before the load."""
        return self.snapshots[-1].map_entries - self.snapshots[0].map_entries
