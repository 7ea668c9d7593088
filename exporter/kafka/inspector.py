"""The finder: a process that may look into others, and that answers one question: the facts of this broker.

It is started before the service gives up root, and keeps two capabilities of it: CAP_SYS_PTRACE, to go where another
process is, and CAP_DAC_READ_SEARCH, to read a configuration that only its owner may. It has no probes, no map, and a
network namespace of its own in which there is nothing. It ends when the service does.
"""

import signal
import socket
import struct
import subprocess
import sys
from contextlib import suppress

from exporter.errors import CopyExporterError
from exporter.host import capabilities, privileges
from exporter.kafka.broker import Facts
from exporter.kafka.inspect import gather

INSPECTOR = (sys.executable, "-P", "-m", "exporter.kafka.inspector")
CAPABILITIES = ("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")
_QUESTION = struct.Struct("=I")
_ANSWER_BYTES = 1 << 16
_ANSWER_SECONDS = 10.0


class InspectorExitedError(Exception):
    """The finder does not answer any more, and why."""


class Inspector:
    """The service's end of the socket pair."""

    def __init__(self, procfs: str, user: str) -> None:
        """Start the process, as the one that we still are."""
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.settimeout(_ANSWER_SECONDS)
        with theirs:
            self._process = subprocess.Popen(
                [*INSPECTOR, str(theirs.fileno()), procfs, user],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def ask(self, pid: int) -> Facts:
        """The facts of a broker. Raises :class:`InspectorExitedError`, from then on always, without a valid answer."""
        try:
            return Facts.decode(self._exchange(pid))
        except (OSError, ValueError, InspectorExitedError) as error:
            self.close()
            raise InspectorExitedError(str(error)) from None

    def _exchange(self, pid: int) -> bytes:
        answer = b""
        with suppress(ConnectionError):
            self._channel.send(_QUESTION.pack(pid))
            answer = self._channel.recv(_ANSWER_BYTES)
        if not answer:
            raise InspectorExitedError(f"it ended with status {self._process.wait()}")
        return answer

    def close(self) -> None:
        """End it."""
        self._channel.close()
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # it may hang on a disk that does not answer
            self._process.wait(1)


def main() -> None:
    """``python -m exporter.kafka.inspector SOCKET PROCFS USER``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, and this ends with it
    channel = socket.socket(fileno=int(sys.argv[1]))
    with suppress(ConnectionError):  # the service has ended
        try:
            capabilities.raise_permitted()
            privileges.leave_network()
            privileges.drop(privileges.find_user(sys.argv[3]), CAPABILITIES)
        except CopyExporterError as error:
            channel.recv(_QUESTION.size)  # one that is not read when we end would take the answer with it
            channel.send(Facts(problems=(f"the finder: {error}",)).encode())
            sys.exit(1)
        while len(question := channel.recv(_QUESTION.size + 1)) == _QUESTION.size:
            channel.send(answer(sys.argv[2], *_QUESTION.unpack(question)))


def answer(procfs: str, pid: int) -> bytes:
    """What is sent back for one process: facts that fit into one packet, whatever its configuration is full of."""
    try:
        encoded = gather(procfs, pid).encode()
    except Exception as error:
        encoded = Facts(problems=(f"{type(error).__name__}: {error}"[:1000],)).encode()
    return encoded if len(encoded) <= _ANSWER_BYTES else Facts(problems=("its configuration is too long",)).encode()


if __name__ == "__main__":
    main()
