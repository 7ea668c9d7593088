"""Sending with MSG_ZEROCOPY: Documentation/networking/msg_zerocopy.rst of the kernel."""

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
_UNDER_WAY_MAX = 32
_PATIENCE_MS = 30_000


class ZerocopySender:
    """Counts what is under way: the kernel tells on the error queue which sends it has done with."""

    def __init__(self, connection: socket.socket) -> None:
        """Takes an IPv4 TCP socket. Raises :class:`OSError` when the kernel has no SO_ZEROCOPY (before v4.14)."""
        connection.setsockopt(socket.SOL_SOCKET, _SO_ZEROCOPY, 1)
        self.copied = False
        """The kernel copied some of it after all."""
        self._connection = connection
        self._under_way = 0
        self._errors = select.poll()
        self._errors.register(connection, 0)  # POLLERR comes unasked

    def send(self, view: memoryview) -> int:
        """How much of it the kernel took."""
        while True:
            try:
                sent = self._connection.send(view, _MSG_ZEROCOPY)
            except OSError as error:
                if error.errno != errno.ENOBUFS or not self._under_way:
                    raise
                self._complete()  # too many notifications are pending (optmem_max)
                continue
            self._under_way += 1
            if self._under_way >= _UNDER_WAY_MAX:
                self._complete()
            return sent

    def finish(self) -> None:
        """Wait until nothing is under way."""
        while self._under_way:
            self._complete()

    def _complete(self) -> None:
        if not self._errors.poll(_PATIENCE_MS):
            raise TimeoutError("the kernel does not complete MSG_ZEROCOPY")
        _, ancillary, _, _ = self._connection.recvmsg(0, 512, socket.MSG_ERRQUEUE)
        for level, kind, data in ancillary:
            if (level, kind) != _IP_RECVERR:
                continue
            _, origin, _, code, _, first, last = _EXTENDED_ERROR.unpack_from(data)
            if origin == _ORIGIN_ZEROCOPY:
                self._under_way -= last - first + 1
                self.copied |= code == _CODE_COPIED
