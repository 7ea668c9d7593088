"""What the probes have to know of the running kernel, asked of its BTF: by member, never by version."""

import platform
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from exporter.kernel.btf import Btf, UnknownToBtfError


class Fact(Protocol):
    """Something to be asked of the kernel, mostly of its BTF, that becomes one ``-D`` flag."""

    def define(self, btf: Btf) -> tuple[str, int | str]:
        """Name and value; raise :class:`LookupError` when this kernel does not have it."""
        ...


@dataclass(frozen=True)
class Offset:
    """``OFFSET_<struct>_<member>``, from the first of ``paths`` (newest name first) that this kernel has."""

    structure: str
    member: str
    paths: tuple[str, ...] = ()

    def define(self, btf: Btf) -> tuple[str, int]:
        """See :class:`Fact`."""
        for path in self.paths or (self.member,):
            try:
                return f"OFFSET_{self.structure}_{self.member}", btf.offset(self.structure, path)
            except UnknownToBtfError as error:
                missing = error
        raise missing


@dataclass(frozen=True)
class OffsetOr:
    """The same, or ``absent`` in a kernel without the member."""

    structure: str
    member: str
    absent: int

    def define(self, btf: Btf) -> tuple[str, int]:
        """See :class:`Fact`."""
        try:
            return Offset(self.structure, self.member).define(btf)
        except UnknownToBtfError:
            return f"OFFSET_{self.structure}_{self.member}", self.absent


@dataclass(frozen=True)
class TypeId:
    """``TYPE_<struct>``."""

    structure: str

    def define(self, btf: Btf) -> tuple[str, int]:
        """See :class:`Fact`."""
        return f"TYPE_{self.structure}", btf.type_id(self.structure)


@dataclass(frozen=True)
class Size:
    """``SIZE_<struct>`` in bytes."""

    structure: str

    def define(self, btf: Btf) -> tuple[str, int]:
        """See :class:`Fact`."""
        return f"SIZE_{self.structure}", btf.size(self.structure)


@dataclass(frozen=True)
class Value:
    """``VALUE_<enumerator>``."""

    enum: str
    name: str

    def define(self, btf: Btf) -> tuple[str, int]:
        """See :class:`Fact`."""
        return f"VALUE_{self.name}", btf.enumerator(self.enum, self.name)


@dataclass(frozen=True)
class Argument:
    """``ARGUMENT_<tracepoint>_<struct>``: which argument points to the structure."""

    tracepoint: str
    structure: str

    def define(self, btf: Btf) -> tuple[str, int]:
        """See :class:`Fact`."""
        return f"ARGUMENT_{self.tracepoint}_{self.structure}", btf.tracepoint_argument(self.tracepoint, self.structure)


@dataclass(frozen=True)
class ArgumentOr:
    """The same, or ``absent`` in a kernel where no argument does."""

    tracepoint: str
    structure: str
    absent: int

    def define(self, btf: Btf) -> tuple[str, int]:
        """See :class:`Fact`."""
        try:
            return Argument(self.tracepoint, self.structure).define(btf)
        except UnknownToBtfError:
            return f"ARGUMENT_{self.tracepoint}_{self.structure}", self.absent


@dataclass(frozen=True)
class PointerArgument:
    """Nothing to define, but that an argument of a tracepoint, counted from 0, is a pointer: called ``meaning``."""

    tracepoint: str
    position: int
    meaning: str

    def define(self, btf: Btf) -> tuple[str, int]:
        """See :class:`Fact`."""
        if self.position not in btf.tracepoint_pointers(self.tracepoint):
            raise UnknownToBtfError(f"{self.meaning} among the arguments of tracepoint {self.tracepoint}")
        return f"ARGUMENT_{self.tracepoint}_{self.meaning}", self.position


@dataclass(frozen=True)
class Either:
    """``name``: one value when the kernel's structure has a member, another when it has not."""

    name: str
    structure: str
    member: str
    present: int
    absent: int

    def define(self, btf: Btf) -> tuple[str, int]:
        """See :class:`Fact`."""
        try:
            btf.offset(self.structure, self.member)
        except UnknownToBtfError:
            return self.name, self.absent
        return self.name, self.present


@dataclass(frozen=True)
class ValueOr:
    """``VALUE_<enumerator>``, or ``absent`` in a kernel without it."""

    enum: str
    name: str
    absent: int

    def define(self, btf: Btf) -> tuple[str, int]:
        """See :class:`Fact`."""
        try:
            return Value(self.enum, self.name).define(btf)
        except UnknownToBtfError:
            return f"VALUE_{self.name}", self.absent


