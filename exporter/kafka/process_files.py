"""Files of another process, by the paths that it uses: below its root directory, and from its working directory on.

Links inside of a container are followed inside of it: one to /etc/shadow is that of the container.
"""

import ctypes as ct
import errno
import os
import stat
from pathlib import PurePosixPath

from exporter.kernel import libc

_NR_OPENAT2 = 437  # on every architecture
_RESOLVE_IN_ROOT = 0x10
_FILE_BYTES = 1 << 20


class _OpenHow(ct.Structure):
    """``struct open_how`` (include/uapi/linux/openat2.h)."""

    _fields_ = [("flags", ct.c_uint64), ("mode", ct.c_uint64), ("resolve", ct.c_uint64)]


class ProcessFiles:
    """The files that a process sees. Every method raises :class:`OSError` when they cannot be had."""

    def __init__(self, procfs: str, pid: int) -> None:
        """Hold the root directory of the process open, until :meth:`close`."""
        self._directory = f"{procfs}/{pid}"
        self._root = os.open(f"{self._directory}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Let go of the root directory."""
        os.close(self._root)

    def read(self, path: str) -> str:
        """The text of a regular file of at most 1 MiB, in the encoding of Java's properties."""
        descriptor = self._open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            if status.st_size > _FILE_BYTES:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            return os.read(descriptor, _FILE_BYTES).decode("latin-1")
        finally:
            os.close(descriptor)

    def inode(self, path: str) -> int:
        """The inode number of a file or directory."""
        descriptor = self._open(path, os.O_PATH)
        try:
            return os.fstat(descriptor).st_ino
        finally:
            os.close(descriptor)

    def _open(self, path: str, flags: int) -> int:
        absolute = str(PurePosixPath(self._working_directory(), path))
        how = _OpenHow(flags=flags | os.O_CLOEXEC, resolve=_RESOLVE_IN_ROOT)
        return libc.call("syscall", _NR_OPENAT2, self._root, os.fsencode(absolute), ct.byref(how), ct.sizeof(how))

    def _working_directory(self) -> str:
        """As the process sees it: the kernel tells it from where we stand, or from the root of the container."""
        directory = PurePosixPath(os.readlink(f"{self._directory}/cwd"))
        root = PurePosixPath(os.readlink(f"{self._directory}/root"))
        return str("/" / directory.relative_to(root)) if directory.is_relative_to(root) else str(directory)
