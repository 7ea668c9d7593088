"""What the process may do: using what it was given at its start, and giving it up for good.

User, groups, capabilities, the bounding set, and the way back (no_new_privs). For the calling thread: to be called
before any other is started. Numbers from include/uapi/linux/capability.h; docs/privileges.md tells what each is for.
"""

import ctypes as ct
import os
import pwd
import re
import struct
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, takewhile
from typing import NamedTuple

from exporter.errors import KernelError, UsageError
from exporter.kernel import scheduling

CAPABILITIES = {
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_KILL": 5,
    "CAP_NET_ADMIN": 12,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
}
"""Those that may be kept, by name."""

LOADING = frozenset({"CAP_BPF", "CAP_PERFMON"})
"""What loading the probes takes; CAP_SYS_ADMIN has both in it."""

_LIBC = ct.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_SETPCAP = 8
_VERSION_3 = 0x20080522
_DATA = struct.Struct("=6I")
"""Effective, permitted, inheritable: the lower halves, then the upper."""
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_SET_KEEPCAPS = 8
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_UID = re.compile("[0-9]{1,10}")


@dataclass(frozen=True)
class Account:
    """A user of the host, to become."""

    name: str
    uid: int
    gid: int


class _Sets(NamedTuple):
    """Sets of capabilities of a thread, as masks."""

    effective: int
    permitted: int
    inheritable: int


def find_user(name: str) -> Account:
    """The user with this name or number; :class:`UsageError` when there is none."""
    try:
        entry = pwd.getpwuid(int(name)) if _UID.fullmatch(name) else pwd.getpwnam(name)
    except KeyError:
        raise UsageError(f"--user={name}: there is no such user; name one of /etc/passwd") from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def is_root() -> bool:
    """Whether this is a user who can become another."""
    return os.geteuid() == 0


def held() -> frozenset[str]:
    """Those of :data:`CAPABILITIES` that are in effect."""
    mask = _capget().effective
    return frozenset(name for name, number in CAPABILITIES.items() if mask >> number & 1)


def can_load() -> bool:
    """Whether the probes can be loaded."""
    return held() >= LOADING or "CAP_SYS_ADMIN" in held()


def raise_permitted() -> None:
    """Put all that is permitted into effect: capabilities of a program's file (setcap) are only permitted at first."""
    now = _capget()
    if now.permitted != now.effective and not _capset(now.permitted, now.inheritable):
        raise _stuck("capset", ct.get_errno())


def drop(account: Account, keep: Iterable[str] = ()) -> None:
    """Become ``account`` with no capability but ``keep``, for good; who is not root stays who they are."""
    names = tuple(keep)
    kept = [CAPABILITIES[name] for name in names]
    if is_root():
        _leave_root(account, kept)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    _set_capabilities(names)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _leave_root(account: Account, kept: Collection[int]) -> None:
    scheduling.permit()
    for capability in _known_capabilities():
        if capability not in kept and capability != _SETPCAP:
            _prctl(_PR_CAPBSET_DROP, capability)
    _prctl(_PR_CAPBSET_DROP, _SETPCAP)
    _prctl(_PR_SET_KEEPCAPS, 1)
    try:
        os.setgroups([])
        os.setresgid(account.gid, account.gid, account.gid)
        os.setresuid(account.uid, account.uid, account.uid)
    except OSError as error:
        raise _stuck(f"--user={account.name}", error.errno) from None


def leave_network() -> None:
    """Move into a network namespace in which there is nothing; who may not (no CAP_SYS_ADMIN) stays where they are."""
    _LIBC.unshare(_CLONE_NEWNET)


def works_after_drop(account: Account, action: Callable[[], object]) -> bool:
    """Try in a child process whether ``action`` still works without any privilege (no :class:`OSError`)."""
    child = os.fork()
    if child == 0:
        try:
            drop(account)
        except BaseException:  # the child must not return from here, whatever happens
            os._exit(0)  # the parent's own attempt will say why
        try:
            action()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def _set_capabilities(names: Collection[str]) -> None:
    if not _capset(sum(1 << CAPABILITIES[name] for name in set(names)), 0):
        raise KernelError(
            f"--capabilities.keep={','.join(names) or 'none'}: {os.strerror(ct.get_errno()).lower()}; "
            "only what copy-exporter was started with can be kept"
        )


def _capset(permitted: int, inheritable: int) -> bool:
    """Set what is permitted, all of it in effect; False with ``errno`` when that is refused."""
    header = struct.pack("=Ii", _VERSION_3, 0)
    words = [(mask & 0xFFFFFFFF, mask >> 32) for mask in (permitted, permitted, inheritable)]  # the first: effective
    data = _DATA.pack(*(low for low, _ in words), *(high for _, high in words))
    return bool(_LIBC.capset(header, data) == 0)


def _capget() -> _Sets:
    """The capabilities of this thread: of the kernel itself, as /proc may be missing."""
    header, data = ct.create_string_buffer(struct.pack("=Ii", _VERSION_3, 0)), ct.create_string_buffer(_DATA.size)
    if _LIBC.capget(header, data) != 0:
        raise _stuck("capget", ct.get_errno())
    words = _DATA.unpack(data.raw)
    return _Sets(*(low | high << 32 for low, high in zip(words[:3], words[3:], strict=True)))


def _known_capabilities() -> Iterator[int]:
    """The numbers of those that this kernel has."""
    return takewhile(lambda capability: _LIBC.prctl(_PR_CAPBSET_READ, ct.c_ulong(capability), 0, 0, 0) >= 0, count())


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, ct.c_ulong(value), 0, 0, 0) != 0:
        raise _stuck(f"prctl {option}", ct.get_errno())


def _stuck(call: str, number: int | None) -> KernelError:
    return KernelError(
        f"privileges cannot be given up ({call}): {os.strerror(number or 0).lower()}; "
        "beside those for eBPF this takes CAP_SETUID, CAP_SETGID and CAP_SETPCAP"
    )
