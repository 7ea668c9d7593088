"""Sends with MSG_ZEROCOPY (Documentation/networking/msg_zerocopy.rst of the kernel)."""

import errno
import select
import socket
import struct

_SO_ZEROCOPY = 60
_MSG_ZEROCOPY = 0x4000000
_IP_RECVERR = (socket.SOL_IP, 11)
_EXTENDED_ERROR = struct.Struct("=IBBBBII")  # struct sock_extended_err of include/uapi/linux/errqueue.h
_ORIGIN_ZEROCOPY = 5
_CODE_COPIED = 1
_MAX_PENDING = 32
_TIMEOUT_MS = 30_000


class ZerocopySender:
    """Counts pending sends: the kernel reports on the socket's error queue which ones it has completed."""

    def __init__(self, connection: socket.socket) -> None:
        """``connection``: TCP over IPv4. Raises :class:`OSError` if the kernel has no SO_ZEROCOPY (before v4.14)."""
        connection.setsockopt(socket.SOL_SOCKET, _SO_ZEROCOPY, 1)
        self.copied = False
        """Whether the kernel copied data instead of passing it by reference."""
        self._connection = connection
        self._pending = 0
        self._errors = select.poll()
        self._errors.register(connection, 0)  # POLLERR is always reported

    def send(self, view: memoryview) -> int:
        """Send a part of ``view``; returns its bytes."""
        while True:
            try:
                sent = self._connection.send(view, _MSG_ZEROCOPY)
            except OSError as error:
                if error.errno != errno.ENOBUFS or not self._pending:
                    raise
                self._complete()  # too many notifications are pending (optmem_max)
                continue
            self._pending += 1
            if self._pending >= _MAX_PENDING:
                self._complete()
            return sent

    def finish(self) -> None:
        """Wait until no send is pending."""
        while self._pending:
            self._complete()

    def _complete(self) -> None:
        if not self._errors.poll(_TIMEOUT_MS):
            raise TimeoutError("the kernel has not completed a send with MSG_ZEROCOPY")
        _, ancillary, _, _ = self._connection.recvmsg(0, 512, socket.MSG_ERRQUEUE)
        for level, kind, data in ancillary:
            if (level, kind) != _IP_RECVERR:
                continue
            _, origin, _, code, _, first, last = _EXTENDED_ERROR.unpack_from(data)
            if origin == _ORIGIN_ZEROCOPY:
                self._pending -= last - first + 1
                self.copied |= code == _CODE_COPIED
