"""Drops one file from the page cache, and checks how much of it stayed."""

import ctypes
import mmap
import os
import socket
import time

from exporter.kernel import libc

_TRIES = 40
_PAUSE_SECONDS = 0.05


def drop(descriptor: int, size: int) -> int:
    """Drop this file alone, after writing it to disk; returns the bytes that stayed, mostly 0."""
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
    """Bytes of the file in the page cache, in whole pages (mincore(2)); the file must be open for writing."""
    pages = -(-size // mmap.PAGESIZE)
    present = (ctypes.c_ubyte * pages)()
    with mmap.mmap(descriptor, size) as mapped:
        start = ctypes.c_char.from_buffer(mapped)
        try:
            libc.call("mincore", ctypes.byref(start), ctypes.c_size_t(size), present)
        finally:
            del start  # the mapping cannot be closed while this refers to it
    return bytes(present).count(1) * mmap.PAGESIZE


def _free_socket_buffers() -> None:
    """Send a packet on each CPU, so that it frees received buffers, which hold the pages that sendfile passed.

    Up to 64 buffers wait for the next packet of their CPU (net.core.skb_defer_max; since v5.19, commit 68822bdf76f1).
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
