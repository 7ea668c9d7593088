"""Files of another process, by its own paths: below its root directory, relative to its working directory.

Symbolic links are resolved inside that root directory: a container's link to /etc/shadow is the container's file.
"""

import ctypes as ct
import errno
import os
import stat
from pathlib import PurePosixPath

from exporter.kernel import libc

_NR_OPENAT2 = 437  # on every architecture
_RESOLVE_IN_ROOT = 0x10
_MAX_FILE_BYTES = 1 << 20


class _OpenHow(ct.Structure):
    """``struct open_how`` (include/uapi/linux/openat2.h)."""

    _fields_ = [("flags", ct.c_uint64), ("mode", ct.c_uint64), ("resolve", ct.c_uint64)]


class ProcessFiles:
    """The files as a process sees them. Every method raises :class:`OSError` when they cannot be opened."""

    def __init__(self, procfs: str, pid: int) -> None:
        """Keep the root directory of the process open until :meth:`close`."""
        self._directory = f"{procfs}/{pid}"
        self._root = os.open(f"{self._directory}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Close the root directory."""
        os.close(self._root)

    def read(self, path: str) -> str:
        """The text of a regular file of at most 1 MiB, in the encoding of Java's properties (ISO 8859-1)."""
        descriptor = self._open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            if status.st_size > _MAX_FILE_BYTES:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            return os.read(descriptor, _MAX_FILE_BYTES).decode("latin-1")
        finally:
            os.close(descriptor)

    def find_inode(self, path: str) -> int:
        """The inode number of a file or directory."""
        descriptor = self._open(path, os.O_PATH)
        try:
            return os.fstat(descriptor).st_ino
        finally:
            os.close(descriptor)

    def _open(self, path: str, flags: int) -> int:
        absolute = _encode(str(PurePosixPath(self._working_directory(), path)))
        how = _OpenHow(flags=flags | os.O_CLOEXEC, resolve=_RESOLVE_IN_ROOT)
        return libc.call("syscall", _NR_OPENAT2, self._root, absolute, ct.byref(how), ct.sizeof(how))

    def _working_directory(self) -> str:
        """The working directory as the process sees it.

        The kernel shows it as a path from our root directory, or, in another mount namespace, from that of the process.
        """
        directory = PurePosixPath(os.readlink(f"{self._directory}/cwd"))
        root = PurePosixPath(os.readlink(f"{self._directory}/root"))
        return str("/" / directory.relative_to(root)) if directory.is_relative_to(root) else str(directory)


def _encode(path: str) -> bytes:
    """A configuration can have paths that no file has: with a lone surrogate or a zero byte."""
    try:
        encoded = os.fsencode(path)
    except UnicodeEncodeError:
        raise OSError(errno.EILSEQ, os.strerror(errno.EILSEQ)) from None
    if b"\0" in encoded:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return encoded
