"""``/api/v1/live``: the live rates as JSON, once or as a stream of server-sent events."""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Response
from fastapi.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from exporter.live.rates import Rates
from exporter.web.scope import IS_AUTHORIZED, KEEP_STREAMING
from exporter.web.viewers import MAX_VIEWERS, TooManyViewersError, Viewers

_FIRST_READING_SECONDS = 5.0
_COMMENT_SECONDS = 3.0
"""After this time without a reading the stream sends a comment, so that a viewer is not closed for a late reading."""
_RETRY_MILLISECONDS = 2000
_NO_STORE = {"cache-control": "no-store"}
_TOO_MANY_VIEWERS = PlainTextResponse(
    f"Too many viewers: at most {MAX_VIEWERS} at the same time\n", status_code=503, headers={"retry-after": "5"}
)
_NO_READING = PlainTextResponse("The probes' maps cannot be read; the log has the reason\n", status_code=503)
_UNAVAILABLE = {503: {"description": "Too many viewers, or no counts; one line", "content": {"text/plain": {}}}}


def add_routes(app: FastAPI, viewers: Viewers) -> None:
    """Serve the live rates."""

    @app.get(
        "/api/v1/live",
        response_model=Rates,
        summary="What the host moves: rates of the last second (docs/live.md)",
        responses=_UNAVAILABLE,  # type: ignore[arg-type]
    )
    async def live() -> Response:
        try:
            with viewers.place():
                _, body = await asyncio.wait_for(viewers.next(), _FIRST_READING_SECONDS)
        except TooManyViewersError:
            return _TOO_MANY_VIEWERS
        except TimeoutError:
            return _NO_READING
        return Response(body, media_type="application/json", headers=_NO_STORE)

    @app.get(
        "/api/v1/live/stream",
        response_class=EventStream,
        status_code=200,
        summary="The same each second, as server-sent events named `live`",
        responses=_UNAVAILABLE,  # type: ignore[arg-type]
    )
    async def stream() -> Response:
        return EventStream(viewers)


class EventStream(Response):
    """Sends each reading to one viewer until it disconnects. A viewer that reads slowly misses readings."""

    media_type = "text/event-stream"

    def __init__(self, viewers: Viewers) -> None:
        super().__init__(headers={**_NO_STORE, "connection": "close"})
        del self.headers["content-length"]
        self._viewers = viewers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        try:
            with self._viewers.place():
                await self._send_events(scope, receive, send)
        except TooManyViewersError:
            await _TOO_MANY_VIEWERS(scope, receive, send)

    async def _send_events(self, scope: Scope, receive: Receive, send: Send) -> None:
        keep_streaming: Callable[[], None] = scope[KEEP_STREAMING]
        is_authorized: Callable[[], Awaitable[bool]] = scope[IS_AUTHORIZED]
        disconnected = asyncio.ensure_future(_until_disconnected(receive))
        keep_streaming()
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        part, number = f"retry: {_RETRY_MILLISECONDS}\n\n".encode(), 0
        try:
            while await is_authorized() and not disconnected.done():
                await send({"type": "http.response.body", "body": part, "more_body": True})
                keep_streaming()
                reading = asyncio.ensure_future(self._viewers.next(number))
                await asyncio.wait(
                    [reading, disconnected], timeout=_COMMENT_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                if reading.done():
                    number, body = reading.result()
                    part = b"event: live\ndata: " + body + b"\n\n"
                else:
                    reading.cancel()
                    part = b":\n\n"
            await send({"type": "http.response.body", "body": b""})
        finally:
            disconnected.cancel()


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
