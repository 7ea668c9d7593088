"""Basic authentication in front of the whole application, and the headers that are added to every answer."""

import base64
import binascii
from collections.abc import Callable

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.comparison_queue import TooManyComparisonsError
from exporter.web.connections import Connection
from exporter.web.passwords import PasswordVerifier
from exporter.web.reload import WebConfig
from exporter.web.scope import CONNECTION, IS_AUTHORIZED

_RETRY_SECONDS = 5


def parse_credentials(authorization: bytes) -> tuple[str, bytes]:
    """Name and password of an ``Authorization: Basic`` header (RFC 7617); both empty when it is anything else."""
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return "", b""
    try:
        name, _, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return name.decode(), password
    except (binascii.Error, UnicodeDecodeError):
        return "", b""


class BasicAuthMiddleware:
    """Answers 401 to requests without the credentials of a user, if the web configuration has users."""

    def __init__(
        self, app: ASGIApp, current_web_config: Callable[[], WebConfig], on_authorized: Callable[[Connection], None]
    ) -> None:
        """``current_web_config`` is called at each request; ``on_authorized`` with its connection if accepted."""
        self._app = app
        self._current_web_config = current_web_config
        self._on_authorized = on_authorized
        self._verifier = PasswordVerifier()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        web_config = self._current_web_config()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *web_config.headers]
            await send(message)

        async def is_authorized() -> bool:
            return await self._refusal(self._current_web_config(), scope) is None

        scope[IS_AUTHORIZED] = is_authorized
        refusal = await self._refusal(web_config, scope)
        if refusal is None:
            self._on_authorized(scope[CONNECTION])
        await (refusal or self._app)(scope, receive, send_with_headers)

    async def _refusal(self, web_config: WebConfig, scope: Scope) -> ASGIApp | None:
        if not web_config.users:
            return None
        values = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(values) != 1:
            return _UNAUTHORIZED
        credentials = parse_credentials(values[0])
        try:
            authorized = await self._verifier.verify(scope[CONNECTION], web_config.users, *credentials)
        except TooManyComparisonsError:
            return _TOO_MANY_REQUESTS
        return None if authorized else _UNAUTHORIZED


_UNAUTHORIZED = PlainTextResponse(
    "Unauthorized\n", status_code=401, headers={"www-authenticate": 'Basic realm="copy-exporter", charset="UTF-8"'}
)
_TOO_MANY_REQUESTS = PlainTextResponse(
    "Too many passwords wait for verification\n", status_code=429, headers={"retry-after": str(_RETRY_SECONDS)}
)
