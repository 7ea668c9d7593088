"""Basic authentication in front of the whole application, and the headers that are added to every answer."""

import asyncio
import base64
import binascii
import hmac
import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import bcrypt
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.reload import WebConfig
from exporter.web.scope import IS_AUTHORIZED

_CACHE_ENTRIES = 100
_MAX_PASSWORD_BYTES = 72  # bcrypt ignores the rest of a password, and newer versions of the library refuse it


class PasswordVerifier:
    """Compares passwords with bcrypt hashes, and caches the correct ones as digests with a random key.

    Comparisons run one at a time: guessing takes at most one CPU. A cached password does not wait for them.
    """

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._correct: OrderedDict[bytes, None] = OrderedDict()  # least recently used first
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="bcrypt")

    async def verify(self, users: tuple[tuple[str, str], ...], name: str, password: bytes) -> bool:
        """Whether ``password`` is that of user ``name``. An unknown name takes as long as a wrong password."""
        known_hash = dict(users).get(name)
        hashed = known_hash or users[0][1]
        digest = hmac.digest(self._key, b"\0".join((name.encode(), hashed.encode(), password)), "sha256")
        if known_hash and digest in self._correct:  # a removed user may have had the same hash as the first one
            self._correct.move_to_end(digest)
            return True
        loop = asyncio.get_running_loop()
        matches = await loop.run_in_executor(self._executor, _matches, password, hashed)
        if not matches or known_hash is None:
            return False
        self._correct[digest] = None
        if len(self._correct) > _CACHE_ENTRIES:
            self._correct.popitem(last=False)
        return True


def _matches(password: bytes, hashed: str) -> bool:
    try:
        return bcrypt.checkpw(password[:_MAX_PASSWORD_BYTES], hashed.encode())
    except ValueError:  # the password contains a zero byte
        return False


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

    def __init__(self, app: ASGIApp, current_web_config: Callable[[], WebConfig]) -> None:
        """``current_web_config`` is called at each request."""
        self._app = app
        self._current_web_config = current_web_config
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
            return await self._is_authorized(self._current_web_config(), scope)

        scope[IS_AUTHORIZED] = is_authorized
        app = self._app if await self._is_authorized(web_config, scope) else _UNAUTHORIZED
        await app(scope, receive, send_with_headers)

    async def _is_authorized(self, web_config: WebConfig, scope: Scope) -> bool:
        if not web_config.users:
            return True
        values = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(values) != 1:
            return False
        return await self._verifier.verify(web_config.users, *parse_credentials(values[0]))


_UNAUTHORIZED = PlainTextResponse(
    "Unauthorized\n", status_code=401, headers={"www-authenticate": 'Basic realm="copy-exporter", charset="UTF-8"'}
)
