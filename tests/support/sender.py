"""Processes that move a known number of bytes over a TCP connection of their own, at a known pace."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from exporter.demo.children import connected
from exporter.demo.methods import Method
from tests.support.paths import ROOT
from tests.support.sender_process import Control

CHUNK = 64 << 10
"""Bytes that one call moves."""


class Sender:
    """A process that moves a file by one of the demo's methods; a context manager that kills it.

    ``far`` is the other end of its connection: the test decides what reads or writes there.
    """

    def __init__(self, method: Method, file: Path, comm: str) -> None:
        """Connect; the process starts with :meth:`start`. ``comm`` becomes the name of the process."""
        self.comm = comm
        self._method = method
        self._file = file
        control = file.with_name(f"{file.name}.control")
        control.write_bytes(bytes(Control.SIZE))
        self._control_file, self._control = control, Control(control)
        self._near, self.far = connected()
        self.port, self.far_port = (str(end.getsockname()[1]) for end in (self._near, self.far))
        self._stack = ExitStack()
        for end in (self._near, self.far):
            self._stack.enter_context(end)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags with which the exporter counts the ports of both ends separately."""
        return "--watch.port", self.port, "--watch.port", self.far_port

    @property
    def pid(self) -> str:
        assert self._process
        return str(self._process.pid)

    def start(self) -> None:
        """Start the process, which waits for :meth:`move`."""
        near = self._near.fileno()
        facts = (self.comm, self._method.name, near, self._file, CHUNK, self._control_file)
        command = [sys.executable, "-m", "tests.support.sender_process", *map(str, facts)]
        self._process = subprocess.Popen(command, pass_fds=(near,), cwd=ROOT, stdin=subprocess.DEVNULL)
        self._near.close()

    def move(self, times: int, interval: float = 0) -> None:
        """Let it move the file so many times more, ``interval`` seconds from one start to the next."""
        self._control.request(times, interval)

    def moved(self) -> int:
        """Bytes so far."""
        return self._control.done * os.stat(self._file).st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
        self._stack.close()
