"""How the kernel preempts tasks inside itself, where that is chosen at boot (``preempt=``) or later (debugfs)."""

import struct

from exporter.kernel import libbpf
from exporter.kernel.kallsyms import variable_address

_MODES = ("none", "voluntary", "full", "lazy")
"""enum preempt_dynamic_mode of kernel/sched/core.c, since v5.12."""
_INSTRUCTION = struct.Struct("<BBhi")
_HELPER_PROBE_READ_KERNEL = 113


def load_mode_reader() -> int:
    """Load a program that reads the mode, and return its descriptor, which any process can run (:func:`read_mode`).

    Raises :class:`LookupError` when the kernel does not show where the mode is, and :class:`OSError` when it refuses
    the program.
    """
    address = variable_address("preempt_dynamic_mode")
    code = (
        _INSTRUCTION.pack(0xBF, 0xA1, 0, 0),  # r1 = r10
        _INSTRUCTION.pack(0x07, 0x01, 0, -8),  # r1 += -8
        _INSTRUCTION.pack(0xB7, 0x02, 0, 4),  # r2 = 4
        _INSTRUCTION.pack(0x18, 0x03, 0, _signed(address & 0xFFFFFFFF)),  # r3 = address
        _INSTRUCTION.pack(0, 0, 0, _signed(address >> 32)),
        _INSTRUCTION.pack(0x85, 0, 0, _HELPER_PROBE_READ_KERNEL),
        _INSTRUCTION.pack(0x55, 0x00, 1, 0),  # an error, which is no mode: return it
        _INSTRUCTION.pack(0x61, 0xA0, -8, 0),  # r0 = *(u32 *)(r10 - 8)
        _INSTRUCTION.pack(0x95, 0, 0, 0),
    )
    return libbpf.load_program(libbpf.PROG_TYPE_RAW_TRACEPOINT, "preemption_mode", b"".join(code))


def read_mode(program: int) -> str:
    """The mode at present: ``none``, ``voluntary``, ``full`` or ``lazy``; ``unknown`` if it is none of these."""
    mode = libbpf.run_program(program, 0)
    return _MODES[mode] if mode < len(_MODES) else "unknown"


def _signed(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word
