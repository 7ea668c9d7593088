"""What the door learns of connections, from uvicorn's own server with an answer that is bigger than any buffer."""

import asyncio
import socket
import tracemalloc

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from exporter.web.connections import ANSWER_SECONDS, IDLE_SECONDS, ConnectionLimiter, guard
from exporter.web.middleware import ConcurrencyLimitMiddleware
from exporter.web.protocol import protocol_for
from exporter.web.shared_scrape import SlicedResponse

ANSWER = bytes(32 << 20)
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n"
READERS = 8


class Running:
    """A server on loopback, in the same event loop, with a clock that stands still."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self.door = ConnectionLimiter(READERS + 4, lambda: self.now)
        self.limit = ConcurrencyLimitMiddleware(self._app, "/metrics", READERS)
        protocol = protocol_for(self.door)
        self.server = uvicorn.Server(uvicorn.Config(self.limit, http=protocol, ws="none", log_config=None))
        self.listener = guard(socket.create_server(("127.0.0.1", 0)), self.door)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.asked += 1
            await SlicedResponse(ANSWER)(scope, receive, send)

    async def __aenter__(self) -> "Running":
        self.task = asyncio.create_task(self.server.serve([self.listener]))
        while not self.server.started:
            await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *problem: object) -> None:
        self.server.should_exit = True
        await self.task

    async def ask(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self.listener.getsockname(), limit=1024)
        writer.write(REQUEST)
        return reader, writer

    async def until(self, condition) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.01)


async def slow_readers() -> int:
    async with Running() as running:
        tracemalloc.start()
        readers = [await running.ask() for _ in range(READERS)]
        await running.until(lambda: running.asked == READERS)
        await asyncio.sleep(0.2)
        memory = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        beyond = await running.ask()
        assert (await beyond[0].readline()).startswith(b"HTTP/1.1 503 ")
        running.now = ANSWER_SECONDS + 1
        running.door.dismiss_late()
        assert len(running.door) <= 1, "who was refused may stay"
        reader, writer = await running.ask()
        await running.until(lambda: running.asked == READERS + 1)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 "), "there is room again"
        for _, one in [*readers, beyond, (reader, writer)]:
            one.close()
        await running.until(lambda: not running.door)
    return memory


def test_slow_readers_hold_no_copy_and_are_let_go():
    assert asyncio.run(slow_readers()) < READERS * (1 << 20)


async def connection_of(*pieces: tuple[float, bytes]) -> tuple[bool, int]:
    """Send pieces, each after so many seconds of the clock; whether it is let go, and how many requests came in."""
    async with Running() as running:
        reader, writer = await asyncio.open_connection(*running.listener.getsockname())
        take = asyncio.create_task(reader.read(-1))
        await running.until(lambda: len(running.door) == 1)
        for seconds, piece in pieces:
            await asyncio.sleep(0.3)
            running.now += seconds
            running.door.dismiss_late()
            writer.write(piece)
        await asyncio.sleep(0.3)
        gone = len(running.door) == 0
        writer.close()
        await running.until(lambda: not running.door)
        await asyncio.wait([take])
        return gone, running.asked


@pytest.mark.parametrize(
    ("pieces", "outcome"),
    [
        ([(9, REQUEST), (9, b"")], (False, 1)),
        ([(9, b"GET"), (2, b"")], (True, 0)),
        ([(5, b"G"), (5, b"E"), (5, b"T")], (True, 0)),
        ([(0, REQUEST[:9]), (9, REQUEST[9:]), (IDLE_SECONDS - 1, REQUEST)], (False, 2)),
        ([(0, REQUEST), (IDLE_SECONDS + 11, REQUEST)], (True, 1)),
        ([(0, REQUEST), (60, b"GET"), (11, b"")], (True, 1)),
        ([(0, REQUEST * 3), (9, b"")], (False, 3)),
    ],
)
def test_patience_with_one_connection(pieces, outcome, monkeypatch):
    monkeypatch.setattr("tests.unit.web.test_protocol.ANSWER", b"x")
    assert asyncio.run(connection_of(*pieces)) == outcome
