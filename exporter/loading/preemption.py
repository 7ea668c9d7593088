"""Which attach methods this kernel may preempt programs of: it skips their runs, so other hooks are preferred."""

import os
import struct
from dataclasses import dataclass

from exporter.kernel import libbpf
from exporter.kernel.preemption_mode import load_mode_reader, read_mode
from exporter.loading.attach import TRAMPOLINES, attach_raw_tracepoint
from exporter.loading.compiler import Compiled, NotCompiledError
from exporter.loading.probes import Hook
from exporter.model import EXACT_PREEMPTION_MODES

_OBSERVER = Hook("raw_tracepoint", "sys_exit", "observe_preemption")
_FIRST = struct.pack("=I", 0)


@dataclass(frozen=True)
class Preemption:
    """Whether the kernel preempts tasks inside itself."""

    preempts: bool
    """True when it is not known."""
    why: str
    """How it is known, in a few words: ``preempt=voluntary``."""
    mode_reader: int | None = None
    """Descriptor of the program that reads the mode; None where the mode cannot change."""


def kernel_preemption(version: str) -> Preemption:
    """Return whether the kernel preempts itself, by ``uname -v``, and by its mode where that can be chosen."""
    if "PREEMPT_DYNAMIC" not in version:
        return (
            Preemption(True, "built with preemption")
            if "PREEMPT" in version
            else Preemption(False, "built without preemption")
        )
    try:
        reader = load_mode_reader()
        mode = read_mode(reader)
    except (OSError, LookupError):
        return Preemption(True, "it does not show its mode, which may be full")
    return Preemption(mode not in EXACT_PREEMPTION_MODES, f"preempt={mode}", reader)


def preemptible_attach_methods(compiled: Compiled, *, preempts: bool) -> frozenset[str]:
    """The attach methods whose programs this kernel may preempt. On every kernel kprobes run with preemption off.

    ``preempts``: whether the kernel preempts itself.
    """
    preemptible = set(TRAMPOLINES) if preempts else set()
    if _tracepoints_lose_runs(compiled):
        preemptible |= {"raw_tracepoint", "tracepoint"}
    return frozenset(preemptible)


def _tracepoints_lose_runs(compiled: Compiled) -> bool:
    """Read the preempt count inside a program, at the exit of a system call: preemption is off there up to v6.18."""
    try:
        (program,), (link,) = attach_raw_tracepoint(compiled, _OBSERVER)
    except (OSError, NotCompiledError):
        return False  # not needed on this kernel, or not possible: then the probe itself reports the reason
    os.getppid()
    observed = libbpf.read_element(compiled.bpf[b"preemption"].map_fd, _FIRST, 8)
    os.close(link)
    os.close(program)
    return bool(struct.unpack("=Q", observed)[0] == 1)
