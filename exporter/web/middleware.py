"""ASGI middleware: HEAD, limits on requests, and an answer for requests that shutdown interrupts."""

import asyncio
from collections.abc import Callable

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 65536
"""Of the body of a request, which must announce its length. No endpoint reads a body."""
MAX_HEADER_BYTES = 16384
"""Of all headers of a request together, and of its URL."""

_CLOSE = {"connection": "close"}
_URL_TOO_LONG = PlainTextResponse("Request URL is too long\n", status_code=414, headers=_CLOSE)
_HEADERS_TOO_LONG = PlainTextResponse("Request headers are too long\n", status_code=431, headers=_CLOSE)
_BODY_TOO_LONG = PlainTextResponse("Request body is too long\n", status_code=413, headers=_CLOSE)
_TOO_MANY_SCRAPES = PlainTextResponse(
    "Too many concurrent scrapes (--web.max-requests)\n", status_code=503, headers={"retry-after": "1"}
)
_SHUTTING_DOWN = PlainTextResponse("copy-exporter is shutting down\n", status_code=503, headers=_CLOSE)


class HeadMiddleware:
    """Passes HEAD on as GET (RFC 9110), for an application that has only GET routes. The server omits the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)


class RequestSizeLimitMiddleware:
    """Answers 414, 431 or 413 and closes the connection when URL, headers or body are longer than the limits."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        refusal = _refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)


def _refusal(scope: Scope) -> ASGIApp | None:
    if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_HEADER_BYTES:
        return _URL_TOO_LONG
    headers = scope["headers"]
    if sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES:
        return _HEADERS_TOO_LONG
    values = dict(headers)
    length = values.get(b"content-length", b"0")  # h11 has checked that these are digits
    too_long = len(length) > 9 or int(length) > MAX_BODY_BYTES
    return _BODY_TOO_LONG if too_long or b"transfer-encoding" in values else None


class ConcurrencyLimitMiddleware:
    """Answers 503 to scrapes above the limit. A scrape ends when the client has received the whole answer."""

    def __init__(self, app: ASGIApp, path: str, max_requests: int, evict_slow_reader: Callable[[], bool]) -> None:
        """``path`` is the one that is limited; ``max_requests`` counts concurrent requests of it.

        ``evict_slow_reader`` disconnects a client that does not read its answer, and returns whether there was one.
        """
        self._evict_slow_reader = evict_slow_reader
        self._app = app
        self._path = path
        self._free = max_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._app(scope, receive, send)
        elif self._free <= 0 and not self._evict_slow_reader():  # the evicted client's scrape ends a moment later
            await _TOO_MANY_SCRAPES(scope, receive, send)
        else:
            self._free -= 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._free += 1


class ShutdownMiddleware:
    """Answers 503 to requests that the server cancels at shutdown. It would log a traceback for each of them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            if not started:
                await _SHUTTING_DOWN(scope, receive, send)
