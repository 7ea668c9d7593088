"""Processes that move known numbers of bytes on a TCP port of their own, which nobody else's bytes are counted on."""

import os
import socket
import subprocess
from pathlib import Path

from .running import Service
from .scraped import Prometheus

MOST = 32768
"""Bytes that one call can move."""
CALLS = "copy_syscalls_total"
BYTES = "copy_cpu_copied_bytes_total"
HOST_CALLS = "copy_host_syscalls_total"
HOST_BYTES = "copy_host_cpu_copied_bytes_total"


class Tap:
    """A TCP connection whose server end always has :data:`MOST` bytes to receive: they are looked at, never taken."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.client = socket.create_connection(listener.getsockname())
            self.server, _ = listener.accept()
        self.port: int = self.server.getsockname()[1]
        self.client.sendall(bytes(MOST))
        while len(self.server.recv(MOST, socket.MSG_PEEK)) < MOST:
            pass

    @property
    def flags(self) -> tuple[str, str]:
        """What makes a service count this port apart."""
        return "--port", str(self.port)

    @property
    def label(self) -> str:
        return str(self.port)

    def close(self) -> None:
        self.server.close()
        self.client.close()


class Mover:
    """A process that moves as many bytes as it is told to."""

    def __init__(self, tap: Tap, program: Path, *before: str) -> None:
        """``before``: a command that starts the program, such as unshare."""
        self.bytes = self.calls = 0
        end = tap.server.fileno()
        self.process = subprocess.Popen(
            [*before, program, str(end)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=(end,)
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def tell(self, *words: object) -> int:
        """Give a command; its answer."""
        assert self.process.stdin
        assert self.process.stdout
        print(*words, file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def move(self, count: int) -> None:
        assert self.tell("move", count) == count
        self.bytes += count
        self.calls += 1

    def become(self, program: Path) -> None:
        """Exec; the new program answers the next command."""
        assert self.process.stdin
        print("exec", program, file=self.process.stdin, flush=True)

    def end(self) -> None:
        """Let it end, if it has not, and wait for that."""
        if self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()
        assert self.process.stdout
        self.process.stdout.close()
        assert self.process.wait(30) == 0


def births(program: Path, tap: Tap, count: int, most: int = 1000, names: int = 0) -> subprocess.Popen[bytes]:
    """``count`` processes, born one after the other; :func:`born_bytes` is their truth."""
    end = tap.server.fileno()
    return subprocess.Popen([program, *map(str, (end, count, most, names))], pass_fds=(end,))


def born_bytes(count: int, most: int = 1000) -> int:
    """How many bytes ``count`` births move."""
    return sum(1 + number % most for number in range(count))


def agree(service: Service, prometheus: Prometheus, tap: Tap, calls: int, moved: int, *, series: bool = True) -> None:
    """One more scrape, and all of what was moved on the tap's port is in the host's totals and in the processes'."""
    scrape = prometheus.feed(service.metrics())
    port = tap.label
    assert scrape.sum(HOST_CALLS, port=port) == calls
    assert scrape.sum(HOST_BYTES, port=port) == moved
    if series:
        assert prometheus.total(CALLS, port=port) == calls
        assert prometheus.total(BYTES, port=port) == moved
    assert scrape.sum("copy_dropped_updates_total") == 0
    assert scrape.sum("copy_probe_missed_runs_total") == 0


def is_gone(pid: int) -> bool:
    return not os.path.exists(f"/proc/{pid}")
