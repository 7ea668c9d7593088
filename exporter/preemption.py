"""Whether programs on tracepoints may be preempted: then the kernel skips runs, and other hooks are better."""

import os
import struct

from exporter.attachers import attach_raw_tracepoint
from exporter.compiler import Compiled, NotCompiledError
from exporter.kernel import libbpf
from exporter.probe_table import Hook

_OBSERVER = Hook("raw_tracepoint", "sys_exit", "observe_preemption")
_FIRST = struct.pack("=I", 0)


def tracepoints_lose_runs(compiled: Compiled) -> bool:
    """Look from inside a program, on the end of a system call of our own: preemption is off there up to v6.18."""
    try:
        program, link = attach_raw_tracepoint(compiled, _OBSERVER)
    except (OSError, NotCompiledError):
        return False  # no reason to look closer, or no way: then the probe's own refusal tells why
    os.getppid()
    observed = libbpf.read_element(compiled.bpf[b"preemption"].map_fd, _FIRST, 8)
    os.close(link)
    os.close(program)
    return bool(struct.unpack("=Q", observed)[0] == 1)
