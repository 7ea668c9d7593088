"""Runs uvicorn with the limits on connections and requests, authentication, and the current TLS configuration."""

import asyncio
import gc
import socket
from collections.abc import Callable, Iterable
from ssl import SSLContext

import uvicorn
from starlette.types import ASGIApp

from exporter import logs
from exporter.config import Config
from exporter.web import uvicorn_internals
from exporter.web.auth import BasicAuthMiddleware
from exporter.web.connections import IDLE_SECONDS, ConnectionLimiter
from exporter.web.middleware import (
    MAX_HEADER_BYTES,
    ConcurrencyLimitMiddleware,
    RequestSizeLimitMiddleware,
    ShutdownMiddleware,
)
from exporter.web.reload import WebConfig

SHUTDOWN_SECONDS = 2
"""Time for unfinished scrapes at shutdown. After that their connections are dropped."""
CONNECTIONS_BESIDE_SCRAPES = 64
"""Connections that are idle or have not sent a whole request, in addition to one per scrape."""
_CHECK_INTERVAL_SECONDS = 1.0
_CONNECTIONS_PER_COLLECTION = 64
_TLS_BUFFER_BYTES = 32768
"""Per connection; asyncio's default is 256 KiB. The longest request has to fit."""


def run(
    app: ASGIApp, sockets: Iterable[socket.socket], config: Config, current_web_config: Callable[[], WebConfig]
) -> None:
    """Serve ``app`` until SIGTERM or SIGINT. ``current_web_config`` is called at each handshake and each request."""
    limiter = ConnectionLimiter(config.max_requests + CONNECTIONS_BESIDE_SCRAPES)
    scrapes_limited = ConcurrencyLimitMiddleware(
        app, config.telemetry_path, config.max_requests, limiter.evict_slow_reader
    )
    authenticated = BasicAuthMiddleware(scrapes_limited, current_web_config, limiter.start_answering)
    server = uvicorn.Server(
        uvicorn.Config(
            ShutdownMiddleware(RequestSizeLimitMiddleware(authenticated)),
            http=uvicorn_internals.limited_protocol(limiter),
            ws="none",
            ssl_context_factory=_ssl_context_factory(current_web_config),
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,  # before they are complete
            timeout_keep_alive=int(IDLE_SECONDS),
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            proxy_headers=False,
            log_config=None,
            access_log=False,
            server_header=False,
        )
    )
    uvicorn_internals.limit_tls_buffers(_TLS_BUFFER_BYTES)
    listeners = [uvicorn_internals.limit_connections(bound, limiter) for bound in sockets]
    asyncio.run(_serve(server, listeners, limiter))


async def _serve(server: uvicorn.Server, listeners: Iterable[socket.socket], limiter: ConnectionLimiter) -> None:
    checking = asyncio.create_task(_check_connections(limiter))
    try:
        await server.serve(list(listeners))
    finally:
        checking.cancel()


async def _check_connections(limiter: ConnectionLimiter) -> None:
    """Close expired connections and report log lines that were left out, until cancelled.

    Collect the reference cycles that TLS connections leave.
    """
    closed_at_collection = 0
    while True:
        await asyncio.sleep(_CHECK_INTERVAL_SECONDS)
        limiter.close_expired()
        logs.rate_limit.report()
        if limiter.closed >= closed_at_collection + _CONNECTIONS_PER_COLLECTION:
            gc.collect()  # by itself the collector runs about once per scrape (tune_gc)
            closed_at_collection = limiter.closed


def _ssl_context_factory(current_web_config: Callable[[], WebConfig]) -> Callable[..., SSLContext] | None:
    if current_web_config().ssl_context is None:
        return None

    def current() -> SSLContext:
        context = current_web_config().ssl_context
        assert context  # TLS is never turned off at run time
        return context

    return lambda *_: uvicorn_internals.reloading_context(current)
