"""Compiling the probes: the C text, the ``-D`` flags, and BCC, which only the loader imports."""

import ctypes as ct
import os
import platform
import re
import struct
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exporter.errors import KernelError
from exporter.host.captured_errors import captured_errors
from exporter.kernel import file_systems, libbpf
from exporter.kernel.btf import Btf
from exporter.kernel.probe_maps import DROPPABLE_MAPS, MAPS
from exporter.loading.kernel_constants import COMMON, VerifierFeatures, defines, machine_facts, verifier_features
from exporter.loading.probes import Probe
from exporter.model import (
    BUCKET_FACTOR,
    DEFAULT_SAMPLING_RATE,
    DURATION_BUCKETS,
    FIRST_BUCKET_NS,
    CopyReason,
    Endpoint,
    FolderTransfer,
    Layout,
    Operation,
    Role,
    RowKind,
)

INSTRUCTION = struct.Struct("<BBhi")
RETURN_0 = INSTRUCTION.pack(0xB7, 0, 0, 0) + INSTRUCTION.pack(0x95, 0, 0, 0)
"""An empty program."""
_DEBIAN_BCC = Path("/usr/lib/python3/dist-packages/bcc")
_ENUMERATIONS = (Endpoint, RowKind, CopyReason, Operation, FolderTransfer, Role)
_INCLUDE = re.compile(r'#include "([^"]+)"')
_KERNEL_FUNCTIONS = {
    0x7FFFFF01: "bpf_rdonly_cast",
    0x7FFFFF03: "bpf_session_cookie",
    0x7FFFFF04: "bpf_session_is_return",
}
"""Numbers that the C has in place of kernel functions, as ``KFUNC_RDONLY_CAST`` and so on."""
_CALL = 0x85
_PSEUDO_KFUNC_CALL = 2
_KERNEL_VARIABLE = 0x1_7FFFFF02
_LOAD_64 = 0x18
_PSEUDO_BTF_ID = 3
_CONSTANTS = {"operation": 0x7FFFFF10, "compat": 0x7FFFFF11}
"""Numbers that the C has in place of what differs between loads of one program, as ``LOADED_OPERATION`` and so on."""


class NotCompiledError(LookupError):
    """A program that this kernel has no use for, and that was left out."""


@dataclass
class Compiled:
    """The probes as BCC compiled them for the running kernel."""

    bpf: Any
    btf: Btf
    features: VerifierFeatures
    preempt_count: int
    """BTF id of the kernel's variable; 0 where there is none."""
    sampling_rate: int
    """Samples per second per CPU, for probes that are attached to a clock."""
    _code: dict[str, bytes] = field(default_factory=dict)
    """The instructions of programs, before constants are put in."""

    def code(self, program: str, constants: Mapping[str, int] | None = None) -> bytes:
        """The instructions of a program, with the kernel's functions and variables put in, which BCC cannot name.

        ``constants``: what else is put in, by the names of :data:`_CONSTANTS`. Raises :class:`NotCompiledError`, or
        :class:`UnknownToBtfError` when the kernel has no such function.
        """
        if program not in self._code:
            self._code[program] = self._with_kernel_names(program)
        code = bytearray(self._code[program])
        for name, value in (constants or {}).items():
            placeholder = struct.pack("<i", _CONSTANTS[name])
            position = code.find(placeholder)
            while position >= 0:
                code[position : position + 4] = struct.pack("<i", value)
                position = code.find(placeholder, position)
        return bytes(code)

    def _with_kernel_names(self, program: str) -> bytes:
        try:
            code = bytearray(self.bpf.dump_func(program.encode()))
        except Exception:  # BCC raises plain exceptions
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

    def maps(self) -> dict[str, int]:
        """Descriptors, by name, of the maps that these probes have and the serving process may use.

        Read-only if it may only read the map, and this process may make such a descriptor.
        """
        descriptors = {}
        for name, spec in MAPS.items():
            if spec.access and _declares(self.bpf, name):
                descriptor = self.bpf[name.encode()].map_fd
                descriptors[name] = libbpf.read_only(descriptor) if spec.access == "read" else descriptor
        return descriptors


