"""The types of the running kernel, from its BTF (Documentation/bpf/btf.rst), read by libbpf."""

import ctypes as ct
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from exporter.errors import KernelError
from exporter.kernel.libbpf import library

VMLINUX = Path("/sys/kernel/btf/vmlinux")

_STRUCT, _UNION, _ENUM, _TYPEDEF, _FUNC, _FUNC_PROTO, _VAR = 4, 5, 6, 8, 12, 13, 14
_MODIFIERS = (8, 9, 10, 11, 18)  # typedef, volatile, const, restrict, type tag
_POINTER = 2
_HEADER = struct.Struct("=III")
_MEMBER = struct.Struct("=III")
_ENUMERATOR = struct.Struct("=Ii")
_PARAMETER = struct.Struct("=II")


class UnknownToBtfError(KeyError):
    """The structure, member, function or enumerator is not in this kernel."""

    def __str__(self) -> str:
        return f"this kernel's BTF has no {self.args[0]}"


@dataclass(frozen=True)
class _Type:
    kind: int
    size_or_type: int
    bitfields: bool
    entries: int
    address: int


def _unreadable() -> str:
    try:
        VMLINUX.open("rb").close()
    except OSError as error:
        return f"{VMLINUX} cannot be read ({(error.strerror or '').lower()}): run as root"
    return f"{VMLINUX} is empty or damaged: in a container, mount /sys of the host; else boot another kernel"


class Btf:
    """The types of the running kernel. Every method raises :class:`UnknownToBtfError` for a name that is not there."""

    def __init__(self) -> None:
        """Raise :class:`KernelError` when the kernel has no BTF."""
        if not VMLINUX.exists():
            raise KernelError(
                f"this kernel has no BTF ({VMLINUX} is missing): copy-exporter needs a kernel built with "
                "CONFIG_DEBUG_INFO_BTF=y, as distributions build theirs since 5.10"
            )
        self._library = library()
        self._btf = self._library.btf__load_vmlinux_btf()
        if not self._btf:
            raise KernelError(_unreadable())

    def type_id(self, name: str) -> int:
        """BTF id of a structure."""
        return self._find(name, _STRUCT, f"struct {name}")

    def function_id(self, name: str) -> int:
        """BTF id of a function."""
        return self._find(name, _FUNC, f"function {name}")

    def tracepoint_id(self, name: str) -> int:
        """BTF id of the type that programs with typed arguments on a tracepoint are loaded for."""
        return self._find(f"btf_trace_{name}", _TYPEDEF, f"tracepoint {name}")

    def size(self, name: str) -> int:
        """Size of a structure in bytes."""
        return int(self._library.btf__resolve_size(self._btf, self.type_id(name)))

    def offset(self, name: str, path: str) -> int:
        """Offset of a member in bytes. ``a.b`` is a member of a member; anonymous structures are searched too."""
        number, offset = self.type_id(name), 0
        for member in path.split("."):
            found = self._member(number, member)
            if found is None:
                raise UnknownToBtfError(f"{name}.{path}")
            offset, number = offset + found[0], found[1]
        return offset

    def enumerator(self, enum: str, name: str) -> int:
        """Value of an enumerator of a named enumeration."""
        kind = self._type(self._find(enum, _ENUM, f"enum {enum}"))
        for name_offset, value in _ENUMERATOR.iter_unpack(self._entries(kind, _ENUMERATOR)):
            if self._name(name_offset) == name:
                return int(value)
        raise UnknownToBtfError(f"{enum}.{name}")

    def tracepoint_argument(self, name: str, structure: str) -> int:
        """Position, from 0, of the argument of a tracepoint that points to a ``structure``."""
        wanted = self.type_id(structure)
        for position, target in self._tracepoint_pointers(name):
            if target == wanted:
                return position
        raise UnknownToBtfError(f"struct {structure} among the arguments of tracepoint {name}")

    def tracepoint_pointers(self, name: str) -> list[int]:
        """Positions, from 0, of the arguments of a tracepoint that are pointers."""
        return [position for position, _ in self._tracepoint_pointers(name)]

    def variable_id(self, name: str) -> int:
        """BTF id of a per-CPU variable."""
        return self._find(name, _VAR, f"variable {name}")

    def parameters(self, function: str) -> int:
        """Number of parameters of a function."""
        return self._type(self._type(self.function_id(function)).size_or_type).entries

    def _tracepoint_pointers(self, name: str) -> Iterator[tuple[int, int]]:
        """Position of each argument that is a pointer, and the BTF id of its target without modifiers."""
        pointer = self._type(self._type(self.tracepoint_id(name)).size_or_type)
        prototype = self._type(pointer.size_or_type)
        parameters = list(_PARAMETER.iter_unpack(self._entries(prototype, _PARAMETER)))
        for position, (_, number) in enumerate(parameters[1:]):  # the first is the context
            kind = self._type(self._resolve(number))
            if kind.kind == _POINTER:
                yield position, self._resolve(kind.size_or_type)

    def _find(self, name: str, kind: int, description: str) -> int:
        number = int(self._library.btf__find_by_name_kind(self._btf, name.encode(), kind))
        if number < 0:
            raise UnknownToBtfError(description)
        return number

    def _type(self, number: int) -> _Type:
        address = ct.cast(self._library.btf__type_by_id(self._btf, number), ct.c_void_p).value or 0
        _, info, size_or_type = _HEADER.unpack(ct.string_at(address, _HEADER.size))
        return _Type(info >> 24 & 0x1F, size_or_type, bool(info >> 31), info & 0xFFFF, address + _HEADER.size)

    def _entries(self, kind: _Type, entry: struct.Struct) -> bytes:
        return ct.string_at(kind.address, kind.entries * entry.size)

    def _name(self, offset: int) -> str:
        name: bytes = self._library.btf__name_by_offset(self._btf, offset)
        return name.decode()

    def _resolve(self, number: int) -> int:
        while (kind := self._type(number)).kind in _MODIFIERS:
            number = kind.size_or_type
        return number

    def _member(self, number: int, wanted: str) -> tuple[int, int] | None:
        kind = self._type(self._resolve(number))
        if kind.kind not in (_STRUCT, _UNION):
            return None
        for name_offset, member, bits in _MEMBER.iter_unpack(self._entries(kind, _MEMBER)):
            offset = (bits & 0xFFFFFF if kind.bitfields else bits) // 8
            name = self._name(name_offset)
            if name == wanted:
                return offset, member
            if not name and (inner := self._member(member, wanted)):
                return offset + inner[0], inner[1]
        return None
