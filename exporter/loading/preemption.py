"""Which programs may be preempted: there the kernel skips runs, and other hooks are better."""

import os
import platform
import struct
from pathlib import Path

from exporter.kernel import libbpf
from exporter.loading.attach import attach_raw_tracepoint
from exporter.loading.compiler import Compiled, NotCompiledError
from exporter.loading.probes import Hook

_OBSERVER = Hook("raw_tracepoint", "sys_exit", "observe_preemption")
_MODE = Path("/sys/kernel/debug/sched/preempt")
_FIRST = struct.pack("=I", 0)


def lossy_attach_methods(compiled: Compiled) -> frozenset[str]:
    """The attach methods whose programs this kernel may preempt; kprobes run with preemption off everywhere."""
    lossy = {"fentry", "fexit"} if kernel_preempts(platform.version(), _MODE) else set()
    if _tracepoints_lose_runs(compiled):
        lossy |= {"raw_tracepoint", "tracepoint"}
    return frozenset(lossy)


def kernel_preempts(version: str, mode: Path) -> bool:
    """Whether a task may be preempted inside the kernel: by ``uname -v``, and the mode where it is chosen at boot."""
    if "PREEMPT_DYNAMIC" not in version:
        return "PREEMPT" in version
    try:
        chosen = mode.read_text()
    except OSError:  # no debugfs here: then it may
        return True
    return "(none)" not in chosen and "(voluntary)" not in chosen


def _tracepoints_lose_runs(compiled: Compiled) -> bool:
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
