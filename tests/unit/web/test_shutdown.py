"""The end of the server while requests are under way, on uvicorn itself."""

import asyncio
import logging
import socket

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send

from exporter.web.farewell import ShutdownMiddleware

PART = {"type": "http.response.body", "body": b"part", "more_body": True}


async def end_while_waiting(*messages: Message) -> bytes:
    """What a client gets of an application that sends these and then never ends."""
    asked = asyncio.Event()

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for message in messages:
                await send(message)
            asked.set()
            await asyncio.Event().wait()

    settings = uvicorn.Config(ShutdownMiddleware(app), lifespan="off", log_config=None, timeout_graceful_shutdown=0)
    server = uvicorn.Server(settings)
    listener = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listener]))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    await asked.wait()
    server.should_exit = True
    await serving
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


@pytest.fixture(autouse=True)
def _no_traceback(caplog: pytest.LogCaptureFixture):
    yield
    errors = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert [record.exc_info for record in errors if record.exc_info] == []


def test_who_waits_is_told() -> None:
    answer = asyncio.run(end_while_waiting())
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert answer.endswith(b"copy-exporter is ending\n")


def test_a_begun_answer_is_cut_off() -> None:
    start = {"type": "http.response.start", "status": 200, "headers": []}
    answer = asyncio.run(end_while_waiting(start, PART))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"503" not in answer
    assert not answer.endswith(b"0\r\n\r\n"), "an answer that lacks something must not look whole"
