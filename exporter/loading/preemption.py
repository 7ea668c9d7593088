"""Which attach methods this kernel may preempt programs of: it skips their runs, so other hooks are preferred."""

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


def preemptible_attach_methods(compiled: Compiled) -> frozenset[str]:
    """The attach methods whose programs this kernel may preempt. On every kernel kprobes run with preemption off."""
    preemptible = {"fentry", "fexit"} if kernel_preempts(platform.version(), _MODE) else set()
    if _tracepoints_lose_runs(compiled):
        preemptible |= {"raw_tracepoint", "tracepoint"}
    return frozenset(preemptible)


def kernel_preempts(version: str, mode: Path) -> bool:
    """Whether the kernel preempts tasks inside itself, by ``uname -v``, and by the mode when it was chosen at boot."""
    if "PREEMPT_DYNAMIC" not in version:
        return "PREEMPT" in version
    try:
        chosen = mode.read_text()
    except OSError:  # no debugfs: it may be preempted
        return True
    return "(none)" not in chosen and "(voluntary)" not in chosen


def _tracepoints_lose_runs(compiled: Compiled) -> bool:
    """Read the preempt count inside a program, at the exit of a system call: preemption is off there up to v6.18."""
    try:
        program, link = attach_raw_tracepoint(compiled, _OBSERVER)
    except (OSError, NotCompiledError):
        return False  # not needed on this kernel, or not possible: then the probe itself reports the reason
    os.getppid()
    observed = libbpf.read_element(compiled.bpf[b"preemption"].map_fd, _FIRST, 8)
    os.close(link)
    os.close(program)
    return bool(struct.unpack("=Q", observed)[0] == 1)
