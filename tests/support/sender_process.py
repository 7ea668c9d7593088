"""A process that moves a file over a connection as often as its parent asks.

``python -m tests.support.sender_process COMM METHOD CONNECTION FILE CHUNK CONTROL``: under the name COMM, over the
descriptor CONNECTION, until it is killed. It shares the memory of the file CONTROL with its parent, because
the exporter would count messages through a pipe or a socket.
"""

import contextlib
import ctypes
import mmap
import os
import socket
import sys
import time
from pathlib import Path

from exporter.demo.methods import METHODS, Method, Transfer

_PR_SET_NAME = 15
_NO_FILE = -1
_POLL_SECONDS = 0.01


class Control:
    """The shared memory: how often and how fast the file is to be moved, and how often it has been moved."""

    SIZE = 3 * 8

    def __init__(self, file: Path) -> None:
        with file.open("r+b") as opened:
            self._fields = memoryview(mmap.mmap(opened.fileno(), self.SIZE)).cast("Q")

    def request(self, times: int, interval: float) -> None:
        """Ask for this many more transfers, ``interval`` seconds from the start of one to the start of the next."""
        self._fields[1] = int(interval * 1e9)
        self._fields[0] += times

    @property
    def pending(self) -> bool:
        return self._fields[2] < self._fields[0]

    @property
    def interval(self) -> float:
        """In seconds."""
        return self._fields[1] / 1e9

    @property
    def done(self) -> int:
        """Transfers so far."""
        return self._fields[2]

    def count(self) -> None:
        """Note that a transfer is done."""
        self._fields[2] += 1


def receive_append(transfer: Transfer) -> str:
    """What a broker does with records of producers: from the connection into the file. And one call that fails."""
    with contextlib.suppress(OSError):
        os.write(_NO_FILE, b"")
    buffer = bytearray(transfer.chunk)
    for _ in range(transfer.size // transfer.chunk):
        assert transfer.connection.recv_into(buffer, transfer.chunk, socket.MSG_WAITALL) == transfer.chunk
        assert os.write(transfer.file, buffer) == transfer.chunk
    return ""


RECEIVE_APPEND = Method("receive+append", receive_append)


def main(arguments: list[str]) -> None:
    comm, method, descriptor, path, chunk, control_file = arguments
    ctypes.CDLL(None).prctl(_PR_SET_NAME, comm.encode())
    run = next(known.send for known in (*METHODS, RECEIVE_APPEND) if known.name == method)
    file = os.open(path, os.O_RDWR)
    transfer = Transfer(file, socket.socket(fileno=int(descriptor)), os.fstat(file).st_size, int(chunk))
    control = Control(Path(control_file))
    due = time.monotonic()
    while True:
        if not control.pending:
            time.sleep(_POLL_SECONDS)
            due = time.monotonic()
            continue
        os.lseek(file, 0, os.SEEK_SET)
        run(transfer)
        control.count()
        due += control.interval
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main(sys.argv[1:])
