"""Compiling the probes with BCC: run by the loader alone, the only process that imports bcc."""

import os
import platform
import struct
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.errors import KernelError
from exporter.kernel.btf import Btf
from exporter.loading.kernel_constants import COMMON, Abilities, abilities, defines, machine_facts
from exporter.loading.probes import Probe
from exporter.loading.source import c_source, probes_directory
from exporter.model import DEFAULT_SAMPLING_RATE

_KERNEL_FUNCTIONS = {
    0x7FFFFF01: "bpf_rdonly_cast",
    0x7FFFFF03: "bpf_session_cookie",
    0x7FFFFF04: "bpf_session_is_return",
}
"""What stands in our C for functions of the kernel, as ``KFUNC_RDONLY_CAST`` and so on."""
_CALL = 0x85
_PSEUDO_KFUNC_CALL = 2
_KERNEL_VARIABLE = 0x1_7FFFFF02
_LOAD_64 = 0x18
_PSEUDO_BTF_ID = 3
INSTRUCTION = struct.Struct("<BBhi")


class NotCompiledError(LookupError):
    """A program that this kernel has no use for, and that was left out."""


@dataclass
class Compiled:
    """The probes as BCC compiled them, for the kernel whose facts were asked."""

    bpf: Any
    btf: Btf
    able: Abilities

    preempt_count: int
    """BTF number of the kernel's variable; 0 where it has none."""
    sampling_rate: int
    """Samples a second and CPU, for what is attached to a clock."""

    def code(self, program: str) -> bytes:
        """The instructions of a program, with the kernel's functions and variables put in: BCC cannot name them.

        Raises :class:`NotCompiledError`, or :class:`UnknownToBtfError` when the kernel has no such function.
        """
        try:
            code = bytearray(self.bpf.dump_func(program.encode()))
        except Exception:  # BCC's own, without a type
            raise NotCompiledError(f"{program} is for other kernels") from None
        for position in range(0, len(code), INSTRUCTION.size):
            opcode, registers, offset, immediate = INSTRUCTION.unpack_from(code, position)
            if opcode == _CALL and immediate in _KERNEL_FUNCTIONS:
                number = self.btf.function_id(_KERNEL_FUNCTIONS[immediate])
                INSTRUCTION.pack_into(code, position, opcode, _PSEUDO_KFUNC_CALL << 4, offset, number)
            elif opcode == _LOAD_64 and immediate == _KERNEL_VARIABLE & 0xFFFFFFFF:
                INSTRUCTION.pack_into(code, position, opcode, registers | _PSEUDO_BTF_ID << 4, 0, self.preempt_count)
                INSTRUCTION.pack_into(code, position + INSTRUCTION.size, 0, 0, 0, 0)
        return bytes(code)


def compile_probes(
    btf: Btf, probes: tuple[Probe, ...], sizes: Mapping[str, int], sampling_rate: int = DEFAULT_SAMPLING_RATE
) -> Compiled:
    """Compile the C of these probes, with the ``sizes`` of its maps; :class:`KernelError` when BCC cannot."""
    able = abilities(btf)
    facts = (*COMMON, *machine_facts(), *(fact for probe in probes for fact in probe.facts))
    values = {**defines(btf, facts), **sizes}
    values |= {name.replace("bpf", "kfunc").upper(): number for number, name in _KERNEL_FUNCTIONS.items()}
    values["KERNEL_VARIABLE"] = _KERNEL_VARIABLE
    switches = [name for name, on in (("HAVE_TASK_BTF", able.typed_task), ("HAVE_RDONLY_CAST", able.rdonly_cast)) if on]
    flags = [f"-D{name}={value}" for name, value in values.items()] + [f"-D{name}" for name in switches]
    bcc = _bcc()
    try:
        bpf = bcc.BPF(text=c_source(probes).encode(), cflags=[*_include_flags(), *flags])
    except Exception as error:  # BCC raises plain exceptions; what clang said is on standard error
        raise KernelError(f"BCC cannot compile the probes: {error}") from error
    return Compiled(bpf, btf, able, int(values.get("VARIABLE___preempt_count", 0)), sampling_rate)


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
