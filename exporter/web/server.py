"""uvicorn, behind the door, with the TLS of the moment."""

import asyncio
import gc
import socket
from asyncio.sslproto import SSLProtocol
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from ssl import SSLContext
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from exporter.config import Config
from exporter.web import tls
from exporter.web.auth import BasicAuthMiddleware
from exporter.web.connections import IDLE_SECONDS, ConnectionLimiter, guard
from exporter.web.middleware import (
    MAX_HEADER_BYTES,
    ConcurrencyLimitMiddleware,
    RequestSizeLimitMiddleware,
    ShutdownMiddleware,
)
from exporter.web.protocol import protocol_for
from exporter.web.reload import Settings

FAREWELL_SECONDS = 2
"""How long a scrape that is under way at the end may take; a client that does not take its answer is left."""
CONNECTIONS_BESIDE_SCRAPES = 64
"""Connections that are idle or have not asked yet, beside one for each scrape."""
_PATIENCE_SECONDS = 1.0
_CONNECTIONS_A_COLLECTION = 64
_TLS_READ_BYTES = 32768
"""What asyncio sets aside for each TLS connection, 256 KiB if it is let: the longest request has to fit."""


def run(app: ASGIApp, sockets: Iterable[socket.socket], config: Config, settings: Callable[[], Settings]) -> None:
    """Serve ``app`` until SIGTERM or SIGINT, to whom ``settings`` let in at each moment, within the limits."""
    limited = ConcurrencyLimitMiddleware(app, config.telemetry_path, config.max_requests)
    door = ConnectionLimiter(config.max_requests + CONNECTIONS_BESIDE_SCRAPES)
    asyncio.run(
        _run(
            ShutdownMiddleware(RequestSizeLimitMiddleware(BasicAuthMiddleware(limited, settings))),
            sockets,
            settings,
            door,
        )
    )


async def _run(
    app: ASGIApp, sockets: Iterable[socket.socket], settings: Callable[[], Settings], door: ConnectionLimiter
) -> None:
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=protocol_for(door),
            ws="none",
            ssl_context_factory=_context_factory(settings),
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,  # before they are complete
            timeout_keep_alive=int(IDLE_SECONDS),
            timeout_graceful_shutdown=FAREWELL_SECONDS,
            proxy_headers=False,
            log_config=None,
            access_log=False,
            server_header=False,
        )
    )
    SSLProtocol.max_size = _TLS_READ_BYTES
    watching = asyncio.create_task(_watch(door))
    try:
        await server.serve([guard(bound, door) for bound in sockets])
    finally:
        watching.cancel()


async def _watch(door: ConnectionLimiter) -> None:
    collected = 0
    while True:
        await asyncio.sleep(_PATIENCE_SECONDS)
        door.dismiss_late()
        if door.closed >= collected + _CONNECTIONS_A_COLLECTION:
            gc.collect()  # a TLS connection is a cycle of objects; by itself the collector comes but once a scrape
            collected = door.closed


def _context_factory(settings: Callable[[], Settings]) -> Callable[..., SSLContext] | None:
    if settings().context is None:
        return None

    def current() -> SSLContext:
        context = settings().context
        assert context  # settings never go from TLS to none
        return context

    return lambda *_: tls.rotating(current)


def preload_modules() -> None:
    """Start, serve one request to nobody, end: what frameworks import only then, ``--user`` may be unable to read."""
    app = FastAPI()

    @app.get("/")
    async def nothing() -> str:
        return ""

    stage = uvicorn.Config(app, log_config=None)
    stage.load()
    stage.get_loop_factory()
    request = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    asyncio.run(_perform(app, {"type": "lifespan", "state": {}}, "lifespan.startup", "lifespan.shutdown"))
    asyncio.run(_perform(app, request, "http.request"))


async def _perform(app: Callable[..., Awaitable[None]], scope: dict[str, Any], *messages: str) -> None:
    """Let an ASGI application receive ``messages``, and send to nobody."""
    left = iter(messages)

    async def receive() -> dict[str, Any]:
        return {"type": next(left)}

    async def send(_: MutableMapping[str, Any]) -> None:
        pass

    await app(scope, receive, send)