def compile_probes(
    btf: Btf,
    probes: tuple[Probe, ...],
    map_entries: Mapping[str, int] | None = None,
    sampling_rate: int = DEFAULT_SAMPLING_RATE,
    *,
    syscall_functions: bool = False,
) -> Compiled:
    """Compile the C of these probes; ``map_entries`` has the sizes of maps that are not the default.

    ``syscall_functions``: whether programs for the functions of system calls are among them.

    Raises :class:`LookupError` when this kernel lacks what the probes need to know of it, and :class:`KernelError` when
    BCC cannot compile or the C has other structures than :mod:`exporter.model`.
    """
    features = verifier_features(btf)
    facts = (*COMMON, *machine_facts(), *(fact for probe in probes for fact in probe.facts))
    values = {**defines(btf, facts), **_constants(map_entries or {})}
    switches = {
        "HAVE_TASK_BTF": features.typed_task,
        "HAVE_RDONLY_CAST": features.rdonly_cast,
        "USE_SYSCALL_FUNCTIONS": syscall_functions,
    }
    flags = [f"-D{name}={value}" for name, value in values.items()] + [
        f"-D{name}" for name, on in switches.items() if on
    ]
    bcc = _bcc()
    try:
        with captured_errors() as errors:
            bpf = bcc.BPF(text=c_text(probes).encode(), cflags=[*_include_flags(), *flags])
    except Exception as error:  # BCC raises plain exceptions
        raise KernelError(f"BCC cannot compile the probes: {_first_error(errors()) or error}") from error
    check_layouts(bpf)
    return Compiled(bpf, btf, features, int(values.get("VARIABLE___preempt_count", 0)), sampling_rate)


def c_text(probes: Iterable[Probe]) -> str:
    """The one buffer that BCC compiles: the enumerations of :mod:`exporter.model`, file systems, files of probes."""
    parts = [_enumeration(each.__name__, each.__members__) for each in _ENUMERATIONS]
    parts.append(_enumeration("Dropped", {name.upper(): index for index, name in enumerate(DROPPABLE_MAPS)}))
    parts += [_file_systems(name, set(table.values())) for name, table in file_systems.TABLES.items()]
    included: set[str] = set()
    parts += [_with_headers(source, included) for source in dict.fromkeys(probe.source for probe in probes)]
    return "\n".join(parts)


def check_layouts(bpf: Any) -> None:
    """Compare the structures in the maps with those of :mod:`exporter.model`: :class:`KernelError` if they differ."""
    for name, spec in MAPS.items():
        if _declares(bpf, name):
            table = bpf[name.encode()]
            for layout, part in ((spec.key, "Key"), (spec.value, "Leaf")):
                if layout and (difference := _difference(layout, getattr(table, part))):
                    raise KernelError(
                        f"struct {layout.name} in map {name}: {difference}; probes/types.h and exporter/model.py are "
                        "of different versions: install copy-exporter again"
                    )


