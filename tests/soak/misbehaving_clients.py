"""``python -m tests.soak.misbehaving_clients PORT USER PASSWORD``: clients of every bad kind at once, until SIGTERM.

Some know the password. It writes the number of connections of each kind at its end, as JSON. Plain HTTP.
"""

import asyncio
import base64
import contextlib
import json
import os
import signal
import socket
import struct
import sys
from collections import Counter
from collections.abc import Awaitable, Callable

CLIENTS = {
    "idle": 40,
    "half": 40,
    "slow": 4,
    "deaf": 2,
    "leave": 1,
    "malformed": 4,
    "chunked": 2,
    "long": 2,
    "guess": 8,
}
"""How many connections of each kind there are at the same time: more than the service has places beside scrapes."""
PAUSE_SECONDS = 0.5
"""Between two connections of a client: the exact counts that the soak also tests need some CPU time."""
HOLD_SECONDS = 5.0
"""How long those stay that never read."""
RESET = struct.pack("ii", 1, 0)
REQUEST = b"GET %s HTTP/1.1\r\nHost: here\r\n"


class Clients:
    """The clients of one service; each kind is a method."""

    def __init__(self, port: int, name: str, password: str) -> None:
        """``name`` and ``password`` are right."""
        self.connections: Counter[str] = Counter()
        self._address = ("127.0.0.1", port)
        self._name = name
        self._right = self._authorization(password)
        self._loop = asyncio.get_running_loop()

    def _authorization(self, password: str) -> bytes:
        return b"Authorization: Basic " + base64.b64encode(f"{self._name}:{password}".encode()) + b"\r\n"

    async def client(self, kind: str) -> None:
        """Connect again and again."""
        act: Callable[[socket.socket], Awaitable[None]] = getattr(self, kind)
        while True:
            with socket.socket() as connection, contextlib.suppress(OSError):
                connection.setblocking(False)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                await self._loop.sock_connect(connection, self._address)
                self.connections[kind] += 1
                await act(connection)
            await asyncio.sleep(PAUSE_SECONDS)

    async def idle(self, connection: socket.socket) -> None:
        """Sends nothing."""
        await self._end(connection)

    async def half(self, connection: socket.socket) -> None:
        """Does not end its request."""
        await self._loop.sock_sendall(connection, REQUEST % b"/metrics")
        await self._end(connection)

    async def slow(self, connection: socket.socket) -> None:
        """Does not read its answers."""
        await self._loop.sock_sendall(connection, (REQUEST % b"/metrics" + self._right + b"\r\n") * 4)
        await asyncio.sleep(HOLD_SECONDS)

    async def deaf(self, connection: socket.socket) -> None:
        """Does not read its stream."""
        await self._loop.sock_sendall(connection, REQUEST % b"/api/v1/live/stream" + self._right + b"\r\n")
        await asyncio.sleep(HOLD_SECONDS)

    async def leave(self, connection: socket.socket) -> None:
        """Resets the connection in the middle of an answer."""
        await self._loop.sock_sendall(connection, REQUEST % b"/metrics" + self._right + b"\r\n")
        await self._loop.sock_recv(connection, 1000)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    async def malformed(self, connection: socket.socket) -> None:
        """Sends what is no request."""
        await self._loop.sock_sendall(connection, b"\0" + os.urandom(1000))
        await self._end(connection)

    async def chunked(self, connection: socket.socket) -> None:
        """Sends a chunk that does not have the size that it says."""
        request = REQUEST % b"/metrics" + self._right + b"Transfer-Encoding: chunked\r\n\r\n"
        await self._loop.sock_sendall(connection, request + b"1\r\naXX\r\n")
        await self._end(connection)

    async def long(self, connection: socket.socket) -> None:
        """Asks for a URL beyond the limit."""
        await self._loop.sock_sendall(connection, REQUEST % (b"/" + b"x" * 100_000) + b"\r\n")
        await self._end(connection)

    async def guess(self, connection: socket.socket) -> None:
        """Sends another wrong password each time."""
        password = f"wrong{self.connections['guess']}"
        await self._loop.sock_sendall(connection, REQUEST % b"/metrics" + self._authorization(password) + b"\r\n")
        await self._loop.sock_recv(connection, 1000)

    async def _end(self, connection: socket.socket) -> None:
        """Wait until the service closes the connection."""
        while await self._loop.sock_recv(connection, 65536):
            pass


async def misbehave(port: int, name: str, password: str) -> Counter[str]:
    """Run all clients until SIGTERM; the number of their connections by kind."""
    clients = Clients(port, name, password)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    tasks = [asyncio.create_task(clients.client(kind)) for kind, count in CLIENTS.items() for _ in range(count)]
    await stopped.wait()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return clients.connections


if __name__ == "__main__":
    port, name, password = sys.argv[1:]
    print(json.dumps(asyncio.run(misbehave(int(port), name, password))), flush=True)
