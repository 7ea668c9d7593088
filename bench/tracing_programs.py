"""The tracing programs that are loaded into the kernel: those of other programs disturb a measurement."""

import ctypes as ct
import os
import time

from exporter.kernel.libbpf import library

WAIT_SECONDS = 0.5
_TRACING_TYPES = (2, 5, 7, 17, 26)  # kprobe, tracepoint, perf event, raw tracepoint, tracing: enum bpf_prog_type


def tracing_programs() -> set[int]:
    """Ids of all tracing programs that are loaded, by any process."""
    libbpf, number, found = library(), ct.c_uint32(0), set()
    while not libbpf.bpf_prog_get_next_id(number, ct.byref(number)):
        descriptor = libbpf.bpf_prog_get_fd_by_id(number)
        if descriptor >= 0:
            head = (ct.c_uint32 * 2)()
            libbpf.bpf_obj_get_info_by_fd(descriptor, head, ct.byref(ct.c_uint32(ct.sizeof(head))))
            os.close(descriptor)
            if head[0] in _TRACING_TYPES:
                found.add(number.value)
    return found


def wait_for_removal(existing: set[int]) -> None:
    """Wait until only ``existing`` are loaded, for at most :data:`WAIT_SECONDS`.

    The kernel removes programs shortly after their descriptors are closed.
    """
    end = time.monotonic() + WAIT_SECONDS
    while tracing_programs() - existing and time.monotonic() < end:
        time.sleep(0.01)
