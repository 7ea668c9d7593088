"""uvicorn's HTTP protocol, which tells the door what each connection is at."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

from exporter.web.connections import IDLE_SECONDS, REQUEST_SECONDS, Connection, ConnectionLimiter

_GRACE_SECONDS = 10.0  # uvicorn closes idle connections itself, and in good order


def protocol_for(door: ConnectionLimiter) -> type[H11Protocol]:
    """The protocol for :class:`uvicorn.Config`; with its ``timeout_keep_alive`` at :data:`IDLE_SECONDS`."""

    class Protocol(H11Protocol):
        _guest: Connection
        _served: object = None
        _idle = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._guest = door.guest(transport.get_extra_info("socket").fileno())

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._begins():
                door.serve(self._guest)
            elif self._idle:
                door.wait_for(self._guest, REQUEST_SECONDS)
            self._idle = False

        def on_response_complete(self) -> None:
            super().on_response_complete()  # which may begin with the next request, when that has come already
            self._idle = not self._begins()
            if self._idle:
                door.wait_for(self._guest, IDLE_SECONDS + _GRACE_SECONDS)
            else:
                door.serve(self._guest)

        def shutdown(self) -> None:
            super().shutdown()
            if self._idle and not self.transport.get_write_buffer_size():
                self.transport.abort()  # TLS would wait for the client's farewell

        def _begins(self) -> bool:
            """Whether there is a request to serve that was not there the last time."""
            begins = self.cycle is not self._served and not self.cycle.response_complete
            self._served = self.cycle
            return begins

    return Protocol
