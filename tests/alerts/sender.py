"""A process that sends a file again and again at a steady pace, by one of the demo's methods.

``python -m tests.alerts.sender METHOD CONNECTION FILE BYTES_A_SECOND COUNTER``, until it is killed. What it has sent is
in the first eight bytes of the file COUNTER, through memory: a system call for it would be counted, too.
"""

import mmap
import os
import socket
import sys
import time
from pathlib import Path

from exporter.demo.methods import METHODS, Transfer

CHUNK = 64 << 10


def main(arguments: list[str]) -> None:
    method, connection, path, pace, counter = arguments
    send = next(one.send for one in METHODS if one.name == method)
    file = os.open(path, os.O_RDONLY)
    size = os.fstat(file).st_size
    transfer = Transfer(file, socket.socket(fileno=int(connection)), size, CHUNK)
    with Path(counter).open("r+b") as opened:
        sent = mmap.mmap(opened.fileno(), 8)
    started = time.monotonic()
    number = 0
    while True:
        os.lseek(file, 0, os.SEEK_SET)
        send(transfer)
        number += 1
        sent[:8] = (number * size).to_bytes(8, "little")
        time.sleep(max(0.0, started + number * size / float(pace) - time.monotonic()))


if __name__ == "__main__":
    main(sys.argv[1:])
