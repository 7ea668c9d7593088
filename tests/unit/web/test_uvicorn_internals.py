"""Private parts of uvicorn and asyncio: only one module uses them, and they are as that module expects them."""

import ast
import asyncio
import errno
import re
import signal
import socket
import ssl
import sys
import time
import tomllib
from asyncio.constants import ACCEPT_RETRY_DELAY
from asyncio.sslproto import SSLProtocol
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h11
import pytest
import uvicorn
from packaging.requirements import Requirement
from starlette.responses import PlainTextResponse
from uvicorn.lifespan.off import LifespanOff
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

import exporter
from exporter.web import uvicorn_internals

PACKAGE = Path(exporter.__file__).parent
MODULE = Path(uvicorn_internals.__file__)
LISTED = re.findall(r"^- ``([\w.]+)``", uvicorn_internals.__doc__ or "", re.MULTILINE)
PUBLIC = {"Config", "Server"}
"""What uvicorn documents for programs that start it."""
REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


def synchronous(check: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    return lambda: asyncio.run(asyncio.wait_for(check(), 20))


def config(**options: Any) -> uvicorn.Config:
    return uvicorn.Config(PlainTextResponse("answer"), lifespan="off", log_config=None, **options)


@asynccontextmanager
async def connection_to(
    protocol: type[H11Protocol],
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server with this protocol, which ends before the connection does."""
    server = uvicorn.Server(config(http=protocol, ws="none"))
    listener = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listener]))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    while not server.server_state.connections:
        await asyncio.sleep(0.01)
    yield reader, writer
    server.should_exit = True
    await serving
    writer.close()


@synchronous
async def check_requests() -> None:
    """Each request has a cycle of its own, and ``on_response_complete`` starts the next one."""
    steps: list[tuple[RequestResponseCycle, bool]] = []

    class Recorder(H11Protocol):
        def note(self) -> None:
            steps.append((self.cycle, self.cycle.response_complete))

        def data_received(self, data: bytes) -> None:
            assert self.cycle is None
            super().data_received(data)
            self.note()

        def on_response_complete(self) -> None:
            self.note()
            super().on_response_complete()
            self.note()

    async with connection_to(Recorder) as (_, writer):
        writer.write(REQUEST * 2)
        while len(steps) < 5:
            await asyncio.sleep(0.01)
    first, second = steps[0][0], steps[2][0]
    assert first is not second
    assert steps == [(first, False), (first, True), (second, False), (second, True), (second, True)]


@synchronous
async def check_unparsable_requests() -> None:
    """``send_400_response`` is called while an exception of h11 is handled. The application's answer is discarded."""
    errors: list[BaseException | None] = []
    states: list[Any] = []

    class Refusing(H11Protocol):
        def send_400_response(self, msg: str) -> None:
            errors.append(sys.exc_info()[1])
            states.append(self.conn.our_state)
            self.cycle.disconnected = True
            super().send_400_response(msg)

    async with connection_to(Refusing) as (reader, writer):
        writer.write(REQUEST.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"))
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
        assert b"answer" not in await reader.read()
    assert [type(error) for error in errors] == [h11.RemoteProtocolError]
    assert states == [h11.SEND_RESPONSE]


@synchronous
async def check_scope() -> None:
    """The application gets what the protocol has added to the scope after the request was read."""
    seen: list[object] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope.get("added"))
        await PlainTextResponse("answer")(scope, receive, send)

    class Adder(H11Protocol):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            scope: Any = self.cycle.scope
            scope["added"] = "by the protocol"

    server = uvicorn.Server(uvicorn.Config(app, http=Adder, ws="none", lifespan="off", log_config=None))
    listener = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listener]))
    _, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(REQUEST)
    while not seen:
        await asyncio.sleep(0.01)
    server.should_exit = True
    await serving
    writer.close()
    assert seen == ["by the protocol"]


@synchronous
async def check_shutdown() -> None:
    """The server calls ``shutdown`` of each connection, which has its transport."""
    transports: list[Any] = []

    class Recorder(H11Protocol):
        def shutdown(self) -> None:
            transports.append(self.transport)
            super().shutdown()

    async with connection_to(Recorder):
        pass
    assert len(transports) == 1
    assert isinstance(transports[0], asyncio.Transport)


def check_load() -> None:
    loaded = config()
    loaded.load()
    assert loaded.lifespan_class is LifespanOff


def check_loop_factory() -> None:
    factory = config().get_loop_factory()
    assert factory is None or callable(factory)


def check_capture_signals() -> None:
    """A signal that arrives while the server runs is raised again for the handler that was there before."""
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        server = uvicorn.Server(config())
        with server.capture_signals():
            signal.raise_signal(signal.SIGTERM)
            assert server.should_exit
            assert received == []
        assert received == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


class Accepted(socket.socket):
    """Counts how often it is closed."""

    closed = 0

    def close(self) -> None:
        super().close()
        self.closed += 1


class BlocksOnce(socket.socket):
    """A listening socket whose first ``accept`` raises :class:`BlockingIOError`."""

    blocked = False
    connection: Accepted | None = None

    def accept(self) -> tuple[socket.socket, Any]:
        if not self.blocked:
            self.blocked = True
            raise BlockingIOError
        accepted, address = super().accept()
        self.connection = Accepted(fileno=accepted.detach())
        return self.connection, address


