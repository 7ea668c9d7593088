"""A server of somebody else's on loopback, started for a test."""

import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx


def free_address() -> tuple[str, int]:
    """Where nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        host, port = free.getsockname()
    return host, port


class Server:
    """One that answers ``/-/ready``; a context manager that ends it. Asking it before it is ready is an error."""

    def __init__(self, command: Sequence[str], port: int, log: Path) -> None:
        """Start it; ``log`` takes all that it says."""
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

    def ready(self) -> bool:
        """Whether it does its work by now."""
        assert self._process.poll() is None, self.log()
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def log(self) -> str:
        """All that it has said so far."""
        return Path(self._log.name).read_text()
