"""The loader: a short-lived process, root, the only one that imports bcc.

It compiles the probes with BCC, loads and attaches them row by row, sends the descriptors over the socket that it got
(:mod:`exporter.handover`), and ends without tidying up: what it attached lives on in the receiver's descriptors.
"""

import errno
import os
import platform
import socket
import struct
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exporter.errors import CopyExporterError, KernelError
from exporter.handover import LoaderOrder, LoaderReport, ProbeReport, send
from exporter.kernel import libbpf
from exporter.kernel.btf import Btf, UnknownToBtfError
from exporter.kernel.facts import COMMON, Abilities, abilities, defines, machine_facts
from exporter.kernel.perf import attach_tracepoint
from exporter.model import DROPPABLE_MAPS
from exporter.probe_table import Hook, Probe, named
from exporter.source import c_source, probes_directory

MAPS = (*DROPPABLE_MAPS, "dropped", "ports")
EXITS_ENTRIES = 16384
SENDFILE_STARTS_ENTRIES = 16384

_KFUNC_RDONLY_CAST = 0x7FFFFF01
_CALL = 0x85
_PSEUDO_KFUNC_CALL = 2
_INSTRUCTION = struct.Struct("<BBhi")


@dataclass
class Compiled:
    """The probes as BCC compiled them, for the kernel whose facts were asked."""

    bpf: Any
    btf: Btf
    able: Abilities
    keepers: list[int] = field(default_factory=list)

    def code(self, program: str) -> bytes:
        """The instructions of a program, with the calls of kernel functions put in."""
        code = bytearray(self.bpf.dump_func(program.encode()))
        for position in range(0, len(code), _INSTRUCTION.size):
            opcode, registers, offset, immediate = _INSTRUCTION.unpack_from(code, position)
            if opcode == _CALL and immediate == _KFUNC_RDONLY_CAST:
                registers = _PSEUDO_KFUNC_CALL << 4
                _INSTRUCTION.pack_into(code, position, opcode, registers, offset, self.able.rdonly_cast)
        return bytes(code)


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


def compile_probes(btf: Btf, probes: tuple[Probe, ...], order: LoaderOrder) -> Compiled:
    """Compile the C of these probes; :class:`KernelError` when BCC cannot."""
    able = abilities(btf)
    facts = (*COMMON, *machine_facts(), *(fact for probe in probes for fact in probe.facts))
    values = defines(btf, facts) | {
        "MAP_ENTRIES": order.map_entries,
        "EXITS_ENTRIES": EXITS_ENTRIES,
        "SENDFILE_STARTS_ENTRIES": SENDFILE_STARTS_ENTRIES,
        "KFUNC_RDONLY_CAST": _KFUNC_RDONLY_CAST,
    }
    switches = [name for name, on in (("HAVE_TASK_BTF", able.typed_task), ("HAVE_RDONLY_CAST", able.rdonly_cast)) if on]
    flags = [f"-D{name}={value}" for name, value in values.items()] + [f"-D{name}" for name in switches]
    bcc = _bcc()
    try:
        bpf = bcc.BPF(text=c_source(probes), cflags=[*_include_flags(), *flags])
    except Exception as error:  # BCC raises plain exceptions; what clang said is on standard error
        raise KernelError(f"BCC cannot compile the probes: {error}") from error
    return Compiled(bpf, btf, able)


def _bcc() -> Any:
    os.environ["BCC_KERNEL_SOURCE"] = str(probes_directory())
    try:
        import bcc  # noqa: PLC0415  # after BCC_KERNEL_SOURCE is set, and only when it is installed
    except ImportError:
        raise KernelError("BCC's Python module is not installed: apt-get install python3-bpfcc") from None
    if not hasattr(bcc, "BPF"):
        raise KernelError(
            f"{bcc.__file__} is not BCC but PyPI's unrelated package of that name: pip uninstall bcc, "
            "then apt-get install python3-bpfcc"
        )
    return bcc


