"""Limits of requests, in front of the application."""

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

BODY_BYTES = 65536
"""Of a request's body, whose length must be told: nothing here takes one."""


HEADER_BYTES = 16384
"""Of all headers of a request."""


class RequestSizeLimitMiddleware:
    """An end of the connection for headers of more than :data:`HEADER_BYTES` (431), or a long body (413)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        refusal = _refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)


class ConcurrencyLimitMiddleware:
    """503 for a scrape beyond ``most`` at a time; one lasts until the client has taken its answer."""

    def __init__(self, app: ASGIApp, path: str, most: int) -> None:
        """``path``: where the metrics are."""
        self._app = app
        self._path = path
        self._left = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._app(scope, receive, send)
        elif not self._left:
            await _TOO_MANY(scope, receive, send)
        else:
            self._left -= 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._left += 1


def _refusal(scope: Scope) -> ASGIApp | None:
    headers = scope["headers"]
    if sum(len(name) + len(value) for name, value in headers) > HEADER_BYTES:
        return _LONG_HEADERS
    named = dict(headers)
    length = named.get(b"content-length", b"0")  # h11 has seen to it that these are digits
    too_long = len(length) > 9 or int(length) > BODY_BYTES
    return _LONG_BODY if too_long or b"transfer-encoding" in named else None


_CLOSE = {"connection": "close"}
_LONG_HEADERS = PlainTextResponse("The headers are too long\n", status_code=431, headers=_CLOSE)
_LONG_BODY = PlainTextResponse("Nothing here takes a body\n", status_code=413, headers=_CLOSE)
_TOO_MANY = PlainTextResponse(
    "Too many scrapes at a time (--web.max-requests)\n", status_code=503, headers={"retry-after": "1"}
)
