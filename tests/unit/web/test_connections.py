"""Connections: places, patience, and who makes room."""

import socket

import pytest

from exporter.web.connections import ANSWER_SECONDS, IDLE_SECONDS, REQUEST_SECONDS, Connection, ConnectionLimiter, guard


class House:
    """A door with real connections on loopback and a clock that stands still."""

    def __init__(self, most: int) -> None:
        self.now = 0.0
        self.door = ConnectionLimiter(most, lambda: self.now)
        self.listener = guard(socket.create_server(("127.0.0.1", 0)), self.door)
        self.clients: list[socket.socket] = []

    def arrive(self) -> Connection:
        self.clients.append(socket.create_connection(self.listener.getsockname()))
        guest, _ = self.listener.accept()
        return guest

    def is_out(self, client: int) -> bool:
        self.clients[client].setblocking(False)
        try:
            return self.clients[client].recv(1) == b""
        except BlockingIOError:
            return False

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.listener.close()


@pytest.fixture
def house():
    opened = House(most=3)
    yield opened
    opened.close()


def test_the_one_waited_for_longest_makes_room(house):
    guests = [house.arrive() for _ in range(3)]
    house.door.serve(guests[0])
    guests.append(house.arrive())
    assert [house.is_out(client) for client in range(4)] == [False, True, False, False]
    assert len(house.door) == 3
    house.door.wait_for(guests[0], IDLE_SECONDS)  # answered: it is the youngest again
    guests.append(house.arrive())
    assert [house.is_out(client) for client in range(5)] == [False, True, True, False, False]
    for guest in guests:
        guest.close()
    assert len(house.door) == 0


def test_nobody_who_is_served_makes_room(house):
    guests = [house.arrive() for _ in range(3)]
    for guest in guests:
        house.door.serve(guest)
    late = house.arrive()
    assert [house.is_out(client) for client in range(4)] == [False, False, False, True]
    house.door.serve(late)  # what it sent is too late
    assert len(house.door) == 3
    for guest in (*guests, late):
        guest.close()


@pytest.mark.parametrize(("state", "seconds"), [("new", REQUEST_SECONDS), ("served", ANSWER_SECONDS)])
def test_patience_ends(house, state, seconds):
    guest = house.arrive()
    if state == "served":
        house.door.serve(guest)
    house.now = seconds
    house.door.dismiss_late()
    assert not house.is_out(0)
    house.now = seconds + 1
    house.door.dismiss_late()
    assert house.is_out(0)
    guest.close()
    assert len(house.door) == 0


def test_a_crowd_that_leaves_slowly_is_not_added_to(house):
    guests = [house.arrive() for _ in range(3 + 32)]
    with pytest.raises(BlockingIOError):
        house.arrive()
    for guest in guests:
        guest.close()
    assert len(house.door) == 0
