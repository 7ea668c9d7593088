"""Senders with a known pace, each with a process that receives what it sends."""

import os
from pathlib import Path

from exporter.demo.children import Child, run_child
from exporter.demo.methods import Method
from tests.support.sender import Sender

MIB = 1 << 20
_FILE_BYTES = 2 * MIB
_UNLIMITED = 1 << 60


class PacedSender(Sender):
    """Sends ``rate`` bytes per second until it is killed."""

    def __init__(self, method: Method, rate: int, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        file = directory / method.name
        file.write_bytes(bytes(_FILE_BYTES))
        super().__init__(method, file, f"sender-{os.getpid() % 10000}")
        self._rate = rate
        self._sink: Child | None = None

    @property
    def sink_pid(self) -> str:
        """Of the process that receives."""
        assert self._sink
        return str(self._sink.pid)

    def start(self) -> None:
        self._sink = self._stack.enter_context(run_child("sink", (self.far.fileno(),), _UNLIMITED, 0))
        super().start()
        self.move(_UNLIMITED // _FILE_BYTES, _FILE_BYTES / self._rate)
