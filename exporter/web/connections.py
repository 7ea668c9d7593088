"""Limits on the number and duration of connections, at the level of sockets: below TLS and HTTP, where all are seen.

A connection is *unauthorized* until a request with a password is accepted (any request, when there are no users), then
*answering* until the client has received the whole answer, then *idle* until its next request is accepted.

When all places are taken, one connection is evicted: an unauthorized one, an idle one, or one whose client does not
read its answer, in this order. A few places stay with unauthorized ones, because each client starts as one. Of these
connections, the oldest one of the address that has most of them is evicted. So neither clients without a password nor
slow readers keep out a client that sends its request at once.
"""

import contextlib
import ipaddress
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Collection

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
_UNAUTHORIZED_PLACES = 32
_MAX_CLOSING = 32


class Connection(socket.socket):
    """A client's connection. It reports when it is closed."""

    address = ""
    """Of the client, as :func:`client_address` returns it."""
    deadline = 0.0
    authorized = False
    """Whether a request of this connection was ever accepted."""
    is_waiting = False
    """Whether its password is to be compared. The number of these connections has a limit of its own."""
    unread_bytes: Callable[[], int]
    """The part of the answer that does not fit into the kernel's buffer, because the client does not read."""
    on_close: Callable[["Connection", int], None]
    """Called with the number that the file descriptor had."""

    @property
    def is_open(self) -> bool:
        """Whether the client is still connected."""
        return self.fileno() >= 0

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
        self._unauthorized: dict[Connection, None] = {}  # oldest first
        self._idle: dict[Connection, None] = {}
        self._answering: dict[Connection, None] = {}
        self._streaming: dict[Connection, None] = {}
        self._closing: set[Connection] = set()
        self._by_descriptor: dict[int, Connection] = {}
        self.closed = 0
        """Number of connections that have been closed."""

    def __len__(self) -> int:
        return len(self._unauthorized) + len(self._idle) + len(self._answering)

    def make_room(self) -> None:
        """Make a place before a connection is accepted. Raises :class:`BlockingIOError` while too many are closing."""
        candidates = self._evictable() if len(self) >= self._max_connections else ()
        if not candidates:
            return
        if len(self._closing) >= _MAX_CLOSING:
            raise BlockingIOError
        self.disconnect(_oldest_of_largest_address(candidates))

    def evict_slow_reader(self) -> bool:
        """Disconnect a client that does not read its answer. Returns whether there was one."""
        slow = self._slow_readers()
        if not slow or len(self._closing) >= _MAX_CLOSING:
            return False
        self.disconnect(_oldest_of_largest_address(slow))
        return True

    def _evictable(self) -> Collection[Connection]:
        others = self._idle or self._slow_readers()
        if len(self._unauthorized) <= min(_UNAUTHORIZED_PLACES, len(others)):
            return others
        return [connection for connection in self._unauthorized if not connection.is_waiting] or self._unauthorized

    def _slow_readers(self) -> list[Connection]:
        return [connection for connection in self._answering if connection.unread_bytes()]

    def add(self, accepted: socket.socket, address: object) -> Connection:
        """Take over an accepted socket. It is disconnected at once when there is no place."""
        connection = Connection(fileno=accepted.detach())
        connection.address = client_address(address)
        connection.unread_bytes = lambda: 0
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
        self._move(connection, self._idle if connection.authorized else self._unauthorized, seconds)

    def start_authorizing(self, connection: Connection) -> None:
        """A whole request has arrived. The client has to receive the whole answer within :data:`ANSWER_SECONDS`."""
        self.start_reading(connection, ANSWER_SECONDS)

    def start_answering(self, connection: Connection) -> None:
        """The request is authorized. The time limit of its answer starts again."""
        connection.authorized = True
        self._move(connection, self._answering, ANSWER_SECONDS)

    def keep_streaming(self, connection: Connection) -> None:
        """The answer is a stream, whose next event the client has to receive within :data:`STREAM_SECONDS`.

        Streams take no places: the application limits their number.
        """
        if connection not in self._streaming and connection.is_open:
            # what a slow client has not received is kept in the kernel: no more than a few events
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _STREAM_BUFFER_BYTES)
        self._move(connection, self._streaming, STREAM_SECONDS)

    def is_streaming(self, connection: Connection) -> bool:
        """Whether the answer is a stream."""
        return connection in self._streaming

    def disconnect(self, connection: Connection) -> None:
        """Shut the socket down. The transport then reads the end of the stream and closes the socket."""
        self._leave_state(connection)
        self._closing.add(connection)
        with contextlib.suppress(OSError):  # the client has already disconnected
            connection.shutdown(socket.SHUT_RDWR)

    def close_expired(self) -> None:
        """Disconnect all connections whose deadline has passed."""
        now = self._clock()
        open_connections = (*self._unauthorized, *self._idle, *self._answering, *self._streaming)
        expired = [connection for connection in open_connections if connection.deadline < now]
        for connection in expired:
            self.disconnect(connection)
        if expired:
            _log.debug("closed %d connections that exceeded a time limit", len(expired))

    def _move(self, connection: Connection, state: dict[Connection, None], seconds: float) -> None:
        if connection in self._closing or not connection.is_open:
            return
        connection.deadline = self._clock() + seconds
        if state is self._unauthorized and connection in state:
            return  # a request that is refused does not make it newer than one whose first request is on its way
        self._leave_state(connection)
        state[connection] = None

    def _leave_state(self, connection: Connection) -> None:
        for state in (self._unauthorized, self._idle, self._answering, self._streaming):
            state.pop(connection, None)

    def _remove(self, connection: Connection, descriptor: int) -> None:
        del self._by_descriptor[descriptor]
        self.closed += 1
        self._leave_state(connection)
        self._closing.discard(connection)


def client_address(address: object) -> str:
    """The address of a client, from what ``accept`` returns; empty for UNIX sockets.

    Of IPv6 it is the network (/64), because one client has all its addresses.
    """
    if not isinstance(address, tuple):
        return ""
    parsed = ipaddress.ip_address(address[0].partition("%")[0])
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.IPv6Network((parsed, 64), strict=False))


def _oldest_of_largest_address(connections: Collection[Connection]) -> Connection:
    """The first connection of the address that has most of these connections."""
    ((largest, _),) = Counter(connection.address for connection in connections).most_common(1)
    return next(connection for connection in connections if connection.address == largest)
