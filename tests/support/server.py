"""A third-party server on loopback, such as Prometheus, started for a test or a benchmark."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx


class Server:
    """A process that answers ``/-/ready``; a context manager that terminates it. Wait for :meth:`ready` first."""

    def __init__(self, command: Sequence[str], port: int, log: Path) -> None:
        """Start it; its output goes to the file ``log``."""
        self._log = log.open("w+")
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._client.close()
        self._log.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ready(self) -> bool:
        """Whether it answers ``/-/ready``. Raises AssertionError with the log when it has exited."""
        assert self._process.poll() is None, self.log()
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def log(self) -> str:
        """Everything that it has written so far."""
        return Path(self._log.name).read_text()
