"""Giving up privileges for good: user, groups, capabilities, and the way back to them (no_new_privs).

All of it applies to the calling thread: call it before another one is started.
"""

import os
import pwd
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from exporter.errors import KernelError, UsageError
from exporter.host import capabilities
from exporter.host.surroundings import forbid_tracing
from exporter.kernel import libc, scheduling

_CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h
_PR_SET_KEEPCAPS = 8  # include/uapi/linux/prctl.h
_PR_SET_NO_NEW_PRIVS = 38
_UID = re.compile("[0-9]{1,10}")


@dataclass(frozen=True)
class Account:
    """A user of the host to run as."""

    name: str
    uid: int
    gid: int


def find_user(name: str) -> Account:
    """The user with this name or number. Raises :class:`UsageError` when there is none."""
    try:
        entry = pwd.getpwuid(int(name)) if _UID.fullmatch(name) else pwd.getpwnam(name)
    except KeyError:
        raise UsageError(f"--user={name}: there is no such user; give the name of one in /etc/passwd") from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def is_root() -> bool:
    """Whether this process can become another user."""
    return os.geteuid() == 0


def drop(account: Account, keep: Collection[str] = ()) -> None:
    """Become ``account`` and keep only the capabilities ``keep``; a process that is not root keeps its user.

    Raises :class:`KernelError` when the kernel refuses.
    """
    try:
        if is_root():
            _leave_root(account, keep)
        capabilities.keep_only(keep)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1)
        forbid_tracing()
    except OSError as error:
        raise KernelError(
            f"cannot give up privileges for --user={account.name}: {os.strerror(error.errno or 0).lower()}; "
            "this requires CAP_SETUID, CAP_SETGID and CAP_SETPCAP beside the capabilities for eBPF"
        ) from None


def _leave_root(account: Account, keep: Collection[str]) -> None:
    scheduling.permit()
    capabilities.limit_bounding_set(keep)
    libc.prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)


def leave_network() -> None:
    """Move into an empty network namespace; without CAP_SYS_ADMIN the process stays where it is."""
    with suppress(OSError):
        libc.call("unshare", _CLONE_NEWNET)


def works_after_drop(account: Account, action: Callable[[], object]) -> bool:
    """Whether ``action`` succeeds (no :class:`OSError`) without any privilege: tried in a child process."""
    child = os.fork()
    if child == 0:
        try:
            drop(account)
        except BaseException:  # the child must not return from here, whatever happens
            os._exit(0)  # the parent's own attempt will report the reason
        try:
            action()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0
