"""A TCP connection whose bytes the exporter counts under a port label of its own."""

import socket

CALLS = "copy_syscalls_total"
BYTES = "copy_bytes_total"
HOST_CALLS = "copy_host_syscalls_total"
HOST_BYTES = "copy_host_bytes_total"
RECVMMSG = {"syscall": "recvmmsg", "source": "tcp", "destination": "user"}
"""Labels of what the workloads do. Totals of the host have no port; hardly any other process receives like this."""
MAX_BYTES = 32768
"""Bytes that one call can receive."""


class WatchedConnection:
    """A TCP connection whose server end always has :data:`MAX_BYTES` to receive: readers peek and never consume.

    No other process moves bytes on its port, so what the exporter counts there is known exactly.
    """

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.client = socket.create_connection(listener.getsockname())
            self.server, _ = listener.accept()
        self.port: int = self.server.getsockname()[1]
        self.client.sendall(bytes(MAX_BYTES))
        while len(self.server.recv(MAX_BYTES, socket.MSG_PEEK)) < MAX_BYTES:
            pass

    @property
    def flags(self) -> tuple[str, str]:
        """The flags with which ``copy-exporter serve`` counts this port separately."""
        return "--watch.port", str(self.port)

    @property
    def label(self) -> str:
        """The value of the label ``port``."""
        return str(self.port)

    def peek(self, *sizes: int) -> int:
        """Receive so many bytes, once for each size, in this process; their sum."""
        for size in sizes:
            assert len(self.server.recv(size, socket.MSG_PEEK)) == size
        return sum(sizes)

    def close(self) -> None:
        self.server.close()
        self.client.close()
