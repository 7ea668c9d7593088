"""Runs uvicorn with the limits on connections, authentication, and the current TLS configuration."""

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
from exporter.web.connections import IDLE_SECONDS, ConnectionLimiter, limit_connections
from exporter.web.middleware import (
    MAX_HEADER_BYTES,
    ConcurrencyLimitMiddleware,
    RequestSizeLimitMiddleware,
    ShutdownMiddleware,
)
from exporter.web.protocol import protocol_for
from exporter.web.reload import WebConfig

SHUTDOWN_SECONDS = 2
"""Time for unfinished scrapes at shutdown. After that their connections are dropped."""
CONNECTIONS_BESIDE_SCRAPES = 64
"""Connections that are idle or have not sent a whole request, in addition to one per scrape."""
_CHECK_INTERVAL_SECONDS = 1.0
_CONNECTIONS_PER_COLLECTION = 64
_TLS_READ_BYTES = 32768
"""Buffer of asyncio per TLS connection, by default 256 KiB. The longest request has to fit."""


def run(
    app: ASGIApp, sockets: Iterable[socket.socket], config: Config, current_web_config: Callable[[], WebConfig]
) -> None:
    """Serve ``app`` until SIGTERM or SIGINT. ``current_web_config`` is called at each handshake and each request."""
    limited = ConcurrencyLimitMiddleware(app, config.telemetry_path, config.max_requests)
    limiter = ConnectionLimiter(config.max_requests + CONNECTIONS_BESIDE_SCRAPES)
    asyncio.run(
        _run(
            ShutdownMiddleware(RequestSizeLimitMiddleware(BasicAuthMiddleware(limited, current_web_config))),
            sockets,
            current_web_config,
            limiter,
        )
    )


async def _run(
    app: ASGIApp,
    sockets: Iterable[socket.socket],
    current_web_config: Callable[[], WebConfig],
    limiter: ConnectionLimiter,
) -> None:
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=protocol_for(limiter),
            ws="none",
            ssl_context_factory=_context_factory(current_web_config),
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,  # before they are complete
            timeout_keep_alive=int(IDLE_SECONDS),
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            proxy_headers=False,
            log_config=None,
            access_log=False,
            server_header=False,
        )
    )
    SSLProtocol.max_size = _TLS_READ_BYTES
    checking = asyncio.create_task(_check_connections(limiter))
    try:
        await server.serve([limit_connections(bound, limiter) for bound in sockets])
    finally:
        checking.cancel()


async def _check_connections(limiter: ConnectionLimiter) -> None:
    """Close expired connections, and collect the reference cycles that TLS connections leave, until cancelled."""
    closed_at_collection = 0
    while True:
        await asyncio.sleep(_CHECK_INTERVAL_SECONDS)
        limiter.close_expired()
        if limiter.closed >= closed_at_collection + _CONNECTIONS_PER_COLLECTION:
            gc.collect()  # by itself the collector runs about once per scrape (tune_gc)
            closed_at_collection = limiter.closed


def _context_factory(current_web_config: Callable[[], WebConfig]) -> Callable[..., SSLContext] | None:
    if current_web_config().ssl_context is None:
        return None

    def current() -> SSLContext:
        context = current_web_config().ssl_context
        assert context  # TLS is never turned off at run time
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
