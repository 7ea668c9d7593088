"""The process that receives: reads the expected number of bytes, and reports the time of the last one.

``python -m exporter.demo.sink CONTROL CONNECTION SIZE SECURE``, as :mod:`exporter.demo.sender`; ``SECURE`` is 0 or 1.
"""

import socket
import sys
import time

from exporter.demo import tls
from exporter.demo.control import report, wait_for_end
from exporter.host.surroundings import forbid_tracing

_BUFFER_BYTES = 256 << 10


def main(arguments: list[str]) -> None:
    """Run the sink."""
    forbid_tracing()
    control = socket.socket(fileno=int(arguments[0]))
    connection = socket.socket(fileno=int(arguments[1]))
    try:
        if int(arguments[3]):
            connection = tls.server(connection)
        received = receive(connection, int(arguments[2]))
        report(control, received=received, finished_ns=time.monotonic_ns())
    except OSError as error:
        report(control, error=str(error))
    wait_for_end(control)


def receive(connection: socket.socket, size: int) -> int:
    """Read ``size`` bytes; returns the bytes read, fewer when the connection ended early."""
    buffer = bytearray(_BUFFER_BYTES)
    received = 0
    while received < size and (got := connection.recv_into(buffer)):
        received += got
    return received


if __name__ == "__main__":
    main(sys.argv[1:])
