"""An answer for whoever is still waiting when the service ends."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_ENDING = PlainTextResponse("copy-exporter is ending\n", status_code=503, headers={"connection": "close"})


class ShutdownMiddleware:
    """503 for requests that the server cancels at its end, which it would else log with a traceback each."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        begun = False

        async def noting(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            if not begun:
                await _ENDING(scope, receive, send)
