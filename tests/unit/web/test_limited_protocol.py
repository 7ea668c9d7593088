"""How the protocol moves connections between the limiter's states, on uvicorn with an answer larger than any buffer."""

import asyncio
import socket
import tracemalloc
from collections.abc import Callable

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from exporter.web.auth import BasicAuthMiddleware
from exporter.web.connections import ANSWER_SECONDS, IDLE_SECONDS, ConnectionLimiter
from exporter.web.middleware import ConcurrencyLimitMiddleware
from exporter.web.reload import WebConfig
from exporter.web.shared_scrape import SlicedResponse
from exporter.web.uvicorn_internals import limit_connections, limited_protocol

LARGE_ANSWER = bytes(32 << 20)
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n"
READERS = 8


class RunningServer:
    """A server on loopback, in the same event loop, with a clock that only the test moves."""

    def __init__(self, answer: bytes) -> None:
        self.now = 0.0
        self.requests = 0
        self.answer = answer
        self.limiter = ConnectionLimiter(READERS + 4, lambda: self.now)
        limited = ConcurrencyLimitMiddleware(self._app, "/metrics", READERS, lambda: False)
        app = BasicAuthMiddleware(limited, WebConfig, self.limiter.start_answering)
        protocol = limited_protocol(self.limiter)
        self.server = uvicorn.Server(uvicorn.Config(app, http=protocol, ws="none", log_config=None))
        self.listener = limit_connections(socket.create_server(("127.0.0.1", 0)), self.limiter)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.requests += 1
            await SlicedResponse(self.answer)(scope, receive, send)

    async def __aenter__(self) -> "RunningServer":
        self.task = asyncio.create_task(self.server.serve([self.listener]))
        while not self.server.started:
            await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *problem: object) -> None:
        self.server.should_exit = True
        await self.task

    async def send_request(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self.listener.getsockname(), limit=1024)
        writer.write(REQUEST)
        return reader, writer

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.01)


async def memory_of_slow_readers() -> int:
    """Bytes that Python has allocated while clients do not read their answers, which then expire."""
    async with RunningServer(LARGE_ANSWER) as server:
        tracemalloc.start()
        clients = [await server.send_request() for _ in range(READERS)]
        await server.until(lambda: server.requests == READERS)
        await asyncio.sleep(0.2)
        memory = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        clients.append(await server.send_request())
        assert (await clients[-1][0].readline()).startswith(b"HTTP/1.1 503 ")
        server.now = ANSWER_SECONDS + 1
        server.limiter.close_expired()
        assert len(server.limiter) <= 1, "only the client that got 503, which is idle, may stay"
        clients.append(await server.send_request())
        await server.until(lambda: server.requests == READERS + 1)
        assert (await clients[-1][0].readline()).startswith(b"HTTP/1.1 200 "), "there is a place again"
        for _, writer in clients:
            writer.close()
        await server.until(lambda: not server.limiter)
    return memory


def test_slow_readers_keep_no_copy_and_expire():
    assert asyncio.run(memory_of_slow_readers()) < READERS * (1 << 20)


async def send_slowly(*pieces: tuple[float, bytes]) -> tuple[bool, int]:
    """Send each piece that many seconds after the one before.

    Returns whether the connection was closed in the end, and the number of requests that the application received.
    """
    async with RunningServer(b"x") as server:
        reader, writer = await asyncio.open_connection(*server.listener.getsockname())
        reading = asyncio.create_task(reader.read(-1))
        await server.until(lambda: len(server.limiter) == 1)
        for seconds, piece in pieces:
            await asyncio.sleep(0.3)
            server.now += seconds
            server.limiter.close_expired()
            writer.write(piece)
        await asyncio.sleep(0.3)
        closed = len(server.limiter) == 0
        writer.close()
        await server.until(lambda: not server.limiter)
        await asyncio.wait([reading])
        return closed, server.requests


@pytest.mark.parametrize(
    ("pieces", "closed_and_requests"),
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
def test_time_limits_of_one_connection(pieces, closed_and_requests):
    assert asyncio.run(send_slowly(*pieces)) == closed_and_requests
