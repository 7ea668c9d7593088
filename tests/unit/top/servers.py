"""Servers on loopback that answer as they are told."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from exporter.top.options import Target, parse_url

EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nconnection: close\r\n\r\n"


@contextmanager
def server(*answers: bytes) -> Iterator[tuple[Target, list[bytes]]]:
    """Answer each connection with the next of ``answers``. Yields the target, and the requests that have come."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with suppress(OSError):
                for text in answers:
                    with listening.accept()[0] as connection:
                        requests.append(connection.recv(1 << 16))
                        connection.sendall(text)

        thread = threading.Thread(target=answer)
        thread.start()
        yield parse_url("URL", f"http://127.0.0.1:{listening.getsockname()[1]}/"), requests
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def free_target() -> Target:
    """An address where no process listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return parse_url("URL", f"http://127.0.0.1:{listening.getsockname()[1]}/")
