"""What the exporter takes for a Kafka broker: a listener with TLS, a plaintext one, and a topic that it serves."""

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.fake_broker import FakeBroker, write_config
from tests.support.ports import free_port

from .load import MIB

_BESIDE = "127.0.0.2"
"""An address on which the port is free that a sender has on 127.0.0.1."""
_EVERY = 0.1


class Broker:
    """A context manager."""

    topic = f"alerts-{os.getpid()}"
    """None that another test's broker has."""

    def __init__(self, directory: Path, secure_port: str) -> None:
        """``secure_port``: of the listener with TLS, which is nothing but a listener."""
        segments = directory / "data" / f"{self.topic}-0"
        segments.mkdir(parents=True)
        self._segment = segments / "00000000000000000000.log"
        self._segment.write_bytes(bytes(MIB))
        plain = free_port(_BESIDE)
        listeners = f"PLAINTEXT://{_BESIDE}:{plain},SSL://{_BESIDE}:{secure_port}"
        config = write_config(directory, node_id=1, listeners=listeners, log_dirs=directory / "data")
        self._process = FakeBroker(directory, config.name)
        self._ports = (plain, secure_port)
        self._sent = 0
        self._next = 0.0

    def serve(self) -> None:
        """Send the topic to a consumer by reference, no more often than every tenth of a second."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            self._sent += self._process.do("sendfile", self._segment, MIB)

    def sent(self) -> int:
        """Bytes so far."""
        return self._sent

    def __enter__(self) -> Self:
        self._process.__enter__()
        for port in self._ports:
            self._process.do("listen", _BESIDE, port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._process.__exit__(kind, error, where)
