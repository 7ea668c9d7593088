"""The kernel's own functions of the system calls that move data, by the names that its macros give them."""

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.kernel.btf import Btf, UnknownToBtfError
from exporter.model import Operation

_NATIVE = ("__x64_sys_", "__arm64_sys_")
_COMPAT = (
    "__ia32_compat_sys_ia32_",
    "__ia32_sys_ia32_",
    "__ia32_compat_sys_",
    "__ia32_sys_",
    "__arm64_compat_sys_aarch32_",
    "__arm64_compat_sys_",
)
"""In order of preference: where a call has several functions, the table of 32-bit programs has the first of them."""
_COMPAT_NAMES = {
    Operation.SENDFILE: ("sendfile", "sendfile64"),
    Operation.SENDTO: ("sendto", "send"),
    Operation.RECVFROM: ("recvfrom", "recv"),
    Operation.RECVMMSG: ("recvmmsg", "recvmmsg_time32", "recvmmsg_time64"),
    Operation.MQ_TIMEDSEND: ("mq_timedsend", "mq_timedsend_time32"),
    Operation.MQ_TIMEDRECEIVE: ("mq_timedreceive", "mq_timedreceive_time32"),
    Operation.NONE: ("socketcall",),
}
"""Functions that are not named like the operation (arch/x86/entry/syscalls/syscall_32.tbl, arch/arm/tools/syscall.tbl).
``NONE`` stands for what the arguments decide."""
_NATIVE_NAMES = {Operation.SENDFILE: ("sendfile64",)}
_SHARED_ON_ARM64 = (("__arm64_sys_send", Operation.SENDTO),)
"""32-bit programs call these as they are, like most native functions of arm64."""


@dataclass(frozen=True)
class SyscallFunction:
    """The function of one system call. Its argument is the registers of the task."""

    name: str
    operation: Operation
    compat: bool
    """Whether it is for 32-bit programs."""

    @property
    def constants(self) -> dict[str, int]:
        """The numbers that the loader puts into the program of this function."""
        return {"operation": self.operation, "compat": self.compat}


def syscall_functions(btf: Btf) -> list[SyscallFunction]:
    """The functions that this kernel has, for 64-bit and 32-bit programs (SYSCALL_DEFINEx, asm/syscall_wrapper.h)."""
    return [*_native(btf), *_compat(btf)]


def any_syscall_function(btf: Btf) -> str:
    """The name of one of them; empty when this kernel has none by these names."""
    return next((function.name for function in _native(btf)), "")


def all_syscall_functions(btf: Btf) -> list[str]:
    """Every function that may stand for such a call, for one program that decodes the number of the call itself."""
    others = [name for names in (*_COMPAT_NAMES.values(), *_NATIVE_NAMES.values()) for name in names]
    names = dict.fromkeys(
        [operation.name.lower() for operation in Operation if operation is not Operation.NONE] + others
    )
    return [prefix + name for prefix in (*_NATIVE, *_COMPAT) for name in names if _exists(btf, prefix + name)]


def _native(btf: Btf) -> Iterator[SyscallFunction]:
    for operation in Operation:
        for name in _NATIVE_NAMES.get(operation, (operation.name.lower(),)):
            if found := _first(btf, _NATIVE, name):
                yield SyscallFunction(found, operation, compat=False)
    for function, operation in _SHARED_ON_ARM64:
        if _exists(btf, function):
            yield SyscallFunction(function, operation, compat=False)


def _compat(btf: Btf) -> Iterator[SyscallFunction]:
    for operation in Operation:
        for name in _COMPAT_NAMES.get(operation, (operation.name.lower(),)):
            if found := _first(btf, _COMPAT, name):
                yield SyscallFunction(found, operation, compat=True)


def _first(btf: Btf, prefixes: tuple[str, ...], name: str) -> str:
    return next((prefix + name for prefix in prefixes if _exists(btf, prefix + name)), "")


def _exists(btf: Btf, function: str) -> bool:
    try:
        btf.function_id(function)
    except UnknownToBtfError:
        return False
    return True