def _include_flags() -> list[str]:
    architecture = sysconfig.get_config_var("MULTIARCH") or f"{platform.machine()}-linux-gnu"
    if not Path("/usr/include", architecture, "asm/unistd.h").exists():
        raise KernelError("the kernel's user-space headers are not installed: apt-get install linux-libc-dev")
    return [f"-I{probes_directory()}", "-I/usr/include", f"-I/usr/include/{architecture}"]


def usable(btf: Btf, probes: tuple[Probe, ...]) -> tuple[tuple[Probe, ...], dict[str, ProbeReport]]:
    """The probes whose facts this kernel knows, and a report of each other one."""
    known, refused = [], {}
    for probe in probes:
        try:
            defines(btf, probe.facts)
            known.append(probe)
        except UnknownToBtfError as error:
            refused[probe.name] = _report(probe, probe.hooks[0], str(error), "none: this kernel is built differently")
    return tuple(known), refused


def attach(compiled: Compiled, probe: Probe) -> tuple[ProbeReport, tuple[int, int] | None]:
    """Try the hooks in order; the report is of the one that attached, or of the last refusal."""
    for hook in probe.hooks:
        try:
            descriptors = ATTACHERS[hook.mechanism](compiled, hook)
            return ProbeReport(name=probe.name, hook=hook.target, mechanism=hook.mechanism, attached=True), descriptors
        except (OSError, UnknownToBtfError) as error:
            report = _report(probe, hook, _reason(error), _remedy(error))
    return report, None


def _report(probe: Probe, hook: Hook, reason: str, remedy: str) -> ProbeReport:
    return ProbeReport(
        name=probe.name, hook=hook.target, mechanism=hook.mechanism, attached=False, reason=reason, remedy=remedy
    )


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def _remedy(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.EPERM, errno.EACCES):
        return "run as root with all capabilities; a container needs CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN"
    if number == errno.ENOENT:
        return "none: this kernel is built without that tracepoint (CONFIG_FTRACE_SYSCALLS)"
    return "none known: please report it with the output of `copy-exporter doctor --json`"


def load(order: LoaderOrder) -> tuple[LoaderReport, list[int]]:
    """All the work: the report, and the descriptors in its order."""
    probes, reports = usable(btf := Btf(), named(order.probes))
    compiled = compile_probes(btf, probes, order)
    programs: dict[str, int] = {}
    keepers = [libbpf.enable_run_statistics()] if order.statistics else []
    for probe in probes:
        reports[probe.name], descriptors = attach(compiled, probe)
        if descriptors:
            programs[probe.name] = descriptors[0]
            keepers.append(descriptors[1])
    maps = {name: compiled.bpf[name.encode()].map_fd for name in MAPS}
    report = LoaderReport(
        probes=tuple(reports[probe.name] for probe in named(order.probes)),
        maps=tuple(maps),
        programs=tuple(programs),
        keepers=len(keepers),
        reading=_reading(compiled.able),
    )
    return report, [*maps.values(), *programs.values(), *keepers]


def _reading(able: Abilities) -> str:
    if able.rdonly_cast:
        return "typed pointers throughout"
    return "typed pointers for the task, probe reads behind descriptors" if able.typed_task else "probe reads"


def _require_privilege() -> None:
    """BCC's own complaint about a missing privilege is about the compiler; ask the kernel first."""
    try:
        os.close(libbpf.load_program(libbpf.PROG_TYPE_TRACEPOINT, "privilege", _RETURN_0))
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            raise KernelError(
                "loading eBPF programs is not permitted: run as root (sudo copy-exporter …); "
                "a container needs CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN"
            ) from None
        raise KernelError(f"this kernel loads no eBPF program: {error.strerror}") from None


_RETURN_0 = _INSTRUCTION.pack(0xB7, 0, 0, 0) + _INSTRUCTION.pack(0x95, 0, 0, 0)


def main() -> None:
    """``python -m exporter.loader SOCKET ORDER``."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    try:
        _require_privilege()
        report, descriptors = load(LoaderOrder.model_validate_json(sys.argv[2]))
    except CopyExporterError as error:
        report, descriptors = LoaderReport(error=str(error)), []
    send(channel, report, descriptors)
    os._exit(0)  # BCC would detach everything on its way out


if __name__ == "__main__":
    main()
