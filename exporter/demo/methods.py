"""The methods to send a file: the calls that a server would make, and no others that the probes count.

They run in the sender (:mod:`exporter.demo.sender`). Each returns a note on its figures, or an empty string.
"""

import contextlib
import fcntl
import io
import mmap
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from exporter.demo.zerocopy import ZerocopySender

_F_SETPIPE_SZ = 1031
_PIPE_MIN = 64 << 10
_PIPE_MAX = 1 << 20  # /proc/sys/fs/pipe-max-size, unless it was changed
_KERNEL_COPIED = (
    "the kernel reports that it copied after all (SO_EE_CODE_ZEROCOPY_COPIED), as it always does on loopback"
)

Send = Callable[[memoryview], int]
Fill = Callable[[memoryview], int]


@dataclass(frozen=True)
class Transfer:
    """Send ``size`` bytes of ``file`` from its beginning over ``connection``, in calls of ``chunk`` bytes."""

    file: int
    connection: socket.socket
    size: int
    chunk: int


def read_write(transfer: Transfer) -> str:
    """Read into a buffer, and write from it."""
    out = transfer.connection.fileno()
    with _file(transfer) as file:
        _through_buffer(transfer, file.readinto, lambda view: os.write(out, view))
    return ""


def readv_writev(transfer: Transfer) -> str:
    """The same with two buffers per call."""
    out = transfer.connection.fileno()
    _through_buffer(
        transfer, lambda view: os.readv(transfer.file, _halves(view)), lambda view: os.writev(out, _halves(view))
    )
    return ""


def mmap_write(transfer: Transfer) -> str:
    """Write from the mapped page cache."""
    out = transfer.connection.fileno()
    for chunk in _mapped(transfer):
        _send_all(chunk, lambda view: os.write(out, view))
    return ""


def sendfile(transfer: Transfer) -> str:
    """Pass from file to socket inside the kernel."""
    out = transfer.connection.fileno()
    left = transfer.size
    while left:
        left -= _some(os.sendfile(out, transfer.file, None, min(transfer.chunk, left)))
    return ""


def splice(transfer: Transfer) -> str:
    """Pass from file to pipe, and from pipe to socket."""
    out = transfer.connection.fileno()
    with _pipe(transfer.chunk) as (outlet, inlet):
        left = transfer.size
        while left:
            inside = _some(os.splice(transfer.file, inlet, min(transfer.chunk, left)))
            left -= inside
            while inside:
                inside -= _some(os.splice(outlet, out, inside))
    return ""


def send_zerocopy(transfer: Transfer) -> str:
    """Send from the mapped page cache by reference; returns when the kernel no longer needs the pages."""
    sender = ZerocopySender(transfer.connection)
    for chunk in _mapped(transfer):
        _send_all(chunk, sender.send)
    sender.finish()
    return _KERNEL_COPIED if sender.copied else ""


def tls(transfer: Transfer) -> str:
    """Read into a buffer, which the TLS library encrypts and writes: the connection is one of :mod:`ssl`."""
    with _file(transfer) as file:
        _through_buffer(transfer, file.readinto, transfer.connection.send)
    return ""


@dataclass(frozen=True)
class Method:
    """A method and its name in the report."""

    name: str
    send: Callable[[Transfer], str]
    secure: bool = False
    """Whether the connection uses TLS."""


READ_WRITE = Method("read+write", read_write)
SENDFILE = Method("sendfile", sendfile)
TLS = Method("TLS in user space", tls, secure=True)
METHODS = (
    READ_WRITE,
    Method("readv+writev", readv_writev),
    Method("mmap+write", mmap_write),
    SENDFILE,
    Method("splice", splice),
    Method("send MSG_ZEROCOPY", send_zerocopy),
    TLS,
)


def _file(transfer: Transfer) -> io.FileIO:
    return io.FileIO(transfer.file, closefd=False)


def _through_buffer(transfer: Transfer, fill: Fill, send: Send) -> None:
    buffer = memoryview(bytearray(transfer.chunk))
    left = transfer.size
    while left:
        filled = _some(fill(buffer[: min(transfer.chunk, left)]))
        _send_all(buffer[:filled], send)
        left -= filled


def _send_all(view: memoryview, send: Send) -> None:
    while view:
        view = view[_some(send(view)) :]


def _some(moved: int) -> int:
    if not moved:
        raise EOFError("the file or the connection ended too early")
    return moved


def _halves(view: memoryview) -> list[memoryview]:
    middle = len(view) // 2
    return [view[:middle], view[middle:]]


def _mapped(transfer: Transfer) -> Iterator[memoryview]:
    view = memoryview(mmap.mmap(transfer.file, transfer.size, mmap.MAP_SHARED, mmap.PROT_READ))
    return (view[offset : offset + transfer.chunk] for offset in range(0, transfer.size, transfer.chunk))


@contextlib.contextmanager
def _pipe(size: int) -> Iterator[tuple[int, int]]:
    outlet, inlet = os.pipe()
    try:
        with contextlib.suppress(PermissionError):  # the user's pipes are too large: this one stays smaller
            fcntl.fcntl(inlet, _F_SETPIPE_SZ, min(max(size, _PIPE_MIN), _PIPE_MAX))
        yield outlet, inlet
    finally:
        os.close(outlet)
        os.close(inlet)
