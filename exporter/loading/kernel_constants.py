"""What the probes have to know of the running kernel: by member, never by version. Each fact becomes a ``-D`` flag."""

import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from exporter.kernel.btf import Btf, UnknownToBtfError
from exporter.kernel.kallsyms import function_address, function_ranges, matching_ranges


@dataclass(frozen=True)
class Fact:
    """Something to look up in the kernel, mostly in its BTF."""

    name: str
    """Of the ``-D`` flag."""
    look_up: Callable[[Btf], int | str]
    """Its value; raises :class:`LookupError` when this kernel does not have it."""


def offset(structure: str, member: str, *paths: str) -> Fact:
    """``OFFSET_<struct>_<member>`` in bytes, of the first of ``paths`` (newest name first) that this kernel has."""

    def look_up(btf: Btf) -> int:
        for path in paths or (member,):
            try:
                return btf.offset(structure, path)
            except UnknownToBtfError as error:
                missing = error
        raise missing

    return Fact(f"OFFSET_{structure}_{member}", look_up)


def offsets(structure: str, *members: str) -> tuple[Fact, ...]:
    """The offsets of several members that have one name in all kernels."""
    return tuple(offset(structure, member) for member in members)


def type_id(structure: str) -> Fact:
    """``TYPE_<struct>``: its BTF id."""
    return Fact(f"TYPE_{structure}", lambda btf: btf.type_id(structure))


def size(structure: str) -> Fact:
    """``SIZE_<struct>`` in bytes."""
    return Fact(f"SIZE_{structure}", lambda btf: btf.size(structure))


def enumerator(enum: str, name: str) -> Fact:
    """``VALUE_<enumerator>``."""
    return Fact(f"VALUE_{name}", lambda btf: btf.enumerator(enum, name))


def argument(tracepoint: str, structure: str) -> Fact:
    """``ARGUMENT_<tracepoint>_<struct>``: the position, from 0, of the argument that points to the structure."""
    return Fact(
        f"ARGUMENT_{tracepoint}_{structure}",
        lambda btf: btf.tracepoint_argument(tracepoint, structure),
    )


def pointer_argument(tracepoint: str, position: int, meaning: str) -> Fact:
    """``ARGUMENT_<tracepoint>_<meaning>``: this position, when the argument there is a pointer, whatever to."""

    def look_up(btf: Btf) -> int:
        if position not in btf.tracepoint_pointers(tracepoint):
            raise UnknownToBtfError(f"{meaning} among the arguments of tracepoint {tracepoint}")
        return position

    return Fact(f"ARGUMENT_{tracepoint}_{meaning}", look_up)


def result(function: str) -> Fact:
    """``RETURN_<function>``: where fexit programs find the result, which is the number of arguments before it."""
    return Fact(f"RETURN_{function}", lambda btf: btf.parameters(function))


def variable(name: str) -> Fact:
    """``VARIABLE_<name>``: the BTF id of a per-CPU variable."""
    return Fact(f"VARIABLE_{name}", lambda btf: btf.variable_id(name))


def code_ranges(name: str, functions: Iterable[str]) -> Fact:
    """``name``: a ``WITHIN(start, end)`` for the addresses of each of these functions that this kernel has."""

    def look_up(_: Btf) -> str:
        ranges = function_ranges(tuple(functions))
        if not ranges:
            raise LookupError(f"the kernel has none of the functions that {name} lists")
        return " ".join(f"WITHIN({start:#x}, {end:#x})" for start, end in ranges)

    return Fact(name, look_up)


def matching_code_ranges(name: str, pattern: str) -> Fact:
    """The same for functions whose names match a pattern, also in modules; empty where there are none."""

    def look_up(_: Btf) -> str:
        return " ".join(f"WITHIN({start:#x}, {end:#x})" for start, end in matching_ranges(pattern))

    return Fact(name, look_up)


def address(function: str) -> Fact:
    """``ADDRESS_<function>``: where a function of the kernel begins; 0 where the kernel hides this."""

    def look_up(_: Btf) -> str:
        try:
            return f"{function_address(function):#x}ULL"
        except LookupError:
            return "0"

    return Fact(f"ADDRESS_{function}", look_up)


