"""Files of another process, by its own paths: below its root directory, relative to its working directory.

Symbolic links are resolved inside that root directory: a container's link to /etc/shadow is the container's file.
"""

import ctypes as ct
import errno
import os
import stat
from pathlib import PurePosixPath

from exporter.kafka.process_handles import ProcessHandles
from exporter.kernel import libc
from exporter.kernel.file_systems import is_pseudo

_NR_OPENAT2 = 437  # on every architecture
_RESOLVE_IN_ROOT = 0x10
_MAX_FILE_BYTES = 1 << 20


class _OpenHow(ct.Structure):
    """``struct open_how`` (include/uapi/linux/openat2.h)."""

    _fields_ = [("flags", ct.c_uint64), ("mode", ct.c_uint64), ("resolve", ct.c_uint64)]


class ProcessFiles:
    """The files as a process sees them. Every method raises :class:`OSError` when they cannot be opened."""

    def __init__(self, handles: ProcessHandles) -> None:
        """``handles``: those of the process."""
        self._root = handles.root
        self._root_path = handles.root_path
        self._directory = _inside_root(handles.working_directory, handles.root_path)

    def read(self, path: str) -> str:
        """The text of a regular file of at most 1 MiB, in the encoding of Java's properties (ISO 8859-1).

        Anything else is found out before it is opened: opening a device or a FIFO has effects, and so has reading a
        file of the kernel's own file systems.
        """
        found = self._find(path)
        try:
            status = os.fstat(found)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            if is_pseudo(found):
                raise OSError(errno.EINVAL, "a file of the kernel")
            if status.st_size > _MAX_FILE_BYTES:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            return _read(found)
        finally:
            os.close(found)

    def find_inode(self, path: str) -> int:
        """The inode number of a file or directory."""
        found = self._find(path)
        try:
            return os.fstat(found).st_ino
        finally:
            os.close(found)

    def path_inside(self, path: str) -> str:
        """The path, as the process sees it, of a file that the kernel shows with this path."""
        return _inside_root(path, self._root_path)

    def _find(self, path: str) -> int:
        """An O_PATH descriptor: the file itself is not opened."""
        absolute = _encode(str(PurePosixPath(self._directory, path)))
        how = _OpenHow(flags=os.O_PATH | os.O_CLOEXEC, resolve=_RESOLVE_IN_ROOT)
        return libc.call("syscall", _NR_OPENAT2, self._root, absolute, ct.byref(how), ct.sizeof(how))


def _read(found: int) -> str:
    descriptor = os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _MAX_FILE_BYTES).decode("latin-1")
    finally:
        os.close(descriptor)


def _inside_root(shown: str, root: str) -> str:
    path, top = PurePosixPath(shown), PurePosixPath(root)
    return str("/" / path.relative_to(top)) if path.is_relative_to(top) else str(path)


def _encode(path: str) -> bytes:
    """A configuration can have paths that no file has: with a lone surrogate or a zero byte."""
    try:
        encoded = os.fsencode(path)
    except UnicodeEncodeError:
        raise OSError(errno.EILSEQ, os.strerror(errno.EILSEQ)) from None
    if b"\0" in encoded:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return encoded
