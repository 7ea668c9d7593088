"""Who may ask: basic authentication in front of everything, and the headers that every answer has."""

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

from exporter.web.reload import Settings

_REMEMBERED = 100
_BCRYPT_BYTES = 72  # bcrypt looks at no more of a password, and newer versions of the library refuse more


class Passwords:
    """Compares passwords with bcrypt hashes; one that was right is remembered, as a digest with a key of our own.

    One comparison at a time: guessing takes one processor at most. A right password does not wait for them.
    """

    def __init__(self) -> None:
        self._secret = os.urandom(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="bcrypt")

    async def right(self, users: tuple[tuple[str, str], ...], name: str, password: bytes) -> bool:
        """Whether ``password`` is that of user ``name``. An unknown name takes as long as a wrong password."""
        hashed = dict(users).get(name)
        expected = hashed or users[0][1]
        digest = hmac.digest(self._secret, b"\0".join((name.encode(), expected.encode(), password)), "sha256")
        if digest in self._right:
            self._right.move_to_end(digest)
            return True
        loop = asyncio.get_running_loop()
        matches = await loop.run_in_executor(self._executor, _matches, password, expected)
        if not matches or hashed is None:
            return False
        self._right[digest] = None
        if len(self._right) > _REMEMBERED:
            self._right.popitem(last=False)
        return True


def _matches(password: bytes, hashed: str) -> bool:
    try:
        return bcrypt.checkpw(password[:_BCRYPT_BYTES], hashed.encode())
    except ValueError:  # a password with a byte 0
        return False


def credentials(authorization: bytes) -> tuple[str, bytes]:
    """Name and password of an ``Authorization: Basic`` header (RFC 7617); empty ones when it is something else."""
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return "", b""
    try:
        name, _, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return name.decode(), password
    except (binascii.Error, UnicodeDecodeError):
        return "", b""


class BasicAuthMiddleware:
    """In front of an application: 401 for whoever is not a user, where there are users."""

    def __init__(self, app: ASGIApp, settings: Callable[[], Settings]) -> None:
        """``settings`` is asked at each request."""
        self._app = app
        self._settings = settings
        self._passwords = Passwords()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        settings = self._settings()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *settings.headers]
            await send(message)

        app = self._app if await self._may(settings, scope) else _UNAUTHORIZED
        await app(scope, receive, send_with_headers)

    async def _may(self, settings: Settings, scope: Scope) -> bool:
        if not settings.users:
            return True
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            return False
        return await self._passwords.right(settings.users, *credentials(given[0]))


_UNAUTHORIZED = PlainTextResponse(
    "Unauthorized\n", status_code=401, headers={"www-authenticate": 'Basic realm="copy-exporter", charset="UTF-8"'}
)
