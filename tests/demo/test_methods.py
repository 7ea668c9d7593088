"""What arrives is what was in the file, whatever the chunk; what is counted is in test_experiment.py."""

import os
import random
import socket
import tempfile
import threading

import pytest

from exporter.demo import tls
from exporter.demo.children import connected
from exporter.demo.methods import METHODS, Method, Transfer

SIZE = 3_000_001
CONTENT = random.Random(5).randbytes(SIZE)


@pytest.fixture(scope="module")
def file():
    with tempfile.TemporaryFile() as file:
        file.write(CONTENT)
        file.flush()
        yield file.fileno()


def receive(connection: socket.socket, secure: bool, into: list[bytes]) -> None:
    if secure:
        connection = tls.server(connection)
    data = bytearray()
    while len(data) < SIZE and (got := connection.recv(1 << 20)):
        data += got
    into.append(bytes(data))
    connection.close()


def sent(method: Method, file: int, chunk: int) -> bytes:
    near, far = connected()
    received: list[bytes] = []
    sink = threading.Thread(target=receive, args=(far, method.secure, received))
    sink.start()
    descriptor = os.open(f"/proc/self/fd/{file}", os.O_RDONLY)
    with tls.client(near) if method.secure else near as connection:
        note = method.send(Transfer(descriptor, connection, SIZE, chunk))
        sink.join()
    os.close(descriptor)
    assert ("SO_EE_CODE_ZEROCOPY_COPIED" in note) == (method.name == "send MSG_ZEROCOPY")
    return received[0]


@pytest.mark.parametrize("chunk", [5000, 64 << 10, SIZE])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_the_content_arrives(method, file, chunk):
    assert sent(method, file, chunk) == CONTENT


@pytest.mark.parametrize("method", [METHODS[0], METHODS[3], METHODS[4]], ids=lambda method: method.name)
def test_a_file_that_is_too_short_is_an_error(method):
    near, far = connected()
    with near, far, tempfile.TemporaryFile() as file:
        file.write(b"short")
        file.seek(0)
        transfer = Transfer(file.fileno(), near, size=100, chunk=50)
        with pytest.raises(EOFError):
            method.send(transfer)
