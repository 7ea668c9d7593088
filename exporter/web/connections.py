"""Connections: how many, and how long each may take. Below HTTP and TLS, on sockets, where all of them are seen.

A connection is *waited for* until a whole request has come, also between two requests, and *served* until its answer is
out. When all places are taken, the one that has been waited for longest makes room: clients that hold connections open
cannot keep out one that asks at once.
"""

import contextlib
import logging
import socket
import time
from collections.abc import Callable
from typing import Any

_log = logging.getLogger(__name__)

REQUEST_SECONDS = 10.0
"""From the connection, or the first byte of a further request, to the end of its headers; TLS included."""
ANSWER_SECONDS = 60.0
"""From the request to the last byte of the answer that the client takes: more than any scrape_timeout in use."""
IDLE_SECONDS = 120.0
"""Between two requests: two scrape intervals of a minute."""
_LEAVING = 32


class Connection(socket.socket):
    """The connection of a client, until it is closed."""

    deadline = 0.0
    on_close: Callable[["Connection", int], None]
    """Is told the number that the descriptor had."""

    def close(self) -> None:
        """See :class:`socket.socket`."""
        number = self.fileno()
        super().close()
        if number >= 0:
            self.on_close(self, number)


class ConnectionLimiter:
    """All connections. For the thread of the event loop."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """``most``: connections at a time; ``clock`` in seconds."""
        self._most = most
        self._clock = clock
        self._waited_for: dict[Connection, None] = {}  # in the order of time
        self._served: dict[Connection, None] = {}
        self._leaving: set[Connection] = set()
        self._by_number: dict[int, Connection] = {}
        self.closed = 0
        """Connections that have been here."""

    def __len__(self) -> int:
        return len(self._waited_for) + len(self._served)

    def make_room(self) -> None:
        """Before a connection is accepted. Raises :class:`BlockingIOError` when first others have to be closed."""
        if len(self) < self._most or not self._waited_for:
            return
        if len(self._leaving) >= _LEAVING:
            raise BlockingIOError
        self.dismiss(next(iter(self._waited_for)))

    def admit(self, connection: socket.socket) -> Connection:
        """Take over a connection that was accepted; it is dismissed at once when there is no place."""
        guest = Connection(fileno=connection.detach())
        guest.on_close = self._forget
        self._by_number[guest.fileno()] = guest
        full = len(self) >= self._most
        self.wait_for(guest, REQUEST_SECONDS)
        if full:
            self.dismiss(guest)
        return guest

    def guest(self, number: int) -> Connection:
        """The open connection with this file descriptor."""
        return self._by_number[number]

    def wait_for(self, guest: Connection, seconds: float) -> None:
        """Something is to come from the client within ``seconds``."""
        self._move(guest, self._waited_for, seconds)

    def serve(self, guest: Connection) -> None:
        """A whole request has come: the answer is to be out within :data:`ANSWER_SECONDS`."""
        self._move(guest, self._served, ANSWER_SECONDS)

    def dismiss(self, guest: Connection) -> None:
        """Close for the client; the transport sees the end of the stream and closes for us."""
        self._waited_for.pop(guest, None)
        self._served.pop(guest, None)
        self._leaving.add(guest)
        with contextlib.suppress(OSError):  # the client was faster
            guest.shutdown(socket.SHUT_RDWR)

    def dismiss_late(self) -> None:
        """Close all connections that have taken too long."""
        now = self._clock()
        late = [guest for guest in (*self._waited_for, *self._served) if guest.deadline < now]
        for guest in late:
            self.dismiss(guest)
        if late:
            _log.debug("closed %d connections that took too long", len(late))

    def _move(self, guest: Connection, where: dict[Connection, None], seconds: float) -> None:
        if guest in self._leaving or guest.fileno() < 0:
            return
        guest.deadline = self._clock() + seconds
        self._waited_for.pop(guest, None)
        self._served.pop(guest, None)
        where[guest] = None

    def _forget(self, guest: Connection, number: int) -> None:
        del self._by_number[number]
        self.closed += 1
        self._waited_for.pop(guest, None)
        self._served.pop(guest, None)
        self._leaving.discard(guest)


class GuardedListener(socket.socket):
    """A listening socket whose connections come in by a :class:`ConnectionLimiter`."""

    door: ConnectionLimiter

    def accept(self) -> tuple[Connection, Any]:
        """See :class:`socket.socket`."""
        self.door.make_room()
        connection, address = super().accept()
        return self.door.admit(connection), address


def guard(listener: socket.socket, door: ConnectionLimiter) -> GuardedListener:
    """The same socket, guarded."""
    guarded = GuardedListener(fileno=listener.detach())
    guarded.door = door
    return guarded
