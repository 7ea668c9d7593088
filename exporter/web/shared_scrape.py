"""Concurrent scrapes share one exposition."""

import asyncio
import gzip

from prometheus_client import CollectorRegistry
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from exporter.metrics.text_format import encode

_GZIP_LEVEL = (
    1  # labels repeat: the fastest level reduces them to a tenth, the best to a twelfth for five times the CPU
)
_SLICE_BYTES = 65536


class SharedScrape:
    """Makes one exposition for all requests that arrive before it starts, so each has the counts of its own time.

    Any number of concurrent scrapes costs the CPU and memory of two.
    """

    def __init__(self, registry: CollectorRegistry, *, openmetrics: bool, gzipped: bool) -> None:
        """Expose ``registry`` in the OpenMetrics or text format, optionally compressed."""
        self._registry = registry
        self._openmetrics = openmetrics
        self._gzipped = gzipped
        self._running: asyncio.Future[bytes] | None = None
        self._next: asyncio.Future[bytes] | None = None

    async def body(self) -> bytes:
        """An exposition that starts after this call."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._run_after(self._running))
        return await asyncio.shield(self._next)

    async def _run_after(self, previous: asyncio.Future[bytes] | None) -> bytes:
        if previous:
            await asyncio.wait([previous])
        self._running, self._next = self._next, None
        return await asyncio.to_thread(self._encode)

    def _encode(self) -> bytes:
        body = encode(self._registry, openmetrics=self._openmetrics)
        return gzip.compress(body, _GZIP_LEVEL, mtime=0) if self._gzipped else body


class SlicedResponse(Response):
    """Sends slices of the body as fast as the client reads them. Responses share the body, so none keeps a copy."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """See the ASGI specification."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for start in range(0, len(self.body), _SLICE_BYTES):
            part = self.body[start : start + _SLICE_BYTES]
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
