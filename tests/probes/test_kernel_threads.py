"""What kernel threads copy counts for process 0. The client of 9p has one: it reads and writes its socket there."""

import errno
import os
import socket
import struct
import subprocess
import threading
from pathlib import Path

import pytest

from exporter.host.procfs import Procfs
from exporter.model import KERNEL, Endpoint, Identity, Operation, Row, RowKind, Rows
from tests.support.requirements import require_root, skip_for_kernel

from .probe_fixture import ProbeFixture, added_between, socket_copy

_HEADER = struct.Struct("<IBH")
"""Size, type and tag of a message of 9p."""
_VERSION = 100
_LERROR = 7
USER_COPIES = [
    Row(kind, Operation.NONE, Endpoint.UNKNOWN, Endpoint.UNKNOWN, 0, 0) for kind in (RowKind.TO_USER, RowKind.FROM_USER)
]


class Server:
    """Answers the client's version, and all other messages with an error."""

    def __init__(self) -> None:
        self.client, self._socket = socket.socketpair()
        self.sent = 0
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while header := self._socket.recv(_HEADER.size, socket.MSG_WAITALL):
            size, kind, tag = _HEADER.unpack(header)
            body = self._socket.recv(size - _HEADER.size, socket.MSG_WAITALL)
            if kind == _VERSION:
                self._send(_VERSION + 1, tag, body)
            else:
                self._send(_LERROR, tag, struct.pack("<I", errno.ENOENT))

    def _send(self, kind: int, tag: int, body: bytes) -> None:
        self._socket.sendall(_HEADER.pack(_HEADER.size + len(body), kind, tag) + body)
        self.sent += _HEADER.size + len(body)

    def close(self) -> None:
        self.client.close()
        self._thread.join()
        self._socket.close()


def fail_to_mount(directory: Path) -> int:
    """Have a kernel thread talk with a server; the bytes that it received."""
    server = Server()
    end = server.client.fileno()
    command = ["mount", "-t", "9p", "-o", f"trans=fd,version=9p2000.L,rfdno={end},wfdno={end}", "none", directory]
    done = subprocess.run(command, pass_fds=(end,), capture_output=True, text=True, check=False)
    server.close()
    if "unknown filesystem type" in done.stderr:
        skip_for_kernel("the client of 9p")
    assert os.strerror(errno.ENOENT).lower() in done.stderr.lower() or "does not exist" in done.stderr, done.stderr
    return server.sent


def of_kernel(probes: ProbeFixture) -> Rows:
    return probes.maps.sample().processes.get(KERNEL, {})


def kernel_threads(probes: ProbeFixture) -> set[Identity]:
    """Those that have rows of their own."""
    procfs = Procfs()
    found = {identity: procfs.stat(identity.pid) for identity in probes.maps.sample().processes.keys() - {KERNEL}}
    return {identity for identity, stat in found.items() if stat and stat.is_kernel_thread}


@pytest.mark.probe("sockets")
def test_they_count_as_one_process(all_probes: ProbeFixture, tmp_path: Path) -> None:
    require_root()
    before = of_kernel(all_probes)
    received = fail_to_mount(tmp_path)
    added = added_between(before, of_kernel(all_probes))
    assert {row: amount for row, (_, amount) in added.items() if row.kind is RowKind.KERNEL_COPY} == {
        socket_copy(Endpoint.UNIX): received
    }
    if all_probes.state("usercopy").attached:
        assert all(added[row][1] > 0 for row in USER_COPIES)
    assert kernel_threads(all_probes) == set()
