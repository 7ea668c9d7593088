"""Loads compiled programs and attaches them: one function for each attach method."""

from collections.abc import Callable

from exporter.kernel import libbpf, perf_events
from exporter.loading.compiler import Compiled
from exporter.loading.probes import Hook
from exporter.loading.syscall_functions import syscall_functions

Descriptors = tuple[int, ...]
"""The descriptor of a program, then those that keep it attached: a link, or perf events."""


def attach_raw_tracepoint(compiled: Compiled, hook: Hook) -> Descriptors:
    """Attach to a tracepoint, with typed arguments (v5.5). Returns the descriptors of program and link."""
    target = compiled.btf.tracepoint_id(hook.target)
    return _attach_by_btf(compiled, hook, libbpf.ATTACH_TYPE_TRACE_RAW_TP, target)


def attach_fentry(compiled: Compiled, hook: Hook) -> Descriptors:
    """Attach to the entry of a kernel function, with its arguments. Returns the descriptors of program and link."""
    target = compiled.btf.function_id(hook.target)
    return _attach_by_btf(compiled, hook, libbpf.ATTACH_TYPE_TRACE_FENTRY, target)


def attach_fexit(compiled: Compiled, hook: Hook) -> Descriptors:
    """Attach to the return of a kernel function, with arguments and result.

    Returns the descriptors of program and link.
    """
    target = compiled.btf.function_id(hook.target)
    return _attach_by_btf(compiled, hook, libbpf.ATTACH_TYPE_TRACE_FEXIT, target)


def attach_syscall_returns(compiled: Compiled, hook: Hook) -> Descriptors:
    """Attach to the returns of the functions of all system calls that move data.

    Returns the descriptors of program and link.
    """
    code = compiled.code(hook.program)
    attach_type = libbpf.ATTACH_TYPE_TRACE_KPROBE_MULTI
    program = libbpf.load_program(libbpf.PROG_TYPE_KPROBE, hook.program, code, attach_type=attach_type)
    return program, libbpf.attach_functions(program, syscall_functions(compiled.btf), attach_type, returns=True)


def attach_session(compiled: Compiled, hook: Hook) -> Descriptors:
    """Attach to entry and return of a kernel function (v6.10), with the registers.

    Returns the descriptors of program and link.
    """
    attach_type = libbpf.ATTACH_TYPE_TRACE_KPROBE_SESSION
    code = compiled.code(hook.program)
    program = libbpf.load_program(libbpf.PROG_TYPE_KPROBE, hook.program, code, attach_type=attach_type)
    return program, libbpf.attach_functions(program, [hook.target], attach_type)


def attach_kprobe(compiled: Compiled, hook: Hook) -> Descriptors:
    """Attach to the entry of a kernel function, with the registers. Returns the descriptors of program and event."""
    program = libbpf.load_program(libbpf.PROG_TYPE_KPROBE, hook.program, compiled.code(hook.program))
    return program, perf_events.attach_kprobe(hook.target, program)


def attach_perf_tracepoint(compiled: Compiled, hook: Hook) -> Descriptors:
    """Attach to a tracepoint by its event in tracefs. Returns the descriptors of program and event."""
    program = libbpf.load_program(libbpf.PROG_TYPE_TRACEPOINT, hook.program, compiled.code(hook.program))
    return program, perf_events.attach_tracepoint(hook.target, program)


def attach_clock(compiled: Compiled, hook: Hook) -> Descriptors:
    """Attach to samples of the CPU clock. Returns the descriptors of the program and of an event per CPU."""
    program = libbpf.load_program(libbpf.PROG_TYPE_PERF_EVENT, hook.program, compiled.code(hook.program))
    return program, *perf_events.attach_clock(compiled.sampling_rate, program)


ATTACHERS: dict[str, Callable[[Compiled, Hook], Descriptors]] = {
    "raw_tracepoint": attach_raw_tracepoint,
    "tracepoint": attach_perf_tracepoint,
    "perf_event": attach_clock,
    "fentry": attach_fentry,
    "fexit": attach_fexit,
    "kprobe": attach_kprobe,
    "kretprobe.multi": attach_syscall_returns,
    "kprobe.session": attach_session,
}
"""The function for each ``attach_method`` of :class:`exporter.loading.probes.Hook`.

Each raises :class:`OSError` when the kernel refuses, and :class:`LookupError` when it does not have the target.
"""


def _attach_by_btf(compiled: Compiled, hook: Hook, attach_type: int, target: int) -> Descriptors:
    program = libbpf.load_program(
        libbpf.PROG_TYPE_TRACING,
        hook.program,
        compiled.code(hook.program),
        attach_type=attach_type,
        attach_btf_id=target,
    )
    return program, libbpf.open_raw_tracepoint(program)