def probes_directory() -> Path:
    """``probes/``: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "probes"
    return installed if installed.is_dir() else package.parent / "probes"


def _difference(layout: Layout, compiled: Any) -> str:
    expected = {member: (layout.part(member).size, layout.offset(member)) for member in layout.members}
    places = [(member, getattr(compiled, member)) for member, *_ in getattr(compiled, "_fields_", ())]
    found = {member: (place.size, place.offset) for member, place in places}
    for member in (*expected, *found):
        if expected.get(member) != found.get(member):
            return f"{member} is {_place(found.get(member))} in the C, but {_place(expected.get(member))} in Python"
    if layout.part().size != ct.sizeof(compiled):
        return f"it has {ct.sizeof(compiled)} bytes in the C, but {layout.part().size} in Python"
    return ""


def _place(size_and_offset: tuple[int, int] | None) -> str:
    return "{} bytes at offset {}".format(*size_and_offset) if size_and_offset else "missing"


def _declares(bpf: Any, name: str) -> bool:
    try:
        bpf[name.encode()]
    except KeyError:
        return False
    return True


def _constants(map_entries: Mapping[str, int]) -> dict[str, int]:
    """What the C knows from Python, as names and values of ``-D`` flags."""
    sized = [spec for spec in MAPS.values() if not spec.as_many_as]
    entries = {spec.entries_in_c: map_entries.get(spec.name, spec.entries) for spec in sized}
    functions = {name.replace("bpf", "kfunc").upper(): number for number, name in _KERNEL_FUNCTIONS.items()}
    return {
        **entries,
        **functions,
        **{f"LOADED_{name.upper()}": number for name, number in _CONSTANTS.items()},
        "KERNEL_VARIABLE": _KERNEL_VARIABLE,
        "FIRST_BUCKET_NS": FIRST_BUCKET_NS,
        "BUCKET_FACTOR": BUCKET_FACTOR,
        "DURATION_BUCKETS": DURATION_BUCKETS,
    }


def _with_headers(name: str, included: set[str]) -> str:
    """The text of a file, with each of our own headers in place of the first ``#include`` line that names it.

    BCC rewrites ``map.method()`` only in the main buffer, never in an included file. This way our headers can declare
    and use maps. A header that is included inside ``#if`` must not include others.
    """
    included.add(name)
    lines = [f'#line 1 "{name}"']
    for number, line in enumerate((probes_directory() / name).read_text().splitlines(), 1):
        include = _INCLUDE.fullmatch(line)
        if include and include[1] in included:
            lines.append("")
        elif include:
            lines += [_with_headers(include[1], included), f'#line {number + 1} "{name}"']
        else:
            lines.append(line)
    return "\n".join(lines)


def _enumeration(class_name: str, members: Mapping[str, int]) -> str:
    """``RowKind.DMA`` in Python is ``ROW_KIND_DMA`` of ``enum row_kind`` in C."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", class_name).lower()
    enumerators = ", ".join(f"{name.upper()}_{member} = {value:d}" for member, value in members.items())
    return f"enum {name} {{ {enumerators} }};"


def _file_systems(name: str, magic_numbers: Iterable[int]) -> str:
    """A list of the magic numbers, as ``PSEUDO_FILE_SYSTEMS(X)``."""
    return f"#define {name}_FILE_SYSTEMS(X) " + " ".join(f"X({number:#x})" for number in sorted(magic_numbers))


def _bcc() -> Any:
    os.environ["BCC_KERNEL_SOURCE"] = str(probes_directory())
    try:
        import bcc  # noqa: PLC0415  # after BCC_KERNEL_SOURCE is set, and only when it is installed
    except (ImportError, OSError) as error:  # OSError: its library
        raise KernelError(_import_problem(error)) from None
    if not bcc.__file__:
        raise KernelError(
            f"BCC's Python module is damaged ({next(iter(bcc.__path__), '')} has no __init__.py): "
            "apt-get install --reinstall python3-bpfcc"
        )
    if not hasattr(bcc, "BPF"):
        raise KernelError(
            f"{bcc.__file__} is not BCC but PyPI's unrelated package of that name: pip uninstall bcc, "
            "then apt-get install python3-bpfcc"
        )
    return bcc


def _import_problem(error: ImportError | OSError) -> str:
    if not isinstance(error, ModuleNotFoundError) or error.name != "bcc":
        return f"BCC's Python module cannot be loaded ({error}): apt-get install --reinstall python3-bpfcc"
    if _DEBIAN_BCC.exists():
        return (
            f"BCC is installed in {_DEBIAN_BCC.parent}, but {sys.executable} does not search there: "
            "make the environment with /usr/bin/python3 -m venv --system-site-packages, as make run does"
        )
    return "BCC's Python module is not installed: apt-get install python3-bpfcc"


def _first_error(text: str) -> str:
    """The first error of clang, which names the file and the line."""
    return next((line for line in text.split("\n") if "error: " in line), "")


def _include_flags() -> list[str]:
    architecture = sysconfig.get_config_var("MULTIARCH") or f"{platform.machine()}-linux-gnu"
    if not Path("/usr/include", architecture, "asm/unistd.h").exists():
        raise KernelError("the kernel's user-space headers are not installed: apt-get install linux-libc-dev")
    return ["-I/usr/include", f"-I/usr/include/{architecture}"]
