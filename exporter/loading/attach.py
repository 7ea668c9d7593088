"""Loads compiled programs and attaches them: one function for each attach method."""

import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

from exporter.kernel import libbpf, perf_events
from exporter.loading.compiler import Compiled
from exporter.loading.probes import Hook
from exporter.loading.syscall_functions import SyscallFunction, all_syscall_functions, syscall_functions
from exporter.model import Operation


class Attached(NamedTuple):
    """Descriptors of a probe."""

    programs: tuple[int, ...]
    links: tuple[int, ...]
    """They keep the programs attached: links, or perf events."""


def attach_raw_tracepoint(compiled: Compiled, hook: Hook) -> Attached:
    """Attach to a tracepoint, with typed arguments (v5.5)."""
    target = compiled.btf.tracepoint_id(hook.target)
    return _attach_by_btf(compiled, hook, libbpf.ATTACH_TYPE_TRACE_RAW_TP, target)


def attach_fentry(compiled: Compiled, hook: Hook) -> Attached:
    """Attach to the entry of a kernel function, with its arguments."""
    target = compiled.btf.function_id(hook.target)
    return _attach_by_btf(compiled, hook, libbpf.ATTACH_TYPE_TRACE_FENTRY, target)


def attach_fexit(compiled: Compiled, hook: Hook) -> Attached:
    """Attach to the return of a kernel function, with arguments and result."""
    target = compiled.btf.function_id(hook.target)
    return _attach_by_btf(compiled, hook, libbpf.ATTACH_TYPE_TRACE_FEXIT, target)


def attach_syscall_functions(compiled: Compiled, hook: Hook) -> Attached:
    """Attach to the return of the function of each system call that moves data: a program and a link for each."""
    functions = syscall_functions(compiled.btf)
    return _attach_to_each(compiled, hook, libbpf.ATTACH_TYPE_TRACE_FEXIT, functions)


def attach_sendfile_functions(compiled: Compiled, hook: Hook) -> Attached:
    """Attach to the entry of each function of sendfile: a program and a link for each."""
    functions = [each for each in syscall_functions(compiled.btf) if each.operation is Operation.SENDFILE]
    return _attach_to_each(compiled, hook, libbpf.ATTACH_TYPE_TRACE_FENTRY, functions)


def attach_syscall_returns(compiled: Compiled, hook: Hook) -> Attached:
    """Attach to the returns of the functions of all system calls that move data, with the registers."""
    code = compiled.code(hook.program)
    attach_type = libbpf.ATTACH_TYPE_TRACE_KPROBE_MULTI
    program = libbpf.load_program(libbpf.PROG_TYPE_KPROBE, hook.program, code, attach_type=attach_type)
    functions = all_syscall_functions(compiled.btf)
    return Attached((program,), (libbpf.attach_functions(program, functions, attach_type, returns=True),))


def attach_session(compiled: Compiled, hook: Hook) -> Attached:
    """Attach to entry and return of a kernel function (v6.10), with the registers."""
    attach_type = libbpf.ATTACH_TYPE_TRACE_KPROBE_SESSION
    code = compiled.code(hook.program)
    program = libbpf.load_program(libbpf.PROG_TYPE_KPROBE, hook.program, code, attach_type=attach_type)
    return Attached((program,), (libbpf.attach_functions(program, [hook.target], attach_type),))


def attach_kprobe(compiled: Compiled, hook: Hook) -> Attached:
    """Attach to the entry of a kernel function, with the registers."""
    program = libbpf.load_program(libbpf.PROG_TYPE_KPROBE, hook.program, compiled.code(hook.program))
    return Attached((program,), (perf_events.attach_kprobe(hook.target, program),))


def attach_perf_tracepoint(compiled: Compiled, hook: Hook) -> Attached:
    """Attach to a tracepoint by its event in tracefs."""
    program = libbpf.load_program(libbpf.PROG_TYPE_TRACEPOINT, hook.program, compiled.code(hook.program))
    return Attached((program,), (perf_events.attach_tracepoint(hook.target, program),))


def attach_clock(compiled: Compiled, hook: Hook) -> Attached:
    """Attach to samples of the CPU clock, with an event per CPU."""
    program = libbpf.load_program(libbpf.PROG_TYPE_PERF_EVENT, hook.program, compiled.code(hook.program))
    return Attached((program,), tuple(perf_events.attach_clock(compiled.sampling_rate, program)))


ATTACHERS: dict[str, Callable[[Compiled, Hook], Attached]] = {
    "raw_tracepoint": attach_raw_tracepoint,
    "tracepoint": attach_perf_tracepoint,
    "perf_event": attach_clock,
    "fentry": attach_fentry,
    "fexit": attach_fexit,
    "fexit.syscalls": attach_syscall_functions,
    "fentry.syscalls": attach_sendfile_functions,
    "kprobe": attach_kprobe,
    "kretprobe.multi": attach_syscall_returns,
    "kprobe.session": attach_session,
}
"""The function for each ``attach_method`` of :class:`exporter.loading.probes.Hook`.

Each raises :class:`OSError` when the kernel refuses, and :class:`LookupError` when it does not have the target.
"""

TRAMPOLINES = frozenset({"fentry", "fexit", "fentry.syscalls", "fexit.syscalls"})
"""The attach methods that change the entry of a function: to detach takes the kernel a grace period."""


def _attach_by_btf(compiled: Compiled, hook: Hook, attach_type: int, target: int) -> Attached:
    program, link = _load_and_attach(hook.program, compiled.code(hook.program), attach_type, target)
    return Attached((program,), (link,))


def _attach_to_each(compiled: Compiled, hook: Hook, attach_type: int, functions: Iterable[SyscallFunction]) -> Attached:
    """Load the program once for each function, because a program has one target. After an error none is attached."""
    attached: list[tuple[int, int]] = []
    try:
        for function in functions:
            code = compiled.code(hook.program, function.constants)
            target = compiled.btf.function_id(function.name)
            attached.append(_load_and_attach(hook.program, code, attach_type, target))
    except OSError:
        for descriptor in (descriptor for pair in attached for descriptor in pair):
            os.close(descriptor)
        raise
    return Attached(tuple(program for program, _ in attached), tuple(link for _, link in attached))


def _load_and_attach(name: str, code: bytes, attach_type: int, target: int) -> tuple[int, int]:
    program = libbpf.load_program(libbpf.PROG_TYPE_TRACING, name, code, attach_type=attach_type, attach_btf_id=target)
    try:
        return program, libbpf.open_raw_tracepoint(program)
    except OSError:
        os.close(program)
        raise
