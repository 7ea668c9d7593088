"""One file out of the page cache: dropped, looked at, and dropped again until it is gone."""

import ctypes
import mmap
import os
import socket
import time

from exporter.kernel import libc

_TRIES = 40
_PAUSE_SECONDS = 0.05


def drop(descriptor: int, size: int) -> int:
    """Drop a written file, this one alone; returns the bytes that stayed, mostly 0."""
    os.fsync(descriptor)
    for attempt in range(_TRIES):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        stayed = cached_bytes(descriptor, size)
        if not stayed:
            return 0
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        _free_socket_buffers()
    return stayed


def cached_bytes(descriptor: int, size: int) -> int:
    """How much of a file is in the page cache, in whole pages: mincore(2), for a file that we may write."""
    pages = -(-size // mmap.PAGESIZE)
    present = (ctypes.c_ubyte * pages)()
    with mmap.mmap(descriptor, size) as mapped:
        start = ctypes.c_char.from_buffer(mapped)
        try:
            libc.call("mincore", ctypes.byref(start), ctypes.c_size_t(size), present)
        finally:
            del start  # or the mapping could not be closed
    return bytes(present).count(1) * mmap.PAGESIZE


def _free_socket_buffers() -> None:
    """Send a packet on each CPU: each frees the received buffers that wait there, with the pages sendfile passed.

    Up to 64 wait for their CPU's next packet (net.core.skb_defer_max; since v5.19, commit 68822bdf76f1).
    """
    allowed = os.sched_getaffinity(0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ping:
        ping.bind(("127.0.0.1", 0))
        ping.connect(ping.getsockname())
        try:
            for cpu in allowed:
                os.sched_setaffinity(0, {cpu})
                ping.send(b"")
        finally:
            os.sched_setaffinity(0, allowed)
