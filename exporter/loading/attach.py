"""The attach methods by which a compiled program is attached, each as good as the kernel allows."""

from collections.abc import Callable

from exporter.kernel import libbpf, perf_events
from exporter.loading.compiler import Compiled
from exporter.loading.probes import Hook
from exporter.loading.syscall_functions import syscall_functions

Descriptors = tuple[int, ...]
"""A program, then what keeps it attached."""


def attach_raw_tracepoint(compiled: Compiled, hook: Hook) -> Descriptors:
    """A tracepoint with typed arguments (v5.5): descriptors of program and link."""
    target = compiled.btf.tracepoint_id(hook.target)
    return _attach_by_btf(compiled, hook, libbpf.ATTACH_TYPE_TRACE_RAW_TP, target)


def attach_fentry(compiled: Compiled, hook: Hook) -> Descriptors:
    """The entry of a kernel function, with its arguments: descriptors of program and link."""
    target = compiled.btf.function_id(hook.target)
    return _attach_by_btf(compiled, hook, libbpf.ATTACH_TYPE_TRACE_FENTRY, target)


def attach_fexit(compiled: Compiled, hook: Hook) -> Descriptors:
    """The end of a kernel function, with its arguments and its result: descriptors of program and link."""
    target = compiled.btf.function_id(hook.target)
    return _attach_by_btf(compiled, hook, libbpf.ATTACH_TYPE_TRACE_FEXIT, target)


def attach_syscall_returns(compiled: Compiled, hook: Hook) -> Descriptors:
    """The return of every system call's own function that moves data: descriptors of program and link."""
    code = compiled.code(hook.program)
    attach_type = libbpf.ATTACH_TYPE_TRACE_KPROBE_MULTI
    program = libbpf.load_program(libbpf.PROG_TYPE_KPROBE, hook.program, code, attach_type=attach_type)
    return program, libbpf.attach_functions(program, syscall_functions(compiled.btf), attach_type, returns=True)


def attach_session(compiled: Compiled, hook: Hook) -> Descriptors:
    """Both ends of a kernel function (v6.10), with the registers: descriptors of program and link."""
    attach_type = libbpf.ATTACH_TYPE_TRACE_KPROBE_SESSION
    code = compiled.code(hook.program)
    program = libbpf.load_program(libbpf.PROG_TYPE_KPROBE, hook.program, code, attach_type=attach_type)
    return program, libbpf.attach_functions(program, [hook.target], attach_type)


def attach_kprobe(compiled: Compiled, hook: Hook) -> Descriptors:
    """The entry of a kernel function, with the registers: descriptors of program and event."""
    program = libbpf.load_program(libbpf.PROG_TYPE_KPROBE, hook.program, compiled.code(hook.program))
    return program, perf_events.attach_kprobe(hook.target, program)


def attach_perf_tracepoint(compiled: Compiled, hook: Hook) -> Descriptors:
    """A tracepoint by its event in tracefs: descriptors of program and event."""
    program = libbpf.load_program(libbpf.PROG_TYPE_TRACEPOINT, hook.program, compiled.code(hook.program))
    return program, perf_events.attach_tracepoint(hook.target, program)


def attach_clock(compiled: Compiled, hook: Hook) -> Descriptors:
    """Samples of the CPU clock: descriptors of program and of an event for each CPU."""
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
"""How each attach method of :class:`exporter.loading.probes.Hook` attaches."""


def _attach_by_btf(compiled: Compiled, hook: Hook, attach_type: int, target: int) -> Descriptors:
    program = libbpf.load_program(
        libbpf.PROG_TYPE_TRACING,
        hook.program,
        compiled.code(hook.program),
        attach_type=attach_type,
        attach_btf_id=target,
    )
    return program, libbpf.open_raw_tracepoint(program)
