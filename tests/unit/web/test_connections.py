"""ConnectionLimiter with real connections on loopback: places, time limits, eviction."""

import socket

import pytest

from exporter.web.connections import (
    ANSWER_SECONDS,
    IDLE_SECONDS,
    REQUEST_SECONDS,
    Connection,
    ConnectionLimiter,
    client_address,
)
from exporter.web.uvicorn_internals import limit_connections

PLACES = 3
MAX_CLOSING = 32
UNAUTHORIZED_PLACES = 32


class Loopback:
    """A limited listener, its clients, and a clock that only the test moves."""

    def __init__(self, places: int = PLACES) -> None:
        self.now = 0.0
        self.limiter = ConnectionLimiter(places, lambda: self.now)
        self.listener = limit_connections(socket.create_server(("127.0.0.1", 0)), self.limiter)
        self.clients: list[socket.socket] = []

    def connect(self) -> Connection:
        self.clients.append(socket.create_connection(self.listener.getsockname()))
        connection, _ = self.listener.accept()
        return connection

    def disconnected(self) -> list[bool]:
        """Of each client, whether it has read the end of the stream."""
        return [self._at_end(client) for client in self.clients]

    @staticmethod
    def _at_end(client: socket.socket) -> bool:
        client.setblocking(False)
        try:
            return client.recv(1) == b""
        except BlockingIOError:
            return False

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.listener.close()


@pytest.fixture
def loopback():
    opened = Loopback()
    yield opened
    opened.close()


def test_the_connection_longest_without_a_request_is_evicted(loopback):
    connections = [loopback.connect() for _ in range(PLACES)]
    loopback.limiter.start_answering(connections[0])
    connections.append(loopback.connect())
    assert loopback.disconnected() == [False, True, False, False]
    assert len(loopback.limiter) == PLACES
    loopback.limiter.start_reading(connections[0], IDLE_SECONDS)  # after its answer it is the newest again
    connections.append(loopback.connect())
    assert loopback.disconnected() == [False, True, True, False, False]
    for connection in connections:
        connection.close()
    assert len(loopback.limiter) == 0


def test_connections_that_are_answered_are_not_evicted(loopback):
    connections = [loopback.connect() for _ in range(PLACES)]
    for connection in connections:
        loopback.limiter.start_answering(connection)
    connections.append(loopback.connect())
    assert loopback.disconnected() == [False, False, False, True]
    loopback.limiter.start_answering(connections[-1])  # its request arrives after it was disconnected
    assert len(loopback.limiter) == PLACES
    for connection in connections:
        connection.close()


def test_the_address_with_most_connections_gives_way(loopback):
    connections = [loopback.connect() for _ in range(PLACES)]
    connections[0].address = "192.0.2.1"
    connections.append(loopback.connect())
    assert loopback.disconnected() == [False, True, False, False]
    for connection in connections:
        connection.close()


def test_slow_readers_give_way(loopback):
    connections = [loopback.connect() for _ in range(PLACES)]
    for connection in connections:
        loopback.limiter.start_answering(connection)
    connections[1].unread_bytes = lambda: 1
    connections.append(loopback.connect())
    assert loopback.disconnected() == [False, True, False, False]
    assert not loopback.limiter.evict_slow_reader()
    connections[2].unread_bytes = lambda: 1
    assert loopback.limiter.evict_slow_reader()
    assert loopback.disconnected() == [False, True, True, False]
    for connection in connections:
        connection.close()


def test_an_authorized_connection_outlives_unauthorized_ones():
    loopback = Loopback(places=UNAUTHORIZED_PLACES + 2)
    connections = [loopback.connect(), loopback.connect()]
    loopback.limiter.start_answering(connections[0])
    loopback.limiter.start_reading(connections[0], IDLE_SECONDS)
    connections[1].is_waiting = True
    connections += [loopback.connect() for _ in range(UNAUTHORIZED_PLACES + 10)]
    assert loopback.disconnected() == [False] * 2 + [True] * 10 + [False] * UNAUTHORIZED_PLACES
    for connection in connections:
        connection.close()
    loopback.close()


@pytest.mark.parametrize(
    ("address", "client"),
    [
        (("192.0.2.1", 1), "192.0.2.1"),
        (("::ffff:192.0.2.1", 1, 0, 0), "192.0.2.1"),
        (("2001:db8::1:2:3:4", 1, 0, 0), "2001:db8::/64"),
        (("fe80::1%eth0", 1, 0, 2), "fe80::/64"),
        ("", ""),
    ],
)
def test_addresses_of_clients(address, client):
    assert client_address(address) == client


@pytest.mark.parametrize(("answering", "seconds"), [(False, REQUEST_SECONDS), (True, ANSWER_SECONDS)])
def test_expired_connections_are_closed(loopback, answering, seconds):
    connection = loopback.connect()
    if answering:
        loopback.limiter.start_answering(connection)
    loopback.now = seconds
    loopback.limiter.close_expired()
    assert loopback.disconnected() == [False]
    loopback.now = seconds + 1
    loopback.limiter.close_expired()
    assert loopback.disconnected() == [True]
    connection.close()
    assert len(loopback.limiter) == 0


def test_nothing_is_accepted_while_too_many_are_closing(loopback):
    connections = [loopback.connect() for _ in range(PLACES + MAX_CLOSING)]
    with pytest.raises(BlockingIOError):
        loopback.connect()
    for connection in connections:
        connection.close()
    assert len(loopback.limiter) == 0
    loopback.listener.accept()[0].close()  # the client that was refused before