@dataclass(frozen=True)
class Variable:
    """``VARIABLE_<name>``: BTF number of a variable that each CPU has of its own; 0 in a kernel without it."""

    name: str

    def define(self, btf: Btf) -> tuple[str, int]:
        """See :class:`Fact`."""
        try:
            return f"VARIABLE_{self.name}", btf.variable_id(self.name)
        except UnknownToBtfError:
            return f"VARIABLE_{self.name}", 0


@dataclass(frozen=True)
class Return:
    """``RETURN_<function>``: where a program at the end of a function finds its result, behind the arguments."""

    function: str

    def define(self, btf: Btf) -> tuple[str, int]:
        """See :class:`Fact`."""
        try:
            return f"RETURN_{self.function}", btf.parameters(self.function)
        except UnknownToBtfError:  # then nothing is attached to it either
            return f"RETURN_{self.function}", 0


COMMON: tuple[Fact, ...] = (
    Offset("task_struct", "tgid"),
    Offset("task_struct", "group_leader"),
    # called real_start_time before cf25e24db61c (v5.5)
    Offset("task_struct", "start_boottime"),
    Offset("task_struct", "files"),
    Offset("task_struct", "pending_signal", ("pending.signal",)),
    Offset("files_struct", "fdt"),
    Offset("fdtable", "max_fds"),
    Offset("fdtable", "fd"),
    Offset("file", "f_inode"),
    Offset("file", "f_flags"),
    Offset("file", "f_mode"),
    Offset("file", "f_op"),
    Offset("file", "private_data"),
    Offset("file", "f_path_dentry", ("f_path.dentry",)),
    Offset("dentry", "d_parent"),
    Offset("dentry", "d_inode"),
    Offset("dentry", "d_name_name", ("d_name.name",)),
    Offset("file_operations", "remap_file_range"),
    Offset("inode", "i_mode"),
    Offset("inode", "i_sb"),
    Offset("inode", "i_ino"),
    Offset("inode", "i_generation"),
    Offset("super_block", "s_magic"),
    Offset("super_block", "s_dev"),
    Offset("socket", "type"),
    Offset("socket", "sk"),
    Offset("sock", "skc_family", ("__sk_common.skc_family",)),
    Offset("sock", "skc_num", ("__sk_common.skc_num",)),
    # moved into __sk_common as skc_flags before our oldest kernel (v3.19)
    Offset("sock", "sk_flags", ("__sk_common.skc_flags",)),
    Offset("list_head", "next"),
    Value("sock_flags", "SOCK_ZEROCOPY"),
    Variable("tracepoint_srcu_srcu_data"),
    TypeId("list_head"),
    TypeId("file"),
    TypeId("socket"),
)
"""What every probe may use, and the classification of descriptors needs."""

BY_MACHINE: dict[str, tuple[Fact, ...]] = {
    "x86_64": (
        Offset("task_struct", "thread_info_status", ("thread_info.status",)),
        *(Offset("pt_regs", register) for register in ("orig_ax", "di", "si", "dx", "r10", "bx", "cx", "ax", "ip")),
        Variable("__preempt_count"),
    ),
    "aarch64": (
        Offset("task_struct", "thread_info_flags", ("thread_info.flags",)),
        Offset("task_struct", "thread_info_preempt_count", ("thread_info.preempt_count",)),
        *(Offset("pt_regs", register) for register in ("regs", "orig_x0", "syscallno", "pc")),
    ),
}


@dataclass(frozen=True)
class Abilities:
    """What the kernel's verifier offers; each has a slower way that gives the same answers."""

    typed_task: bool
    """``bpf_get_current_task_btf``: the task's members are read without a helper call."""
    rdonly_cast: int
    """BTF number of ``bpf_rdonly_cast``, which does the same for what is behind descriptors; 0 where there is none."""


def abilities(btf: Btf) -> Abilities:
    """Ask for the features, by the names that their commits brought in."""
    return Abilities(
        typed_task=_has_enumerator(btf, "BPF_FUNC_get_current_task_btf"),
        rdonly_cast=_function(btf, "bpf_rdonly_cast"),
    )


def machine_facts() -> tuple[Fact, ...]:
    """The facts of this machine's registers."""
    return BY_MACHINE.get(platform.machine(), ())


def defines(btf: Btf, facts: Iterable[Fact]) -> dict[str, int | str]:
    """Names and values of ``-D`` flags; a :class:`LookupError` names the first fact that is missing."""
    return dict(fact.define(btf) for fact in facts)


def _has_enumerator(btf: Btf, name: str) -> bool:
    try:
        btf.enumerator("bpf_func_id", name)
    except UnknownToBtfError:
        return False
    return True


def _function(btf: Btf, name: str) -> int:
    try:
        return btf.function_id(name)
    except UnknownToBtfError:
        return 0
