"""A load whose every byte is known: processes that send or receive on ports of their own."""

import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from exporter.demo.methods import READ_WRITE, SENDFILE, Method

from .documents import ROOT
from .sender import RECEIVE_APPEND

CHUNK = 64 << 10
FILE_BYTES = 16 * CHUNK
BEFORE = 64
"""How often the file is sent before the load begins: ``rate()`` takes a counter with little in it for newborn."""
TIMES = 160
SECONDS = 0.1


@dataclass(frozen=True)
class Way:
    """How a process moves bytes, and the beginning of its name: the rest tells it from that of another test run."""

    name: str
    method: Method
    receives: bool = False


BY_REFERENCE = Way("refers", SENDFILE)
BY_HAND = Way("copies", READ_WRITE)
APPENDS = Way("appends", RECEIVE_APPEND, receives=True)
WAYS = (BY_REFERENCE, BY_HAND, APPENDS)


class Sender:
    """One process and its connection; a context manager."""

    def __init__(self, way: Way, file: Path, times: int = TIMES) -> None:
        """Connected, but not begun; ``times`` it will send the file after it has been told to go on."""
        self.way = way
        self.comm = f"{way.name}-{os.getpid() % 10000}"
        self._times = times
        self._file = file
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self._far = socket.create_connection(listener.getsockname())
            self._near, _ = listener.accept()
        self.port = str(self._near.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None
        self._peer = threading.Thread(target=self._send if way.receives else self._receive)

    @property
    def pid(self) -> str:
        assert self._process
        return str(self._process.pid)

    def begin(self) -> None:
        """Send the file so often that the counters have something in them."""
        descriptor = self._near.fileno()
        facts = (self.comm, self.way.method.name, descriptor, self._file, CHUNK, BEFORE, self._times, SECONDS)
        command = [sys.executable, "-m", "tests.dashboards.sender", *map(str, facts)]
        self._process = subprocess.Popen(command, pass_fds=(descriptor,), cwd=ROOT, stdin=subprocess.DEVNULL)
        self._near.close()
        self._peer.start()

    def go_on(self) -> None:
        """Send it as often as was agreed."""
        assert self._process
        self._process.send_signal(signal.SIGUSR1)

    @property
    def matchers(self) -> str:
        """What chooses its bytes on its port."""
        return f'{"source" if self.way.receives else "destination"}="tcp", port="{self.port}"'

    def _receive(self) -> None:
        while self._far.recv(FILE_BYTES):
            pass

    def _send(self) -> None:
        for _ in range(BEFORE + self._times):
            self._far.sendall(bytes(FILE_BYTES))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(30)
            self._far.shutdown(socket.SHUT_RDWR)
            self._peer.join(30)
        self._near.close()
        self._far.close()


def cold_file(directory: Path, name: str) -> Path:
    """What a process sends, or writes over: on disk, and where the file system allows it not in the page cache."""
    path = directory / name
    path.write_bytes(os.urandom(FILE_BYTES))
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return path
