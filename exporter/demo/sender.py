"""The process that is measured: sends the file by one method, and waits while its counts are read.

``python -m exporter.demo.sender CONTROL CONNECTION FILE METHOD SIZE CHUNK``; the first three are descriptors. It
reports ``ready`` on the control socket, waits for the start, sends, and reports its times.
"""

import os
import socket
import sys
import time
from typing import Any

from exporter.demo import tls
from exporter.demo.control import report, wait_for_end, wait_for_start
from exporter.demo.methods import METHODS, Method, Transfer
from exporter.host.surroundings import forbid_tracing


def main(arguments: list[str]) -> None:
    """Run the sender."""
    forbid_tracing()
    control = socket.socket(fileno=int(arguments[0]))
    method = next(method for method in METHODS if method.name == arguments[3])
    try:
        transfer = _prepare(method, arguments)
        report(control, ready=True)
        wait_for_start(control)
        report(control, **_send(method, transfer))
    except (OSError, EOFError) as error:
        report(control, error=str(error))
    wait_for_end(control)


def _prepare(method: Method, arguments: list[str]) -> Transfer:
    connection = socket.socket(fileno=int(arguments[1]))
    # Opened again: the inherited descriptor shares its position and read-ahead state with other processes.
    file = os.open(f"/proc/self/fd/{arguments[2]}", os.O_RDONLY | os.O_CLOEXEC)
    return Transfer(
        file=file,
        connection=tls.client(connection) if method.secure else connection,
        size=int(arguments[4]),
        chunk=int(arguments[5]),
    )


def _send(method: Method, transfer: Transfer) -> dict[str, Any]:
    started, cpu = time.monotonic_ns(), time.process_time_ns()
    note = method.send(transfer)
    return {"started_ns": started, "cpu_ns": time.process_time_ns() - cpu, "note": note}


if __name__ == "__main__":
    main(sys.argv[1:])
