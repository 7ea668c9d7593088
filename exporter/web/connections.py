"""Limits on the number and duration of connections, at the level of sockets: below TLS and HTTP, where all are seen.

The limiter is *reading a request* from a connection until a whole request has arrived, also between two requests, and
*answering* until the client has received the whole answer. When all places are taken, the connection that has been
without a whole request for the longest time is evicted: clients that hold connections open cannot keep out a client
that sends its request at once.
"""

import contextlib
import logging
import socket
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)

REQUEST_SECONDS = 10.0
"""From the connection, or the first byte of a further request, to the end of its headers; TLS included."""
ANSWER_SECONDS = 60.0
"""From the request until the client has received the whole answer: more than any scrape_timeout in use."""
IDLE_SECONDS = 120.0
"""Between two requests: two scrape intervals of a minute."""
STREAM_SECONDS = 10.0
"""From one event of a stream until the client has received the next, which comes each second."""
_STREAM_BUFFER_BYTES = 131072
_MAX_CLOSING = 32


class Connection(socket.socket):
    """A client's connection. It reports when it is closed."""

    deadline = 0.0
    on_close: Callable[["Connection", int], None]
    """Called with the number that the file descriptor had."""

    def close(self) -> None:
        """See :class:`socket.socket`."""
        number = self.fileno()
        super().close()
        if number >= 0:
            self.on_close(self, number)


class ConnectionLimiter:
    """All connections of the service. Only for the thread of the event loop."""

    def __init__(self, max_connections: int, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` returns seconds."""
        self._max_connections = max_connections
        self._clock = clock
        self._reading_request: dict[Connection, None] = {}  # oldest first
        self._answering: dict[Connection, None] = {}
        self._streaming: dict[Connection, None] = {}
        self._closing: set[Connection] = set()
        self._by_descriptor: dict[int, Connection] = {}
        self.closed = 0
        """Number of connections that have been closed."""

    def __len__(self) -> int:
        return len(self._reading_request) + len(self._answering)

    def evict_idle(self) -> None:
        """Make a place before a connection is accepted. Raises :class:`BlockingIOError` while too many are closing."""
        if len(self) < self._max_connections or not self._reading_request:
            return
        if len(self._closing) >= _MAX_CLOSING:
            raise BlockingIOError
        self.disconnect(next(iter(self._reading_request)))

    def add(self, accepted: socket.socket) -> Connection:
        """Take over an accepted socket. It is disconnected at once when there is no place."""
        connection = Connection(fileno=accepted.detach())
        connection.on_close = self._remove
        self._by_descriptor[connection.fileno()] = connection
        full = len(self) >= self._max_connections
        self.start_reading(connection, REQUEST_SECONDS)
        if full:
            self.disconnect(connection)
        return connection

    def connection(self, descriptor: int) -> Connection:
        """The open connection with this file descriptor."""
        return self._by_descriptor[descriptor]

    def start_reading(self, connection: Connection, seconds: float) -> None:
        """The client has to send something within ``seconds``."""
        self._move(connection, self._reading_request, seconds)

    def start_answering(self, connection: Connection) -> None:
        """A whole request has arrived. The client has to receive the whole answer within :data:`ANSWER_SECONDS`."""
        self._move(connection, self._answering, ANSWER_SECONDS)

    def keep_streaming(self, connection: Connection) -> None:
        """The answer is a stream, whose next event the client has to receive within :data:`STREAM_SECONDS`.

        Streams take no places: the application limits their number.
        """
        if connection not in self._streaming and connection.fileno() >= 0:
            # what a slow client has not received is kept in the kernel: no more than a few events
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _STREAM_BUFFER_BYTES)
        self._move(connection, self._streaming, STREAM_SECONDS)

    def is_streaming(self, connection: Connection) -> bool:
        """Whether the answer is a stream."""
        return connection in self._streaming

    def disconnect(self, connection: Connection) -> None:
        """Shut the socket down. The transport then reads the end of the stream and closes the socket."""
        self._forget(connection)
        self._closing.add(connection)
        with contextlib.suppress(OSError):  # the client has already disconnected
            connection.shutdown(socket.SHUT_RDWR)

    def close_expired(self) -> None:
        """Disconnect all connections whose deadline has passed."""
        now = self._clock()
        connections = (*self._reading_request, *self._answering, *self._streaming)
        expired = [connection for connection in connections if connection.deadline < now]
        for connection in expired:
            self.disconnect(connection)
        if expired:
            _log.debug("closed %d connections that exceeded a time limit", len(expired))

    def _move(self, connection: Connection, state: dict[Connection, None], seconds: float) -> None:
        if connection in self._closing or connection.fileno() < 0:
            return
        connection.deadline = self._clock() + seconds
        self._forget(connection)
        state[connection] = None

    def _forget(self, connection: Connection) -> None:
        for state in (self._reading_request, self._answering, self._streaming):
            state.pop(connection, None)

    def _remove(self, connection: Connection, descriptor: int) -> None:
        del self._by_descriptor[descriptor]
        self.closed += 1
        self._forget(connection)
        self._closing.discard(connection)
