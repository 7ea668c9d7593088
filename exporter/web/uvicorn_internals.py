"""The only module that depends on private parts of uvicorn and asyncio. They can change in any release.

pyproject.toml pins uvicorn to the range that the tests have seen, and ``tests/unit/web/test_uvicorn_internals.py``
checks each name of this list in the installed versions. A name that is added here needs a check there.

- ``uvicorn.protocols.http.h11_impl.H11Protocol``: the base class of the protocol that reports to the limiter.
- ``uvicorn.protocols.http.h11_impl.H11Protocol.transport``: the connection; closed early at shutdown.
- ``uvicorn.protocols.http.h11_impl.H11Protocol.conn``: the state of HTTP; :mod:`h11` is documented.
- ``uvicorn.protocols.http.h11_impl.H11Protocol.send_400_response``: called while an exception of h11 is handled.
- ``uvicorn.protocols.http.h11_impl.H11Protocol.cycle``: the newest request; another object for each request.
- ``uvicorn.protocols.http.h11_impl.RequestResponseCycle.response_complete``: whether it has been answered.
- ``uvicorn.protocols.http.h11_impl.RequestResponseCycle.disconnected``: discards what the application sends.
- ``uvicorn.protocols.http.h11_impl.RequestResponseCycle.scope``: of the request; its application starts later.
- ``uvicorn.protocols.http.h11_impl.H11Protocol.on_response_complete``: called after an answer; starts the next request.
- ``uvicorn.protocols.http.h11_impl.H11Protocol.shutdown``: called for each connection when the service ends.
- ``uvicorn.Config.load``: imports the modules of the protocol and of the application's lifespan.
- ``uvicorn.Config.get_loop_factory``: imports the module of the event loop.
- ``uvicorn.Server.capture_signals``: at the end it restores the handlers of TerminationSignals and raises the signal.
- ``asyncio.selector_events.BaseSelectorEventLoop._accept_connection``: calls ``accept`` of the listening socket object,
  takes :class:`BlockingIOError` for an empty queue, and later closes the object that ``accept`` returned.
- ``asyncio.constants.ACCEPT_RETRY_DELAY``: seconds without ``accept`` after it raised an error of resources.
- ``asyncio.sslproto.SSLProtocol``: calls ``wrap_bio`` of the server's context for each connection.
- ``asyncio.sslproto.SSLProtocol.max_size``: bytes of a buffer that it allocates for each connection.
"""

import asyncio
import errno
import socket
import ssl
import sys
import time
from asyncio.constants import ACCEPT_RETRY_DELAY
from asyncio.sslproto import SSLProtocol
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from exporter.web.connections import IDLE_SECONDS, REQUEST_SECONDS, Connection, ConnectionLimiter
from exporter.web.scope import CONNECTION, KEEP_STREAMING

_LACK_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_GRACE_SECONDS = 10.0  # uvicorn itself closes idle connections, and in good order


class LimitedListener(socket.socket):
    """A listening socket that passes each connection through a :class:`ConnectionLimiter`."""

    limiter: ConnectionLimiter
    _accepts_again_at = 0.0

    def accept(self) -> tuple[Connection, Any]:
        """See :class:`socket.socket`.

        After most errors the event loop pauses for a second, but first calls this a thousand times and logs each error.
        """
        if time.monotonic() < self._accepts_again_at:
            raise BlockingIOError
        self.limiter.make_room()
        try:
            accepted, address = super().accept()
        except OSError as error:
            if error.errno in _LACK_OF_RESOURCES:
                self._accepts_again_at = time.monotonic() + ACCEPT_RETRY_DELAY / 2
            raise
        return self.limiter.add(accepted, address), address


def limit_connections(listener: socket.socket, limiter: ConnectionLimiter) -> LimitedListener:
    """Take over a listening socket; ``listener`` is detached."""
    limited = LimitedListener(fileno=listener.detach())
    limited.limiter = limiter
    return limited


