"""Processes that move known numbers of bytes on a watched connection."""

import subprocess
from pathlib import Path

from tests.support.exporter_process import ExporterProcess
from tests.support.scrape_recorder import ScrapeRecorder
from tests.support.watched_connection import BYTES, CALLS, HOST_BYTES, HOST_CALLS, RECVMMSG, WatchedConnection


class Mover:
    """A process that receives as many bytes as requested."""

    def __init__(self, connection: WatchedConnection, program: Path, *before: str) -> None:
        """``before`` is a command that starts the program, such as unshare."""
        self.bytes = self.calls = 0
        end = connection.server.fileno()
        self.process = subprocess.Popen(
            [*before, program, str(end)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=(end,)
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def command(self, *words: object) -> int:
        """Send a command of ``mover.c``; its answer."""
        assert self.process.stdin
        assert self.process.stdout
        print(*words, file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def move(self, count: int) -> None:
        assert self.command("move", count) == count
        self.bytes += count
        self.calls += 1

    def become(self, program: Path) -> None:
        """Exec a program, which answers the next command."""
        assert self.process.stdin
        print("exec", program, file=self.process.stdin, flush=True)

    def end(self) -> None:
        """Let it exit unless it has, and wait for that."""
        if self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()
        assert self.process.stdout
        self.process.stdout.close()
        assert self.process.wait(30) == 0


def births(
    program: Path, connection: WatchedConnection, count: int, max_bytes: int = 1000, names: int = 0
) -> subprocess.Popen[bytes]:
    """Start ``count`` short-lived processes one after the other; they receive :func:`born_bytes` bytes."""
    end = connection.server.fileno()
    return subprocess.Popen([program, *map(str, (end, count, max_bytes, names))], pass_fds=(end,))


def born_bytes(count: int, max_bytes: int = 1000) -> int:
    """The bytes that ``count`` processes of :func:`births` receive."""
    return sum(1 + number % max_bytes for number in range(count))


def agree(
    service: ExporterProcess,
    recorder: ScrapeRecorder,
    connection: WatchedConnection,
    calls: int,
    moved: int,
    *,
    all_processes: bool = True,
) -> None:
    """Scrape once more: the processes have exactly what was moved on this port, and the host has what they have.

    ``all_processes``: no flag leaves processes out, which would then count in the host's totals alone.
    """
    scrape = recorder.add_text(service.metrics())
    port = connection.label
    assert recorder.total(CALLS, port=port) == calls
    assert recorder.total(BYTES, port=port) == moved
    if all_processes:
        assert scrape.sum(HOST_CALLS, **RECVMMSG) == recorder.total(CALLS, **RECVMMSG)
        assert scrape.sum(HOST_BYTES, **RECVMMSG) == recorder.total(BYTES, **RECVMMSG)
    assert scrape.sum("copy_exporter_dropped_updates_total") == 0
    assert scrape.sum("copy_exporter_probe_missed_runs_total") == 0
