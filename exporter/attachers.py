"""The mechanisms by which a compiled program is attached, each as good as the kernel allows."""

from collections.abc import Callable

from exporter.compiler import Compiled
from exporter.kernel import libbpf
from exporter.kernel.perf import attach_tracepoint
from exporter.probe_table import Hook


def attach_raw_tracepoint(compiled: Compiled, hook: Hook) -> tuple[int, int]:
    """A tracepoint with typed arguments (v5.5): descriptors of program and link."""
    program = libbpf.load_program(
        libbpf.PROG_TYPE_TRACING,
        hook.program,
        compiled.code(hook.program),
        attach_type=libbpf.ATTACH_TYPE_TRACE_RAW_TP,
        attach_btf_id=compiled.btf.tracepoint_id(hook.target),
    )
    return program, libbpf.open_raw_tracepoint(program)


def attach_perf_tracepoint(compiled: Compiled, hook: Hook) -> tuple[int, int]:
    """A tracepoint by its event in tracefs: descriptors of program and event."""
    program = libbpf.load_program(libbpf.PROG_TYPE_TRACEPOINT, hook.program, compiled.code(hook.program))
    return program, attach_tracepoint(hook.target, program)


ATTACHERS: dict[str, Callable[[Compiled, Hook], tuple[int, int]]] = {
    "raw_tracepoint": attach_raw_tracepoint,
    "tracepoint": attach_perf_tracepoint,
}
"""How each mechanism of :class:`exporter.probe_table.Hook` attaches."""
