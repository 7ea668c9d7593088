"""A mixed load with a known truth, a service beside it, and what it did to the service."""

import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression, median

from tests.support.compiler import compile_c
from tests.support.exporter_process import ExporterProcess
from tests.support.process_usage import cpu_seconds, resident_kib, thread_times
from tests.support.scrape import Scrape
from tests.support.scrape_recorder import ScrapeRecorder
from tests.support.watched_connection import BYTES, CALLS, HOST_BYTES, HOST_CALLS, RECVMMSG, WatchedConnection

SOURCE = Path(__file__).parent / "load.c"
SCRAPE_SECONDS = 1.0
FILE_BYTES = 1 << 20
SCRAPE_CPU_SECONDS = 0.1
"""At most, for each 1,000 processes: the design's target."""
ROWS_LEFT = 500
"""At most, of this host's other processes that have come meanwhile."""
SENDFILE = {"mechanism": "zero_copy", "syscall": "sendfile", "source": "page_cache", "destination": "tcp"}


@dataclass(frozen=True)
class Plan:
    """How much of what."""

    seconds: int
    births_a_second: int = 1000
    live: int = 5000
    threads: int = 64
    pause_us: int = 20_000
    """Of each thread between 64 calls; 0: none."""


@dataclass(frozen=True)
class Moment:
    """What one scrape said of the service itself."""

    seconds: float
    resident_kib: int
    map_entries: float
    scrape_cpu_seconds: float
    """CPU time of the whole service from before the scrape until after it."""


class Roles:
    """Processes of ``load.c``, under a name of their own that only they have."""

    def __init__(self, directory: Path, connection: WatchedConnection) -> None:
        self._connection = connection
        self._directory = directory
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._program = compile_c(SOURCE, directory / "load", "-static")
        self.file = directory / "file"
        self.file.write_bytes(bytes(FILE_BYTES))

    def start(self, role: str, *arguments: object) -> None:
        """Begin; the role is also the process's name, with a number that nobody else has."""
        program = self._directory / self.comm(role)
        program.hardlink_to(self._program)
        fds = (self._connection.server.fileno(), self._connection.client.fileno())
        self._running[role] = subprocess.Popen(
            [program, role, *map(str, arguments)], stdin=-1, stdout=-1, text=True, pass_fds=fds
        )

    def comm(self, role: str) -> str:
        """Its name: at most 15 letters."""
        return f"{role}-{self._connection.port}"

    def wait_for_crowd(self) -> None:
        """Until all live."""
        said = self._running["crowd"].stdout
        assert said
        assert said.readline() == "ready\n"

    def busy(self, *roles: str) -> bool:
        """Whether any has not ended."""
        return any(self._running[role].poll() is None for role in roles)

    def truth(self, role: str) -> tuple[int, int]:
        """Let it end if it waits for that; calls and bytes that it made."""
        process = self._running[role]
        said, _ = process.communicate()
        assert process.returncode == 0, f"{role} ended with {process.returncode}"
        calls, moved = map(int, said.split())
        return calls, moved

    def kill(self) -> None:
        """What a test that failed has left."""
        for process in self._running.values():
            process.kill()
            process.wait()


