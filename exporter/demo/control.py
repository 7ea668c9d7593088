"""The children's side of the control socket: UNIX, so that its traffic is none of what is measured."""

import json
import socket
from typing import Any


def report(control: socket.socket, **facts: Any) -> None:
    """One JSON object, one packet."""
    control.send(json.dumps(facts).encode())


def park(control: socket.socket) -> None:
    """Until the parent says go on; the process ends when the parent has."""
    if not control.recv(1):
        raise SystemExit
