"""A fake Kafka broker that sends a topic from its plaintext listener, and also has a TLS listener."""

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.fake_broker import FakeBroker, write_config
from tests.support.ports import free_port

from .load import MIB

_ADDRESS = "127.0.0.2"
"""The port of the TLS listener is in use on 127.0.0.1, by a sender."""
_INTERVAL_SECONDS = 0.1


class TopicBroker:
    """A context manager."""

    topic = f"alerts-{os.getpid()}"
    """Unique on this host."""

    def __init__(self, directory: Path, tls_port: str) -> None:
        """``tls_port``: of the TLS listener, from which the broker sends nothing."""
        partition = directory / "data" / f"{self.topic}-0"
        partition.mkdir(parents=True)
        self._segment = partition / "00000000000000000000.log"
        self._segment.write_bytes(bytes(MIB))
        plaintext_port = free_port(_ADDRESS)
        listeners = f"PLAINTEXT://{_ADDRESS}:{plaintext_port},SSL://{_ADDRESS}:{tls_port}"
        config = write_config(directory, node_id=1, listeners=listeners, log_dirs=directory / "data")
        self._process = FakeBroker(directory, config.name)
        self._ports = (plaintext_port, tls_port)
        self._sent = 0
        self._next = 0.0

    def serve(self) -> None:
        """Send the topic to a consumer by zero copy, unless it was sent in the last tenth of a second."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _INTERVAL_SECONDS
            self._sent += self._process.do("serve", self._segment, MIB)

    def sent(self) -> int:
        """Bytes sent so far."""
        return self._sent

    def __enter__(self) -> Self:
        self._process.__enter__()
        for port in self._ports:
            self._process.do("listen", _ADDRESS, port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._process.__exit__(kind, error, where)
