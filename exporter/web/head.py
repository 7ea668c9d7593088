"""HEAD is GET without the body (RFC 9110), on every path."""

from starlette.types import ASGIApp, Receive, Scope, Send


class HeadMiddleware:
    """In front of an application that knows of GET alone; the server leaves the body away."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)
