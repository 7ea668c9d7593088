"""The parent's side: starts sender and sink, talks with them, and ends them whatever happens."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from exporter.errors import CopyExporterError

_PACKET_BYTES = 4096


class Child:
    """A process of this package with a control socket; :attr:`pid` is in our own pid namespace.

    A context manager: the process is gone afterwards.
    """

    def __init__(self, name: str, command: Sequence[str], control: socket.socket, theirs: Sequence[int]) -> None:
        """``command`` is run with the descriptors ``theirs`` open, under the same numbers."""
        self._name = name
        self._control = control
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  # closed in __exit__
        self._process = subprocess.Popen(
            command,
            pass_fds=theirs,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._complaints,
            process_group=0,  # Ctrl-C is for us, and we end the children
        )
        self.pid = self._process.pid

    @classmethod
    def start(cls, name: str, descriptors: Sequence[int], *arguments: object) -> Self:
        """Run ``exporter.demo.<name>`` with these descriptors and arguments, behind its control socket."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            passed = (theirs.fileno(), *descriptors)
            command = [sys.executable, "-P", "-m", f"exporter.demo.{name}", *map(str, (*passed, *arguments))]
            return cls(name, command, ours, passed)

    def go_on(self) -> None:
        """Wake it where it is parked."""
        with contextlib.suppress(BrokenPipeError):  # it has ended: report() tells how
            self._control.send(b"g")

    def report(self, timeout: float) -> dict[str, Any]:
        """What it says next; ``timeout`` in seconds. Raises :class:`CopyExporterError` when there is trouble."""
        self._control.settimeout(timeout)
        try:
            packet = self._control.recv(_PACKET_BYTES)
        except TimeoutError:
            raise CopyExporterError(f"the demo's {self._name} was not done within {timeout:.0f} s") from None
        except ConnectionResetError:
            packet = b""
        if not packet:
            raise CopyExporterError(f"the demo's {self._name} {self._ending()} before it was done")
        facts: dict[str, Any] = json.loads(packet)
        if "error" in facts:
            raise CopyExporterError(f"the demo's {self._name} failed: {facts['error']}")
        return facts

    def _ending(self) -> str:
        status = self._process.wait()
        if status < 0:
            return f"was killed by {signal.Signals(-status).name}"
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").split("\n")
        last = next((f" ({line.strip()})" for line in reversed(said) if line.strip()), "")
        return f"ended with status {status}{last}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._control.close()
        self._complaints.close()


def connected() -> tuple[socket.socket, socket.socket]:
    """Two ends of one TCP connection over loopback; no chunk waits for the next, as on a broker."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        near = socket.create_connection(listener.getsockname())
        while True:
            far, address = listener.accept()
            if address == near.getsockname():
                near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return near, far
            far.close()  # somebody else's
