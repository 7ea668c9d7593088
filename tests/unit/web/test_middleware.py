"""Middleware: limits on requests in front of an application that waits, and shutdown of uvicorn during a request."""

import asyncio
import logging
import socket

import httpx
import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.middleware import (
    MAX_BODY_BYTES,
    MAX_HEADER_BYTES,
    ConcurrencyLimitMiddleware,
    HeadMiddleware,
    RequestSizeLimitMiddleware,
    ShutdownMiddleware,
)


class WaitingApp:
    """Answers all requests together, when :attr:`release` is set."""

    def __init__(self) -> None:
        self.methods: list[str] = []
        self.release = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.methods.append(scope["method"])
        await self.release.wait()
        await PlainTextResponse("answer")(scope, receive, send)


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here")


async def scrape_concurrently(limit: int, count: int) -> list[int]:
    """Status codes of ``count`` concurrent scrapes, of a health check beside them, and of a scrape after them."""
    app = WaitingApp()
    async with client_of(ConcurrencyLimitMiddleware(app, "/metrics", limit, lambda: False)) as client:
        requests = [asyncio.create_task(client.get("/metrics")) for _ in range(count)]
        requests.append(asyncio.create_task(client.get("/-/healthy")))
        while len(app.methods) < min(limit, count) + 1:
            await asyncio.sleep(0)
        app.release.set()
        answers = [await request for request in requests]
        answers.append(await client.get("/metrics"))
    return [answer.status_code for answer in answers]


def test_scrapes_above_the_limit_get_503():
    assert asyncio.run(scrape_concurrently(limit=3, count=5)) == [200, 200, 200, 503, 503, 200, 200]


async def scrape_beyond_a_slow_reader() -> list[int]:
    """Status codes of a scrape that a slow reader gives way to, and of one for which there is none left."""
    app = WaitingApp()
    slow_readers = [True]
    async with client_of(
        ConcurrencyLimitMiddleware(app, "/metrics", 1, lambda: bool(slow_readers and slow_readers.pop()))
    ) as client:
        requests = [asyncio.create_task(client.get("/metrics")) for _ in range(2)]
        while len(app.methods) < 2:
            await asyncio.sleep(0)
        refused = await client.get("/metrics")
        app.release.set()
        return [refused.status_code, *[(await request).status_code for request in requests]]


def test_a_slow_reader_gives_way_to_a_scrape():
    assert asyncio.run(scrape_beyond_a_slow_reader()) == [503, 200, 200]


async def status_of(**options) -> int:
    app = WaitingApp()
    app.release.set()
    async with client_of(RequestSizeLimitMiddleware(app)) as client:
        return (await client.request("GET", "/", **options)).status_code


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({}, 200),
        ({"content": b"x" * MAX_BODY_BYTES}, 200),
        ({"content": b"x" * (MAX_BODY_BYTES + 1)}, 413),
        ({"headers": {"content-length": "9" * 30}}, 413),
        ({"headers": {"transfer-encoding": "chunked"}}, 413),
        ({"headers": {"x": "y" * MAX_HEADER_BYTES}}, 431),
        ({"params": {"x": "y" * MAX_HEADER_BYTES}}, 414),
    ],
)
def test_requests_that_are_too_long(options, status):
    assert asyncio.run(status_of(**options)) == status


@pytest.mark.parametrize(("method", "received"), [("HEAD", "GET"), ("GET", "GET"), ("POST", "POST")])
def test_head_becomes_get(method, received):
    async def send_request() -> list[str]:
        app = WaitingApp()
        app.release.set()
        async with client_of(HeadMiddleware(app)) as client:
            await client.request(method, "/")
        return app.methods

    assert asyncio.run(send_request()) == [received]


PART = {"type": "http.response.body", "body": b"part", "more_body": True}


async def shut_down_during_request(*messages: Message, middleware: bool = True) -> bytes:
    """What a client receives from an application that sends these messages and then never returns."""
    requested = asyncio.Event()

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for message in messages:
                await send(message)
            requested.set()
            await asyncio.Event().wait()

    server = uvicorn.Server(
        uvicorn.Config(
            ShutdownMiddleware(app) if middleware else app,
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=0,
        )
    )
    listener = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listener]))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    await requested.wait()
    server.should_exit = True
    await serving
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


def tracebacks(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.exc_info]


def test_shutdown_answers_waiting_clients(caplog: pytest.LogCaptureFixture) -> None:
    answer = asyncio.run(shut_down_during_request())
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert answer.endswith(b"copy-exporter is shutting down\n")
    assert tracebacks(caplog) == []


def test_shutdown_cuts_off_an_answer_that_has_started(caplog: pytest.LogCaptureFixture) -> None:
    start = {"type": "http.response.start", "status": 200, "headers": []}
    answer = asyncio.run(shut_down_during_request(start, PART))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"503" not in answer
    assert not answer.endswith(b"0\r\n\r\n"), "an incomplete answer must not look complete"
    assert tracebacks(caplog) == []


def test_without_the_middleware_shutdown_logs_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(shut_down_during_request(middleware=False))
    assert tracebacks(caplog) != []
