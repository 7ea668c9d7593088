"""One live reading each second for all viewers, and none without viewers."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator

from pydantic import TypeAdapter

from exporter.live.rates import Rates
from exporter.live.reader import LiveReader

_log = logging.getLogger(__name__)

MAX_VIEWERS = 10
INTERVAL_SECONDS = 1.0
_JSON = TypeAdapter(Rates)


class TooManyViewersError(Exception):
    """All places are taken."""


class Viewers:
    """Only for the thread of the event loop; the readings are taken in another."""

    def __init__(self, make_reader: Callable[[], LiveReader], interval_seconds: float = INTERVAL_SECONDS) -> None:
        """``make_reader`` is called when the first viewer comes, and again after the last one has left."""
        self._make_reader = make_reader
        self._interval_seconds = interval_seconds
        self._count = 0
        self._reading: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self._number = 0
        self._body = b""

    def __len__(self) -> int:
        return self._count

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Be a viewer within the context. Raises :class:`TooManyViewersError`."""
        if self._count >= MAX_VIEWERS:
            raise TooManyViewersError
        self._count += 1
        self._reading = self._reading or asyncio.create_task(self._read_until_cancelled())
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._reading.cancel()
                self._reading, self._body = None, b""

    async def next(self, after: int = 0) -> tuple[int, bytes]:
        """Return the number of the newest reading and its rates as JSON, when its number is not ``after``."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._body and self._number != after)
            return self._number, self._body

    async def _read_until_cancelled(self) -> None:
        loop = asyncio.get_running_loop()
        reader, due = self._make_reader(), loop.time()
        failed = False
        while True:
            try:
                body = await asyncio.to_thread(_read, reader)
                failed = False
            except OSError as error:
                if not failed:
                    _log.error("the live page has no counts: %s", error)
                body, failed = b"", True
            async with self._changed:
                self._number, self._body = self._number + 1, body
                self._changed.notify_all()
            due = max(due + self._interval_seconds, loop.time())
            await asyncio.sleep(due - loop.time())


def _read(reader: LiveReader) -> bytes:
    rates = reader.read()
    return _JSON.dump_json(rates) if rates else b""
