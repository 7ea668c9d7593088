"""uvicorn's HTTP protocol, extended to report the state of each connection to the limiter."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

from exporter.web.connections import IDLE_SECONDS, REQUEST_SECONDS, Connection, ConnectionLimiter

_GRACE_SECONDS = 10.0  # uvicorn itself closes idle connections, and in good order


def protocol_for(limiter: ConnectionLimiter) -> type[H11Protocol]:
    """The class for :class:`uvicorn.Config`, whose ``timeout_keep_alive`` has to be :data:`IDLE_SECONDS`."""

    class LimitedProtocol(H11Protocol):
        _connection: Connection
        _last_cycle: object = None
        _idle = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._connection = limiter.connection(transport.get_extra_info("socket").fileno())

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._has_new_request():
                limiter.start_answering(self._connection)
            elif self._idle:
                limiter.start_reading(self._connection, REQUEST_SECONDS)
            self._idle = False

        def on_response_complete(self) -> None:
            super().on_response_complete()  # starts the next request when it has already arrived
            self._idle = not self._has_new_request()
            if self._idle:
                limiter.start_reading(self._connection, IDLE_SECONDS + _GRACE_SECONDS)
            else:
                limiter.start_answering(self._connection)

        def shutdown(self) -> None:
            super().shutdown()
            if self._idle and not self.transport.get_write_buffer_size():
                self.transport.abort()  # TLS would wait for the client's close_notify

        def _has_new_request(self) -> bool:
            """Whether a request is to be answered that was not there at the last call."""
            is_new = self.cycle is not self._last_cycle and not self.cycle.response_complete
            self._last_cycle = self.cycle
            return is_new

    return LimitedProtocol
