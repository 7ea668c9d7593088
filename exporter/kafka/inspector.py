"""The inspector: a privileged process that answers one request, the facts of the broker with a given process id.

The service starts it before it gives up root. The inspector keeps two capabilities: CAP_SYS_PTRACE, to reach the files
of another process, and CAP_DAC_READ_SEARCH, to read a configuration that only its owner may read. It has no probes and
no maps, and a network namespace of its own without devices. It exits when the service does.
"""

import signal
import socket
import struct
import sys
from contextlib import suppress

from exporter.errors import CopyExporterError
from exporter.host import capabilities, privileges
from exporter.host.child_process import ChildFailedError, ChildProcess, python_module
from exporter.kafka.broker import Facts
from exporter.kafka.inspect import inspect_broker

INSPECTOR = python_module("exporter.kafka.inspector")
CAPABILITIES = ("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")
_REQUEST = struct.Struct("=I")
_MAX_RESPONSE_BYTES = 1 << 16
_TIMEOUT_SECONDS = 10.0


class InspectorExitedError(Exception):
    """The inspector does not respond any more; the message says why."""


class Inspector:
    """The inspector as the service sees it."""

    def __init__(self, procfs: str, user: str) -> None:
        """Start the process with the privileges of this one; it then becomes ``user``."""
        self._process = ChildProcess("the inspector", INSPECTOR, procfs, user)

    @property
    def pid(self) -> int:
        """Process id of the inspector."""
        return self._process.pid

    def inspect(self, pid: int) -> Facts:
        """The facts of a broker.

        Raises :class:`InspectorExitedError` without a valid response; the inspector is closed then.
        """
        try:
            self._process.send(_REQUEST.pack(pid))
            return Facts.decode(self._process.receive(_MAX_RESPONSE_BYTES, _TIMEOUT_SECONDS))
        except ChildFailedError as error:
            problem = str(error)
        except ValueError as error:
            problem = f"the inspector sent an invalid response: {error}"
        except OSError as error:
            problem = f"the inspector cannot be reached: {error.strerror}"
        self.close()
        raise InspectorExitedError(problem)

    def close(self) -> None:
        """Kill the process."""
        self._process.close()


def main() -> None:
    """``python -m exporter.kafka.inspector SOCKET PROCFS USER``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, with which the inspector exits
    channel = socket.socket(fileno=int(sys.argv[1]))
    with suppress(ConnectionError):  # the service has exited
        try:
            capabilities.raise_permitted()
            privileges.leave_network()
            privileges.drop(privileges.find_user(sys.argv[3]), CAPABILITIES)
        except CopyExporterError as error:
            channel.recv(_REQUEST.size)  # exiting with an unread request would discard the response
            channel.send(Facts(problems=(f"the inspector: {error}",)).encode())
            sys.exit(1)
        while len(request := channel.recv(_REQUEST.size + 1)) == _REQUEST.size:
            channel.send(respond(sys.argv[2], *_REQUEST.unpack(request)))


def respond(procfs: str, pid: int) -> bytes:
    """The encoded facts of a process, which always fit into one packet."""
    try:
        encoded = inspect_broker(procfs, pid).encode()
    except Exception as error:
        encoded = Facts(problems=(f"{type(error).__name__}: {error}"[:1000],)).encode()
    fits = len(encoded) <= _MAX_RESPONSE_BYTES
    return encoded if fits else Facts(problems=("the facts from its configuration exceed 64 KiB",)).encode()


if __name__ == "__main__":
    main()
