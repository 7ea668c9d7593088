"""User and groups of another process, and taking them on for good, without any capability."""

import errno
import os
import resource
from dataclasses import dataclass

from exporter.host import capabilities
from exporter.host.surroundings import forbid_tracing


@dataclass(frozen=True)
class Credentials:
    """What the kernel decides by whether a process may open a file, capabilities aside."""

    uid: int
    gid: int
    groups: tuple[int, ...]


def parse_credentials(status: str) -> Credentials:
    """From /proc/PID/status. Raises :class:`OSError` if the process runs with the rights of several users."""
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    uids, gids = set(fields["Uid"].split()), set(fields["Gid"].split())
    if len(uids) > 1 or len(gids) > 1:
        raise OSError(errno.EINVAL, "the process has the rights of several users")
    return Credentials(int(uids.pop()), int(gids.pop()), tuple(map(int, fields["Groups"].split())))


def become(credentials: Credentials) -> None:
    """Take on user and groups, give up every capability, and never write to a file again.

    Raises :class:`OSError` without CAP_SETUID and CAP_SETGID, unless the credentials are those of this process.
    """
    if not _has(credentials):
        os.setgroups(credentials.groups)
        os.setresgid(credentials.gid, credentials.gid, credentials.gid)
        os.setresuid(credentials.uid, credentials.uid, credentials.uid)
    capabilities.keep_only(())
    forbid_tracing()
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _has(credentials: Credentials) -> bool:
    same_user = os.getresuid() == (credentials.uid,) * 3 and os.getresgid() == (credentials.gid,) * 3
    return same_user and set(os.getgroups()) == set(credentials.groups)