def optional(fact: Fact, *, absent: int) -> Fact:
    """The same, or ``absent`` in a kernel that does not have it."""

    def look_up(btf: Btf) -> int | str:
        try:
            return fact.look_up(btf)
        except UnknownToBtfError:
            return absent

    return Fact(fact.name, look_up)


COMMON: tuple[Fact, ...] = (
    # start_boottime was called real_start_time before cf25e24db61c (v5.5)
    *offsets("task_struct", "tgid", "pid", "group_leader", "start_boottime", "files", "flags", "comm"),
    offset("task_struct", "pending_signal", "pending.signal"),
    offset("files_struct", "fdt"),
    *offsets("fdtable", "max_fds", "fd"),
    *offsets("file", "f_inode", "f_mapping", "f_flags", "f_mode", "f_op", "private_data"),
    offset("file", "f_path_dentry", "f_path.dentry"),
    *offsets("dentry", "d_parent", "d_inode"),
    offset("dentry", "d_name_name", "d_name.name"),
    offset("file", "f_pos"),
    *offsets("file_operations", "remap_file_range", "copy_file_range"),
    *offsets("inode", "i_mode", "i_flags", "i_sb", "i_size", "i_mapping", "i_ino", "i_generation"),
    *offsets("super_block", "s_magic", "s_dev", "s_bdev", "s_blocksize"),
    *offsets("socket", "type", "sk", "ops"),
    *offsets("sock", "sk_type", "sk_protocol"),
    offset("sock", "sk_prot", "__sk_common.skc_prot"),
    offset("proto", "sendmsg"),
    offset("proto_ops", "splice_read"),
    optional(offset("proto_ops", "sendpage"), absent=-1),  # until dc97391e6610 (v6.5)
    offset("inet_connection_sock", "icsk_ulp_ops"),
    offset("tcp_ulp_ops", "name"),
    address("tcp_sendmsg"),
    address("tcp_splice_read"),
    offset("sock", "skc_family", "__sk_common.skc_family"),
    offset("sock", "skc_num", "__sk_common.skc_num"),
    # moved into __sk_common as skc_flags before our oldest kernel (v3.19)
    offset("sock", "sk_flags", "__sk_common.skc_flags"),
    offset("list_head", "next"),
    enumerator("sock_flags", "SOCK_ZEROCOPY"),
    optional(variable("tracepoint_srcu_srcu_data"), absent=0),
    type_id("list_head"),
    type_id("file"),
    type_id("socket"),
    type_id("inet_connection_sock"),
)
"""What the shared headers need: processes, and the way from a descriptor to its endpoint."""

BY_MACHINE: dict[str, tuple[Fact, ...]] = {
    "x86_64": (
        offset("task_struct", "thread_info_status", "thread_info.status"),
        *offsets("pt_regs", "orig_ax", "di", "si", "dx", "r10", "r8", "bx", "cx", "ax", "ip"),
        optional(variable("__preempt_count"), absent=0),
    ),
    "aarch64": (
        offset("task_struct", "thread_info_flags", "thread_info.flags"),
        offset("task_struct", "thread_info_preempt_count", "thread_info.preempt_count"),
        *offsets("pt_regs", "regs", "orig_x0", "syscallno", "pc"),
    ),
}


@dataclass(frozen=True)
class VerifierFeatures:
    """What the kernel's verifier supports. Without it the probes read in a slower way, with the same results."""

    typed_task: bool
    """``bpf_get_current_task_btf``: members of the task are read without a helper call."""
    rdonly_cast: int
    """BTF id of ``bpf_rdonly_cast``, which does the same for files, inodes and sockets; 0 where there is none."""


def verifier_features(btf: Btf) -> VerifierFeatures:
    """Look up the names that the commits of these features added."""
    return VerifierFeatures(
        typed_task=_has_enumerator(btf, "BPF_FUNC_get_current_task_btf"),
        rdonly_cast=_function(btf, "bpf_rdonly_cast"),
    )


def machine_facts() -> tuple[Fact, ...]:
    """What is to be known of the registers of this machine."""
    return BY_MACHINE.get(platform.machine(), ())


def defines(btf: Btf, facts: Iterable[Fact]) -> dict[str, int | str]:
    """Names and values of ``-D`` flags. Raises :class:`LookupError`, which names the first fact that is missing."""
    return {fact.name: fact.look_up(btf) for fact in facts}


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
