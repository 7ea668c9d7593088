"""A process that sends a file at a steady pace, by one of the demo's methods, or receives as much and appends it.

``python -m tests.dashboards.sender NAME METHOD CONNECTION FILE CHUNK BEFORE TIMES SECONDS``: under this name, over
this descriptor; the whole file ``BEFORE`` times at once, then after SIGUSR1 ``TIMES`` times with ``SECONDS`` from one
to the next. It ends with SIGTERM. Signals, because any word from a pipe or a socket would be counted, too.
"""

import contextlib
import ctypes
import os
import signal
import socket
import sys
import time

from exporter.demo.methods import METHODS, Method, Transfer

_PR_SET_NAME = 15
_NO_FILE = -1


def append(transfer: Transfer) -> str:
    """What a broker does with what is produced: from the connection into the file. And one call that fails."""
    with contextlib.suppress(OSError):
        os.write(_NO_FILE, b"")
    buffer = bytearray(transfer.chunk)
    for _ in range(transfer.size // transfer.chunk):
        assert transfer.connection.recv_into(buffer, transfer.chunk, socket.MSG_WAITALL) == transfer.chunk
        assert os.write(transfer.file, buffer) == transfer.chunk
    return ""


RECEIVE_APPEND = Method("receive+append", append)


def main(arguments: list[str]) -> None:
    """The whole life of it."""
    name, method, descriptor, path, chunk, before, times, seconds = arguments
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode())
    send = next(one.send for one in (*METHODS, RECEIVE_APPEND) if one.name == method)
    connection = socket.socket(fileno=int(descriptor))
    file = os.open(path, os.O_RDWR)

    def once() -> None:
        os.lseek(file, 0, os.SEEK_SET)
        send(Transfer(file, connection, os.fstat(file).st_size, int(chunk)))

    for _ in range(int(before)):
        once()
    signal.sigwait({signal.SIGUSR1})
    started = time.monotonic()
    for number in range(int(times)):
        time.sleep(max(0.0, started + number * float(seconds) - time.monotonic()))
        once()
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1:])
