"""The process that is measured: sends the file by one method, then parks until its counts have been read.

``python -m exporter.demo.sender CONTROL CONNECTION FILE METHOD SIZE CHUNK``, the first three descriptors. It says
``ready`` on the control socket (UNIX, one JSON object a packet), starts when it is told, and reports.
"""

import os
import socket
import sys
import time
from typing import Any

from exporter.demo import tls
from exporter.demo.control import park, report
from exporter.demo.methods import METHODS, Method, Transfer


def main(arguments: list[str]) -> None:
    """The whole life of it."""
    control = socket.socket(fileno=int(arguments[0]))
    method = next(method for method in METHODS if method.name == arguments[3])
    try:
        transfer = _prepare(method, arguments)
        report(control, ready=True)
        park(control)
        report(control, **_send(method, transfer))
    except (OSError, EOFError) as error:
        report(control, error=str(error))
    park(control)


def _prepare(method: Method, arguments: list[str]) -> Transfer:
    connection = socket.socket(fileno=int(arguments[1]))
    # Opened anew: the position and the read-ahead state of the one that was handed down are shared with others.
    file = os.open(f"/proc/self/fd/{arguments[2]}", os.O_RDONLY | os.O_CLOEXEC)
    return Transfer(
        file=file,
        connection=tls.client(connection) if method.secure else connection,
        size=int(arguments[4]),
        chunk=int(arguments[5]),
    )


def _send(method: Method, transfer: Transfer) -> dict[str, Any]:
    started, cpu = time.monotonic_ns(), time.process_time_ns()
    remark = method.send(transfer)
    return {"started_ns": started, "cpu_ns": time.process_time_ns() - cpu, "remark": remark}


if __name__ == "__main__":
    main(sys.argv[1:])
