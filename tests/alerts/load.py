"""Senders whose pace is known, each on a port of its own, and a process that receives what they send."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from exporter.demo.children import Child, connected, run_child
from exporter.demo.methods import Method

from .rulefiles import ROOT

MIB = 1 << 20
_FILE_BYTES = 2 * MIB
_ENDLESS = 1 << 60


class Sender:
    """Sends ``pace`` bytes a second by ``method`` as soon as it is begun. A context manager."""

    def __init__(self, method: Method, pace: int, directory: Path) -> None:
        """Connected, but not begun. ``directory`` is made where there is none."""
        directory.mkdir(exist_ok=True)
        self.pace = pace
        self._method = method
        self._file = directory / f"{method.name}.file"
        self._file.write_bytes(bytes(_FILE_BYTES))
        self._counter = directory / f"{method.name}.sent"
        self._counter.write_bytes(bytes(8))
        self._stack = ExitStack()
        self._near, self._far = connected()
        self._stack.enter_context(self._near)
        self._stack.enter_context(self._far)
        self.port, self.far_port = (str(end.getsockname()[1]) for end in (self._near, self._far))
        self._process: subprocess.Popen[bytes] | None = None
        self._sink: Child | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """What makes a service count both ends' ports apart."""
        return "--watch.port", self.port, "--watch.port", self.far_port

    def begin(self) -> None:
        """From now on it sends."""
        end = self._near.fileno()
        facts = (self._method.name, end, self._file, self.pace, self._counter)
        self._sink = self._stack.enter_context(run_child("sink", (self._far.fileno(),), _ENDLESS, 0))
        command = [sys.executable, "-m", "tests.alerts.sender", *map(str, facts)]
        self._process = subprocess.Popen(command, pass_fds=(end,), cwd=ROOT, stdin=subprocess.DEVNULL)

    @property
    def pid(self) -> str:
        assert self._process
        return str(self._process.pid)

    @property
    def sink_pid(self) -> str:
        assert self._sink
        return str(self._sink.pid)

    def sent(self) -> int:
        """Bytes so far."""
        return int.from_bytes(self._counter.read_bytes(), "little")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
        self._stack.close()