class Soak:
    """One run."""

    def __init__(self, plan: Plan, directory: Path, *flags: str) -> None:
        self.plan, self.moments = plan, list[Moment]()
        self.recorder = ScrapeRecorder()
        self.calls = self.bytes = self.sent = self.read = 0
        with ExitStack() as stack:
            connection = WatchedConnection()
            stack.callback(connection.close)
            self.port = connection.label
            roles = Roles(directory, connection)
            stack.callback(roles.kill)
            service = stack.enter_context(ExporterProcess(*connection.flags, "--process.linger", "5s", *flags))
            self._began = time.monotonic()
            self.before = self._scrape(service)
            self._load(roles, connection, service)
            self.last = self._last(service)

    def _load(self, roles: Roles, connection: WatchedConnection, service: ExporterProcess) -> None:
        plan, end, peer = self.plan, connection.server.fileno(), connection.client.fileno()
        roles.start("crowd", end, plan.live)
        roles.wait_for_crowd()
        timed = ("births", "threads", "files", "sendfile")
        roles.start("births", end, plan.births_a_second, plan.seconds)
        roles.start("threads", end, plan.threads, plan.seconds, plan.pause_us)
        roles.start("files", roles.file, plan.seconds)
        roles.start("sendfile", end, peer, roles.file, plan.seconds)
        while roles.busy(*timed):
            self._scrape(service)
            time.sleep(SCRAPE_SECONDS)
        self.load_seconds = time.monotonic() - self._began
        self._scrape(service)  # the crowd is still there
        for role in ("crowd", "births", "threads"):
            calls, moved = roles.truth(role)
            self.calls += calls
            self.bytes += moved
        self.read = roles.truth("files")[1]
        self.sent = roles.truth("sendfile")[1]
        self.reader = roles.comm("files")

    def _scrape(self, service: ExporterProcess) -> Scrape:
        before = thread_times(service.pid)
        scrape = Scrape(service.metrics())
        spent = cpu_seconds(before, thread_times(service.pid))
        self.recorder.add(scrape)
        resident = resident_kib(service.pid)
        entries = scrape.sum("copy_exporter_map_entries", map="counts")
        self.moments.append(Moment(time.monotonic() - self._began, resident, entries, spent))
        return scrape

    def _last(self, service: ExporterProcess) -> Scrape:
        """When all that has ended has been forgotten."""
        patience = time.monotonic() + 30
        while (scrape := self._scrape(service)).sum(
            "copy_exporter_processes", state="exited"
        ) > 0 and time.monotonic() < patience:
            time.sleep(SCRAPE_SECONDS)
        return scrape

    def wrong(self) -> list[str]:
        """Each count that is not the truth."""
        host, port = self.last, {"port": self.port}
        expected = {
            "calls of the host": (host.sum(HOST_CALLS, **RECVMMSG), self.calls),
            "bytes of the host": (host.sum(HOST_BYTES, **RECVMMSG), self.bytes),
            "calls of the processes": (self.recorder.total(CALLS, **RECVMMSG, **port), self.calls),
            "bytes of the processes": (self.recorder.total(BYTES, **RECVMMSG, **port), self.bytes),
            "bytes sent by the host": (host.sum(HOST_BYTES, **SENDFILE), self.sent),
            "bytes sent by the processes": (self.recorder.total(BYTES, **SENDFILE, **port), self.sent),
            "bytes read from the file": (self.recorder.total(BYTES, syscall="pread64", comm=self.reader), self.read),
            "dropped updates": (host.sum("copy_exporter_dropped_updates_total"), 0),
            "missed runs": (host.sum("copy_exporter_probe_missed_runs_total"), 0),
        }
        return [
            f"{name}: {counted:.0f} instead of {truth}"
            for name, (counted, truth) in expected.items()
            if counted != truth
        ]

    def memory_slope(self) -> float:
        """KiB a minute, over the second half of the load."""
        loaded = [moment for moment in self.moments if self.load_seconds / 2 <= moment.seconds <= self.load_seconds]
        return linear_regression([one.seconds / 60 for one in loaded], [one.resident_kib for one in loaded]).slope

    def scrape_cpu(self) -> float:
        """Seconds of CPU for a scrape while the load ran: the median."""
        return median(moment.scrape_cpu_seconds for moment in self.moments if moment.seconds <= self.load_seconds)

    def growth(self) -> int:
        """KiB of resident memory from the middle of the load to the end of all."""
        middle = next(moment for moment in self.moments if moment.seconds >= self.load_seconds / 2)
        return self.moments[-1].resident_kib - middle.resident_kib

    def rows_left(self) -> float:
        """Rows in the table of counts that were not there before the load."""
        return self.moments[-1].map_entries - self.moments[0].map_entries