def limited_protocol(limiter: ConnectionLimiter) -> type[H11Protocol]:
    """A protocol class that reports the state of each connection to the limiter.

    :class:`uvicorn.Config` takes it as ``http``. Its ``timeout_keep_alive`` has to be :data:`IDLE_SECONDS`.
    """

    class LimitedProtocol(H11Protocol):
        _connection: Connection
        _last_cycle: object = None
        _idle = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._connection = limiter.connection(transport.get_extra_info("socket").fileno())
            self._connection.unread_bytes = transport.get_write_buffer_size

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._has_new_request():
                self._start_request()
            elif self._idle:
                limiter.start_reading(self._connection, REQUEST_SECONDS)
            self._idle = False

        def on_response_complete(self) -> None:
            super().on_response_complete()  # starts the next request when it has already arrived
            self._idle = not self._has_new_request()
            if self._idle:
                limiter.start_reading(self._connection, IDLE_SECONDS + _GRACE_SECONDS)
            else:
                self._start_request()

        def send_400_response(self, msg: str) -> None:  # noqa: ARG002
            """Refuse what h11 cannot parse, which may be the body of a request that the application is answering."""
            if self.cycle is not None and not self.cycle.response_complete:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                self._send_refusal(_status_of(sys.exc_info()[1]))
            self.transport.close()

        def _send_refusal(self, status: int) -> None:
            headers = [("content-type", "text/plain; charset=utf-8"), ("connection", "close")]
            text = b"Request cannot be parsed, or is too long\n"
            for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=text), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")

        def shutdown(self) -> None:
            super().shutdown()
            if limiter.is_streaming(self._connection):
                self.transport.abort()  # a stream has no end to wait for
            if self._idle and not self.transport.get_write_buffer_size():
                self.transport.abort()  # TLS would wait for the client's close_notify

        def _start_request(self) -> None:
            scope: MutableMapping[str, Any] = self.cycle.scope  # type: ignore[assignment]
            scope[CONNECTION] = self._connection
            scope[KEEP_STREAMING] = lambda: limiter.keep_streaming(self._connection)
            limiter.start_authorizing(self._connection)

        def _has_new_request(self) -> bool:
            """Whether a request is to be answered that was not there at the last call."""
            is_new = self.cycle is not self._last_cycle and not self.cycle.response_complete
            self._last_cycle = self.cycle
            return is_new

    return LimitedProtocol


def _status_of(error: BaseException | None) -> int:
    """431 when a request is too long, else 400."""
    return error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400


class ReloadingSSLContext(ssl.SSLContext):
    """Uses the context that ``current`` returns at the time of each handshake."""

    current: Callable[[], ssl.SSLContext]

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """See :class:`ssl.SSLContext`."""
        return self.current().wrap_bio(*arguments, **options)


def reloading_context(current: Callable[[], ssl.SSLContext]) -> ReloadingSSLContext:
    """A context that can be given to a server once, while the certificates change."""
    context = ReloadingSSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.current = current
    return context


def limit_tls_buffers(size: int) -> None:
    """Let asyncio allocate a read buffer of ``size`` bytes for each TLS connection of the process."""
    SSLProtocol.max_size = size


def preload_modules() -> None:
    """Import all modules that uvicorn, FastAPI and anyio import only when they start or answer a request.

    The user of the service may be unable to read them later. One request is answered without a server.
    """
    app = FastAPI()

    @app.get("/")
    async def empty_page() -> str:
        return ""

    config = uvicorn.Config(app, log_config=None)
    config.load()
    config.get_loop_factory()
    request = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    asyncio.run(_call_asgi(app, {"type": "lifespan", "state": {}}, "lifespan.startup", "lifespan.shutdown"))
    asyncio.run(_call_asgi(app, request, "http.request"))


async def _call_asgi(app: Callable[..., Awaitable[None]], scope: dict[str, Any], *messages: str) -> None:
    """Let an ASGI application receive ``messages``, and discard what it sends."""
    remaining = iter(messages)

    async def receive() -> dict[str, Any]:
        return {"type": next(remaining)}

    async def send(_: MutableMapping[str, Any]) -> None:
        pass

    await app(scope, receive, send)
