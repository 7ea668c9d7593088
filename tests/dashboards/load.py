"""A load whose every byte is known: processes that send or receive, each on a port of its own."""

import os
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from exporter.demo.methods import READ_WRITE, SENDFILE, Method
from tests.support.page_cache import drop_from_page_cache
from tests.support.sender import CHUNK, Sender
from tests.support.sender_process import RECEIVE_APPEND

FILE_BYTES = 16 * CHUNK
TIMES_BEFORE = 64
"""Transfers before the measured load: ``rate()`` treats a counter with a small value as new."""
TIMES = 160
INTERVAL_SECONDS = 0.1


@dataclass(frozen=True)
class Load:
    """How a process moves bytes, and the start of its name; the rest of the name is unique to the test run."""

    name: str
    method: Method
    receives: bool = False


BY_ZERO_COPY = Load("sendfiles", SENDFILE)
BY_COPY = Load("copies", READ_WRITE)
APPENDS = Load("appends", RECEIVE_APPEND, receives=True)
LOADS = (BY_ZERO_COPY, BY_COPY, APPENDS)


class LoadProcess(Sender):
    """The process of one load; a thread of the test reads or writes at the other end of its connection."""

    def __init__(self, load: Load, directory: Path) -> None:
        super().__init__(load.method, _uncached_file(directory / load.name), f"{load.name}-{os.getpid() % 10000}")
        self._receives = load.receives
        self._peer = threading.Thread(target=self._send if load.receives else self._receive)

    def start(self) -> None:
        super().start()
        self._peer.start()

    @property
    def matchers(self) -> str:
        """PromQL matchers that select its bytes on its port."""
        return f'{"source" if self._receives else "destination"}="tcp", port="{self.port}"'

    def _receive(self) -> None:
        while self.far.recv(FILE_BYTES):
            pass

    def _send(self) -> None:
        for _ in range(TIMES_BEFORE + TIMES):
            self.far.sendall(bytes(FILE_BYTES))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._peer.is_alive():
            self.far.shutdown(socket.SHUT_RDWR)
            self._peer.join(30)
        super().__exit__(kind, error, where)


def _uncached_file(path: Path) -> Path:
    path.write_bytes(os.urandom(FILE_BYTES))
    drop_from_page_cache(path)
    return path
