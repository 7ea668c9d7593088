"""Child processes: a socket to exchange messages with each, and the reason when one does not answer."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from exporter.host.surroundings import environment_of_children

_EXIT_SECONDS = 5.0
"""How long a child that has closed its socket, or was killed, may take to exit."""


class ChildFailedError(Exception):
    """The child exited or did not answer. ``str()`` of it is the reason, with the last line of the child's stderr."""


def python_module(name: str) -> tuple[str, ...]:
    """The command that runs a module with this Python; ``-P``: never one of the working directory."""
    return sys.executable, "-P", "-m", name


class ChildProcess:
    """A child process and a UNIX socket (SOCK_SEQPACKET) to it. A context manager: the child has ended afterwards."""

    def __init__(self, name: str, command: Sequence[str], *arguments: object, descriptors: Sequence[int] = ()) -> None:
        """Run ``command`` with these arguments: its socket's number, the ``descriptors`` it inherits, ``arguments``.

        Errors call the child ``name``. It has a process group of its own, so Ctrl-C in a terminal does not reach it,
        an environment built from nothing, and / as working directory.
        """
        self.name = name
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._stderr = open(os.memfd_create("stderr"), "w+b")  # noqa: SIM115  # no file system needs to be writable
        inherited = (theirs.fileno(), *descriptors)
        try:
            self._process = subprocess.Popen(
                [*command, *map(str, (*inherited, *arguments))],
                pass_fds=inherited,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                cwd="/",
                env=environment_of_children(),
                process_group=0,
            )
        except OSError:
            self._close_descriptors()
            raise
        finally:
            theirs.close()

    @property
    def pid(self) -> int:
        """The child's process id, in the pid namespace of this process."""
        return self._process.pid

    def send(self, message: bytes) -> None:
        """Send a message; if the child has exited, :meth:`receive` reports it."""
        with contextlib.suppress(ConnectionError):
            self.channel.send(message)

    def receive(self, size: int, timeout: float) -> bytes:
        """The next message, of at most ``size`` bytes; ``timeout`` in seconds. Raises :class:`ChildFailedError`."""
        message, _ = self.receive_descriptors(size, 0, timeout)
        return message

    def receive_descriptors(self, size: int, count: int, timeout: float) -> tuple[bytes, list[int]]:
        """The next message with at most ``count`` descriptors, as :meth:`receive`."""
        self.channel.settimeout(timeout)
        try:
            message, descriptors, _, _ = socket.recv_fds(self.channel, size, count)
        except TimeoutError:
            raise ChildFailedError(f"{self.name} did not answer within {timeout:g} s") from None
        except ConnectionError:
            message, descriptors = b"", []
        if not message:
            raise ChildFailedError(f"{self.name} {self._exit_description()} before it finished{self._last_line()}")
        return message, descriptors

    def kill(self) -> None:
        """Kill the child; does not wait until it has ended."""
        self._process.kill()

    def close(self) -> None:
        """Kill the child, and wait until it has ended, unless it hangs in the kernel."""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_EXIT_SECONDS)
        self._close_descriptors()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _close_descriptors(self) -> None:
        self.channel.close()
        self._stderr.close()

    def _exit_description(self) -> str:
        try:
            status = self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            return "closed its socket"
        if status >= 0:
            return f"exited with status {status}"
        names = {number.value: number.name for number in signal.Signals}  # real-time signals have none
        return f"was killed by {names.get(-status, f'signal {-status}')}"

    def _last_line(self) -> str:
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").split("\n")
        return next((f": {line.strip()}" for line in reversed(lines) if line.strip()), "")
