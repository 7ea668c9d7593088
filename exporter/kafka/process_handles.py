"""What only CAP_SYS_PTRACE opens of another process. Nothing here interprets what that process wrote."""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from exporter.host.credentials import Credentials, parse_credentials
from exporter.kernel import libc

_SOCKET = re.compile(r"socket:\[([0-9]+)\]")
_MAX_COMMAND_LINE_BYTES = 1 << 21
_MAX_STATUS_BYTES = 1 << 20
_JAR = re.compile(r"/kafka[^/]*\.jar$")
_LOCK = "/.lock"
_MAX_LOCKS = 100
_SET_ID = stat.S_ISUID | stat.S_ISGID


@dataclass(frozen=True)
class ProcessHandles:
    """Open for reading with fewer rights. The descriptors are closed when this process exits."""

    command_line: bytes
    """Its arguments, each with a zero byte at the end."""
    credentials: Credentials
    root: int
    """Its root directory, an O_PATH descriptor."""
    root_path: str
    working_directory: str
    """As the kernel shows it: from our root directory, or, in another mount namespace, from that of the process."""
    sockets: frozenset[int]
    """Inode numbers of its sockets."""
    locks: tuple[str, ...]
    """Paths of its open files named ``.lock``: Kafka has one open in each log directory."""
    jars: tuple[str, ...]
    """Paths of its open jars whose names begin with ``kafka``."""
    executable: str
    tables: tuple[int, ...]
    """Its /proc/PID/net/tcp and tcp6."""
    mounts: int
    """Its /proc/PID/mountinfo."""


def open_handles(procfs: str, pid: int) -> ProcessHandles:
    """Open what belongs to a process. Raises :class:`OSError`.

    All of it is of one process, whichever gets the same id meanwhile: its directory in /proc is opened once. Changes
    the user by whom the kernel decides on files. A program with the set-user-id bit is refused: its user chose its
    arguments, but has not its rights.
    """
    process = os.open(f"{procfs}/{pid}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    links = _links(process)
    handles = ProcessHandles(
        command_line=_read(process, "cmdline", _MAX_COMMAND_LINE_BYTES),
        credentials=parse_credentials(_read_whole(process, "status", _MAX_STATUS_BYTES).decode()),
        root=os.open("root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=process),
        root_path=os.readlink("root", dir_fd=process),
        working_directory=os.readlink("cwd", dir_fd=process),
        sockets=frozenset(int(match[1]) for link in links if (match := _SOCKET.fullmatch(link))),
        locks=tuple(link for link in links if link.endswith(_LOCK))[:_MAX_LOCKS],
        jars=tuple(link for link in links if _JAR.search(link))[:_MAX_LOCKS],
        executable=os.readlink("exe", dir_fd=process),
        tables=tuple(_tables(process)),
        mounts=os.open("mountinfo", os.O_RDONLY | os.O_CLOEXEC, dir_fd=process),
    )
    if os.stat("exe", dir_fd=process).st_mode & _SET_ID:
        raise OSError(errno.EINVAL, "a program with the set-user-id bit")
    return handles


def _tables(process: int) -> Iterator[int]:
    for name in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):  # a kernel without IPv6
            yield os.open(f"net/{name}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)


def _links(process: int) -> list[str]:
    """What its descriptors are of: the paths of files, the inode numbers of sockets."""
    # Only its owner may list this directory: the process's user, or root if the process must not be looked into.
    libc.call("setfsuid", os.stat("fd", dir_fd=process).st_uid)
    directory = os.open("fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=process)
    links = []
    for entry in os.listdir(directory):
        with suppress(FileNotFoundError):  # closed meanwhile
            links.append(os.readlink(entry, dir_fd=directory))
    return links


def _read_whole(process: int, name: str, max_bytes: int) -> bytes:
    """A part would be wrong: a process can have 65,536 groups, and a part of a number is another group's."""
    content = _read(process, name, max_bytes)
    if len(content) == max_bytes:
        raise OSError(errno.EFBIG, f"its {name} is too long")
    return content


def _read(process: int, name: str, max_bytes: int) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)
    content = bytearray()
    try:
        while part := os.read(descriptor, max_bytes - len(content)):
            content += part
    finally:
        os.close(descriptor)
    return bytes(content)