@synchronous
async def check_accept() -> None:
    """The event loop calls ``accept`` of the object itself, tries again later, and closes what it got."""
    loop = asyncio.get_running_loop()
    failures: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: failures.append(context))
    listener = BlocksOnce(fileno=socket.create_server(("127.0.0.1", 0)).detach())
    server = await loop.create_server(asyncio.Protocol, sock=listener)
    _, writer = await asyncio.open_connection(*listener.getsockname())
    writer.close()
    while not (listener.connection and listener.connection.closed):
        await asyncio.sleep(0.01)
    server.close()
    assert listener.blocked
    assert failures == []


def tls_protocol(context: ssl.SSLContext) -> Any:
    """What asyncio makes for each TLS connection."""
    protocol: Any = SSLProtocol(asyncio.get_running_loop(), asyncio.Protocol(), context, None, server_side=True)
    protocol._app_transport.close()  # else it warns when it is deleted
    return protocol


@synchronous
async def check_pause() -> None:
    """After an error of resources the event loop calls ``accept`` again at once, and after the delay."""
    calls: list[float] = []

    class Failing(socket.socket):
        def accept(self) -> tuple[socket.socket, Any]:
            calls.append(time.monotonic())
            raise BlockingIOError if len(calls) == 2 else OSError(errno.EMFILE, "too many open files")

    loop = asyncio.get_running_loop()
    failures: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: failures.append(context))
    listener = Failing(fileno=socket.create_server(("127.0.0.1", 0)).detach())
    server = await loop.create_server(asyncio.Protocol, sock=listener, backlog=3)
    _, writer = await asyncio.open_connection(*listener.getsockname())
    while len(calls) < 3:
        await asyncio.sleep(0.01)
    writer.close()
    server.close()
    assert calls[2] - calls[1] > 0.9 * ACCEPT_RETRY_DELAY
    assert failures[0]["message"] == "socket.accept() out of system resource"


@synchronous
async def check_tls_context() -> None:
    """Each connection calls ``wrap_bio``, and so uses the context that is current when it starts."""
    calls: list[ssl.SSLContext] = []

    def current() -> ssl.SSLContext:
        calls.append(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        return calls[-1]

    context = uvicorn_internals.reloading_context(current)
    assert [tls_protocol(context)._sslobj.context for _ in range(3)] == calls


@synchronous
async def check_tls_buffer() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SSLProtocol, "max_size", SSLProtocol.max_size)  # restored at the end
        uvicorn_internals.limit_tls_buffers(12345)
        assert len(tls_protocol(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))._ssl_buffer) == 12345


CHECKS: dict[str, Callable[[], None]] = {
    "uvicorn.protocols.http.h11_impl.H11Protocol": check_requests,
    "uvicorn.protocols.http.h11_impl.H11Protocol.cycle": check_requests,
    "uvicorn.protocols.http.h11_impl.H11Protocol.on_response_complete": check_requests,
    "uvicorn.protocols.http.h11_impl.RequestResponseCycle.response_complete": check_requests,
    "uvicorn.protocols.http.h11_impl.RequestResponseCycle.scope": check_scope,
    "uvicorn.protocols.http.h11_impl.RequestResponseCycle.disconnected": check_unparsable_requests,
    "uvicorn.protocols.http.h11_impl.H11Protocol.conn": check_unparsable_requests,
    "uvicorn.protocols.http.h11_impl.H11Protocol.send_400_response": check_unparsable_requests,
    "uvicorn.protocols.http.h11_impl.H11Protocol.shutdown": check_shutdown,
    "uvicorn.protocols.http.h11_impl.H11Protocol.transport": check_shutdown,
    "uvicorn.Config.load": check_load,
    "uvicorn.Config.get_loop_factory": check_loop_factory,
    "uvicorn.Server.capture_signals": check_capture_signals,
    "asyncio.selector_events.BaseSelectorEventLoop._accept_connection": check_accept,
    "asyncio.constants.ACCEPT_RETRY_DELAY": check_pause,
    "asyncio.sslproto.SSLProtocol": check_tls_context,
    "asyncio.sslproto.SSLProtocol.max_size": check_tls_buffer,
}


def test_each_listed_name_has_a_check() -> None:
    assert LISTED
    assert sorted(LISTED) == sorted(CHECKS)


def names_of(check: Callable[[], None]) -> str:
    return " ".join(name.removeprefix("uvicorn.protocols.http.") for name, its in CHECKS.items() if its is check)


@pytest.mark.parametrize("check", dict.fromkeys(CHECKS.values()), ids=names_of)
def test_listed_names(check: Callable[[], None]) -> None:
    check()


def imported_names(path: Path) -> set[str]:
    """Modules that a file imports, and ``module.name`` for each name that it imports from a module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def attributes_of(module: str, path: Path) -> set[str]:
    """Names that a file takes from a module that it imports as a whole."""
    return {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == module
    }


def test_no_other_module_uses_internals() -> None:
    others = [path for path in PACKAGE.rglob("*.py") if path != MODULE]
    imported = {name for path in others for name in imported_names(path)}
    assert {name for name in imported if re.match(r"(asyncio|uvicorn|h11)\.", name)} == set()
    assert {name for path in others for name in attributes_of("uvicorn", path)} == PUBLIC
    assert {name for path in others for name in attributes_of("asyncio", path) if name.startswith("_")} == set()


def test_uvicorn_is_pinned_to_one_minor_release() -> None:
    """Before pyproject.toml allows another release, these tests have to pass with it."""
    dependencies = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]["dependencies"]
    (requirement,) = (each for each in map(Requirement, dependencies) if each.name == "uvicorn")
    major, minor, *_ = map(int, version("uvicorn").split("."))
    assert version("uvicorn") in requirement.specifier
    assert f"{major}.{minor + 1}" not in requirement.specifier
