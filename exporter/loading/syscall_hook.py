"""Which hooks may count system calls, and why: what ``--probe.syscalls.hook`` and the kernel allow."""

import os
import resource
from dataclasses import dataclass, replace

from exporter.errors import KernelError
from exporter.kernel import libbpf
from exporter.kernel.btf import Btf
from exporter.loading.attach_errors import explain
from exporter.loading.compiler import RETURN_0
from exporter.loading.preemption import Preemption
from exporter.loading.probes import Probe
from exporter.loading.syscall_functions import any_syscall_function
from exporter.model import ProbeState

_FUNCTIONS = "fexit.syscalls"
_FLAG = "--probe.syscalls.hook"
_BY_SETTING = {
    "functions": frozenset({_FUNCTIONS, "kretprobe.multi"}),
    "sys_exit": frozenset({"raw_tracepoint"}),
}
_WITHOUT_FUNCTIONS = frozenset({"raw_tracepoint", "kretprobe.multi"})
_OPEN_FILES_MIN = 600
"""Of the serving process with function hooks: two for each function, and others. One per CPU is added."""


@dataclass(frozen=True)
class SyscallHook:
    """The hooks that may be tried."""

    attach_methods: frozenset[str]
    why: str

    @property
    def functions(self) -> bool:
        """Whether programs for the functions of system calls are needed."""
        return _FUNCTIONS in self.attach_methods

    def limit(self, probe: Probe) -> Probe:
        """The probe with these hooks only, if it is that of system calls."""
        if probe.name != "syscalls":
            return probe
        return replace(probe, hooks=tuple(hook for hook in probe.hooks if hook.attach_method in self.attach_methods))

    def describe(self, state: ProbeState) -> str:
        """Which hook the probe of system calls has, what it costs other calls, and why, in a sentence."""
        if not state.attached:
            return ""
        why = self.why
        if self.functions and state.attach_method != _FUNCTIONS:
            why = "the functions of system calls refuse programs"
        if state.attach_method == "raw_tracepoint":
            return f"sys_exit, which runs for every system call of the host: {why}"
        if state.attach_method == "kretprobe.multi":
            why = "kretprobe.multi, which loses no runs where this kernel has it"
        return f"the functions of the system calls that move data; other system calls cost nothing: {why}"


def choose(btf: Btf, preemption: Preemption, setting: str) -> SyscallHook:
    """The hooks to try; ``setting`` is one of :data:`exporter.model.SYSCALL_HOOKS`.

    Raises :class:`KernelError` when the setting needs more open files than the process may have.
    """
    if setting == "functions" and (too_few := _too_few_open_files()):
        raise KernelError(f"{_FLAG}=functions: {too_few}; raise the limit, or omit the flag")
    if setting in _BY_SETTING:
        return SyscallHook(_BY_SETTING[setting], f"set by {_FLAG}")
    if refusal := _refusal(btf):
        return SyscallHook(_WITHOUT_FUNCTIONS, refusal)
    if preemption.preempts:
        why = f"programs on functions would lose runs, because the kernel preempts itself ({preemption.why})"
        return SyscallHook(_WITHOUT_FUNCTIONS, why)
    # Not exact even here: programs that others attach to the same functions make the kernel skip ours (e21aa341785c).
    why = f"{_FLAG}=functions would cost other system calls nothing, as the kernel does not preempt itself"
    return SyscallHook(_WITHOUT_FUNCTIONS, f"{why} ({preemption.why})")


def _refusal(btf: Btf) -> str:
    """Why programs on the functions of system calls cannot be loaded; empty when they can."""
    function = any_syscall_function(btf)  # a list of all takes 0.1 s
    if not function:
        return "the functions of system calls have other names in this kernel"
    if too_few := _too_few_open_files():
        return too_few
    try:
        os.close(_load_empty(btf.function_id(function)))
    except OSError as error:
        return explain(_FUNCTIONS, error)[0]
    return ""


def _too_few_open_files() -> str:
    """Why the limit of open files is too low for a program and a link for each function; empty when it is not."""
    needed = _OPEN_FILES_MIN + (os.cpu_count() or 1)
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY or limit >= needed:
        return ""
    return f"hooks on functions need a limit of open files of at least {needed}, and it is {limit} (ulimit -n)"


def _load_empty(target: int) -> int:
    attach_type = libbpf.ATTACH_TYPE_TRACE_FEXIT
    return libbpf.load_program(
        libbpf.PROG_TYPE_TRACING, "empty", RETURN_0, attach_type=attach_type, attach_btf_id=target
    )
