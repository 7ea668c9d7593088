"""The kernel's own functions of the system calls that move data, by the names that its macros give them."""

from exporter.kernel.btf import Btf, UnknownToBtfError
from exporter.model import Operation

_PREFIXES = ("__x64_sys_", "__ia32_sys_", "__ia32_sys_ia32_", "__ia32_compat_sys_", "__ia32_compat_sys_ia32_")
_PREFIXES_ARM64 = ("__arm64_sys_", "__arm64_compat_sys_", "__arm64_compat_sys_aarch32_")
_OTHER_NAMES = ("sendfile64", "recvmmsg_time32", "recvmmsg_time64", "socketcall", "send", "recv")
"""Functions that are not named like a system call (arch/x86/entry/syscalls/syscall_32.tbl)."""


def syscall_functions(btf: Btf) -> list[str]:
    """The functions that this kernel has, for 64-bit and 32-bit programs (SYSCALL_DEFINEx, asm/syscall_wrapper.h)."""
    names = [operation.name.lower() for operation in Operation if operation is not Operation.NONE] + list(_OTHER_NAMES)
    candidates = (prefix + name for prefix in (*_PREFIXES, *_PREFIXES_ARM64) for name in names)
    return [function for function in candidates if _exists(btf, function)]


def _exists(btf: Btf, function: str) -> bool:
    try:
        btf.function_id(function)
    except UnknownToBtfError:
        return False
    return True
