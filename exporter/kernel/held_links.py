"""Links that a ring of io_uring holds, so that the process which has the ring ends at once.

To detach a program from the entry or return of a function takes the kernel a grace period, a quarter of a second on a
busy host, one after the other. When a process ends, it waits for this for each of its links. The files that are
registered with a ring are closed by the kernel's own threads, after the process has ended.
"""

import ctypes as ct
import os
from collections.abc import Sequence

from exporter.kernel import libc

_NR_IO_URING_SETUP, _NR_IO_URING_REGISTER = 425, 427
_REGISTER_FILES = 2
_PARAMS_BYTES = 120


def hold(links: Sequence[int]) -> tuple[int, ...]:
    """Move these descriptors into a ring, and return the ring's; the same descriptors where io_uring is not allowed."""
    if not links:
        return ()
    try:
        ring = libc.call("syscall", _NR_IO_URING_SETUP, 1, ct.byref((ct.c_uint8 * _PARAMS_BYTES)()))
    except OSError:
        return tuple(links)
    files = (ct.c_int32 * len(links))(*links)
    try:
        libc.call("syscall", _NR_IO_URING_REGISTER, ring, _REGISTER_FILES, ct.byref(files), len(links))
    except OSError:
        os.close(ring)
        return tuple(links)
    for link in links:
        os.close(link)
    return (ring,)
