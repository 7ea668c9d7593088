"""Limits of requests, in front of the application."""

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

BODY_BYTES = 65536
"""Of a request: nothing here takes one."""


class BodyLimit:
    """413, and an end of the connection, for a body of unknown or more than :data:`BODY_BYTES` length."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        app = _TOO_LARGE if scope["type"] == "http" and _is_too_large(scope) else self._app
        await app(scope, receive, send)


class ScrapeLimit:
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


def _is_too_large(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    if b"transfer-encoding" in headers:
        return True
    length = headers.get(b"content-length", b"0")
    return len(length) > 9 or int(length) > BODY_BYTES  # h11 has seen to it that these are digits


_TOO_LARGE = PlainTextResponse("Nothing here takes a body\n", status_code=413, headers={"connection": "close"})
_TOO_MANY = PlainTextResponse(
    "Too many scrapes at a time (--web.max-requests)\n", status_code=503, headers={"retry-after": "1"}
)
