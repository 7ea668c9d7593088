"""The demo's child processes, sender and sink, as the parent sees them."""

import json
import socket
from collections.abc import Sequence
from typing import Any

from exporter.errors import CopyExporterError
from exporter.host.child_process import ChildFailedError, ChildProcess, python_module

_MESSAGE_BYTES = 4096


class Child(ChildProcess):
    """A process that reports in JSON."""

    def start(self) -> None:
        """Let it continue from where it waits for the start."""
        self.send(b"s")

    def report(self, timeout: float) -> dict[str, Any]:
        """Its next report; ``timeout`` in seconds. Raises :class:`CopyExporterError` when it fails."""
        try:
            facts: dict[str, Any] = json.loads(self.receive(_MESSAGE_BYTES, timeout))
        except ChildFailedError as error:
            raise CopyExporterError(str(error)) from None
        if "error" in facts:
            raise CopyExporterError(f"{self.name} failed: {facts['error']}")
        return facts


def run_child(module: str, descriptors: Sequence[int], *arguments: object) -> Child:
    """Run the module ``exporter.demo.<module>`` with these descriptors and arguments."""
    command = python_module(f"exporter.demo.{module}")
    return Child(f"the demo's {module}", command, *arguments, descriptors=descriptors)


def connected() -> tuple[socket.socket, socket.socket]:
    """Two ends of one TCP connection over loopback, with TCP_NODELAY as on a broker."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        near = socket.create_connection(listener.getsockname())
        while True:
            far, address = listener.accept()
            if address == near.getsockname():
                near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return near, far
            far.close()  # from another process
