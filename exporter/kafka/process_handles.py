"""What only CAP_SYS_PTRACE opens of another process. Nothing here interprets what that process wrote."""

import errno
import os
import re
import stat
from dataclasses import dataclass

from exporter.host.credentials import Credentials, parse_credentials
from exporter.kernel import libc

_SOCKET = re.compile(r"socket:\[([0-9]+)\]")
_MAX_COMMAND_LINE_BYTES = 1 << 21
_MAX_STATUS_BYTES = 1 << 16
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
    tables: tuple[int, ...]
    """Its /proc/PID/net/tcp and tcp6."""


def open_handles(procfs: str, pid: int) -> ProcessHandles:
    """Open what belongs to a process. Raises :class:`OSError`.

    Changes the user by whom the kernel decides on files. A program with the set-user-id bit is refused: its user chose
    its arguments, but has not its rights.
    """
    process = f"{procfs}/{pid}"
    root = os.open(f"{process}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    handles = ProcessHandles(
        command_line=_read(f"{process}/cmdline", _MAX_COMMAND_LINE_BYTES),
        credentials=parse_credentials(_read(f"{process}/status", _MAX_STATUS_BYTES).decode()),
        root=root,
        root_path=os.readlink(f"{process}/root"),
        working_directory=os.readlink(f"{process}/cwd"),
        sockets=_sockets(process),
        tables=tuple(os.open(f"{process}/net/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in _tables(process)),
    )
    if os.stat(f"{process}/exe").st_mode & _SET_ID:
        raise OSError(errno.EINVAL, "a program with the set-user-id bit")
    return handles


def _tables(process: str) -> list[str]:
    return [name for name in ("tcp", "tcp6") if os.path.exists(f"{process}/net/{name}")]


def _sockets(process: str) -> frozenset[int]:
    # Only its owner may list this directory: the process's user, or root if the process must not be looked into.
    libc.call("setfsuid", os.stat(f"{process}/fd").st_uid)
    inodes = set()
    for entry in os.listdir(f"{process}/fd"):
        try:
            match = _SOCKET.fullmatch(os.readlink(f"{process}/fd/{entry}"))
        except FileNotFoundError:  # closed meanwhile
            continue
        if match:
            inodes.add(int(match[1]))
    return frozenset(inodes)


def _read(path: str, max_bytes: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, max_bytes)
    finally:
        os.close(descriptor)
