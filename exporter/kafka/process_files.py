"""Files of another process, by its own paths: below its root directory, relative to its working directory.

Symbolic links are resolved inside that root directory: a container's link to /etc/shadow is the container's file.
"""

import ctypes as ct
import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import PurePosixPath
from typing import NamedTuple

from exporter.kafka.process_handles import ProcessHandles
from exporter.kernel import libc
from exporter.kernel.file_systems import is_overlay, is_pseudo
from exporter.model import FileId, kernel_device

_NR_OPENAT2 = 437  # on every architecture
_RESOLVE_IN_ROOT = 0x10
_MAX_FILE_BYTES = 1 << 20
_MAX_MOUNTS_BYTES = 8 << 20
_MAX_ENTRIES = 100_000
"""Of a directory that are looked at."""


class _OpenHow(ct.Structure):
    """``struct open_how`` (include/uapi/linux/openat2.h)."""

    _fields_ = [("flags", ct.c_uint64), ("mode", ct.c_uint64), ("resolve", ct.c_uint64)]


class Directory(NamedTuple):
    """A directory of another process."""

    file: FileId
    on_overlay: bool


class ProcessFiles:
    """The files as a process sees them. Every method raises :class:`OSError` when they cannot be opened."""

    def __init__(self, handles: ProcessHandles) -> None:
        """``handles``: those of the process."""
        self._root = handles.root
        self._root_path = handles.root_path
        self._directory = _inside_root(handles.working_directory, handles.root_path)
        self._devices = parse_devices(_read_text(handles.mounts, _MAX_MOUNTS_BYTES))

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

    def find_directory(self, path: str) -> Directory:
        """A directory."""
        found = self._find(path)
        try:
            return Directory(self._file_id(found), is_overlay(found))
        finally:
            os.close(found)

    def path_inside(self, path: str) -> str:
        """The path, as the process sees it, of a file that the kernel shows with this path."""
        return _inside_root(path, self._root_path)

    def find_links(self, path: str, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, FileId]]:
        """The symbolic links in a directory that have a wanted name, and what they lead to."""
        found = self._find(path)
        directory = os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        os.close(found)
        try:
            with os.scandir(directory) as entries:
                names = [entry.name for entry in islice(entries, _MAX_ENTRIES) if entry.is_symlink()]
        finally:
            os.close(directory)
        for name in filter(is_wanted, names):
            with suppress(OSError):  # it leads nowhere
                yield name, self.find_directory(f"{path}/{name}").file

    def _file_id(self, found: int) -> FileId:
        status = os.fstat(found)
        device = self._devices.get(_mount_id(found))
        if device is None:  # a mount outside of the root directory of the process
            device = kernel_device(os.major(status.st_dev), os.minor(status.st_dev))
        return FileId(device, status.st_ino)

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


def _mount_id(found: int) -> str:
    with open(f"/proc/self/fdinfo/{found}") as file:
        lines = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
    return lines.get("mnt_id", "")


def parse_devices(mountinfo: str) -> dict[str, int]:
    """The device of each mount, by the id of the mount.

    >>> parse_devices("36 35 98:7 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw")
    {'36': 102760455}
    """
    devices = {}
    for line in mountinfo.splitlines():
        mount, _, device, *_ = [*line.split(" ", 3), "", "", ""]
        major, _, minor = device.partition(":")
        if major.isdecimal() and minor.isdecimal():
            devices[mount] = kernel_device(int(major), int(minor))
    return devices


def _read_text(descriptor: int, max_bytes: int) -> str:
    chunks = []
    while max_bytes > 0 and (chunk := os.read(descriptor, min(max_bytes, 1 << 16))):
        chunks.append(chunk)
        max_bytes -= len(chunk)
    return b"".join(chunks).decode(errors="replace")


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
