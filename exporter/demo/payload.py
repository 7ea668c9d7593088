"""The file that is sent. Its bytes are random, so that no file system can compress them."""

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from exporter.demo.options import format_size
from exporter.demo.pagecache import drop
from exporter.errors import CopyExporterError, UsageError

_BLOCK_BYTES = 1 << 20
_IN_MEMORY = ("tmpfs", "ramfs")


class Payload:
    """A file without a name (O_TMPFILE, or unlinked at once), which the kernel removes when this process ends.

    A context manager.
    """

    def __init__(self, directory: Path, size: int) -> None:
        """Create an empty file. Raises :class:`CopyExporterError` if ``size`` bytes do not fit."""
        self.size = size
        self.file_system = file_system_of(directory, os.fsdecode(Path("/proc/self/mountinfo").read_bytes()))
        self._directory = directory
        try:
            status = os.statvfs(directory)
            free = status.f_bavail * status.f_frsize
            if free < size:
                raise UsageError(
                    f"--size={format_size(size)} does not fit into {directory}; it must be at most {free >> 20}MiB"
                )
            self._file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115  # closed in __exit__
        except OSError as error:
            raise self._refused(error) from None

    @property
    def descriptor(self) -> int:
        """The file's descriptor, for the sender."""
        return self._file.fileno()

    @property
    def can_be_cold(self) -> bool:
        """Whether it can be dropped from the page cache: a file in memory cannot."""
        return self.file_system not in _IN_MEMORY

    def fill(self, done: Callable[[float], None]) -> None:
        """Write it to disk; calls ``done`` with the part that is written, from 0 to 1."""
        try:
            for offset in range(0, self.size, _BLOCK_BYTES):
                block = memoryview(os.urandom(min(_BLOCK_BYTES, self.size - offset)))
                while block:
                    block = block[os.write(self.descriptor, block) :]
                done((offset + _BLOCK_BYTES) / self.size)
            os.fsync(self.descriptor)
        except OSError as error:
            raise self._refused(error) from None

    def drop_cache(self) -> int:
        """Drop the file from the page cache; returns the bytes that stayed, mostly 0."""
        return drop(self.descriptor, self.size)

    def warm_cache(self) -> int:
        """Read all of the file into the page cache; returns its bytes."""
        buffer = bytearray(_BLOCK_BYTES)
        for offset in range(0, self.size, _BLOCK_BYTES):
            os.preadv(self.descriptor, [buffer], offset)
        return self.size

    def _refused(self, error: OSError) -> CopyExporterError:
        reason = "no space left" if error.errno == errno.ENOSPC else error.strerror
        return CopyExporterError(
            f"the demo cannot create a file of {format_size(self.size)} in {self._directory}: {reason}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._file.close()


def file_system_of(directory: Path, mountinfo: str) -> str:
    """The type of the file system of a directory; ``mountinfo`` as in proc_pid_mountinfo(5)."""
    place = directory.resolve()
    found = (0, "")
    for line in filter(None, mountinfo.split("\n")):
        fields, _, rest = line.partition(" - ")
        mount_point = Path(fields.split(" ")[4])
        if place.is_relative_to(mount_point) and len(mount_point.parts) >= found[0]:
            found = len(mount_point.parts), rest.split()[0]
    return found[1]
