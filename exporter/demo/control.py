"""The children's end of their socket. It is a UNIX socket, so that its traffic is not part of what is measured."""

import json
import socket
from typing import Any


def report(control: socket.socket, **facts: Any) -> None:
    """Send one JSON object as one message."""
    control.send(json.dumps(facts).encode())


def wait_for_start(control: socket.socket) -> None:
    """Wait until the parent starts the transfer; end the process if the parent has ended."""
    if not control.recv(1):
        raise SystemExit


def wait_for_end(control: socket.socket) -> None:
    """Stay alive until the parent ends: it reads this process's counts, and then kills it."""
    control.recv(1)
