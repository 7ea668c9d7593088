"""The inspector: a privileged process that answers one request, the facts of the broker with a given process id.

The service starts it before it gives up root. The inspector keeps three capabilities: CAP_SYS_PTRACE, to reach another
process, and CAP_SETUID and CAP_SETGID, to have a child with the broker's rights alone read its files. It has no probes
and no maps, and a network namespace of its own without devices. It exits when the service does.
"""

import os
import signal
import socket
import struct
import sys
import time
from contextlib import suppress

from exporter.errors import CopyExporterError
from exporter.host import capabilities, privileges
from exporter.host.child_process import ChildFailedError, ChildProcess, python_module
from exporter.host.surroundings import forbid_tracing
from exporter.kafka.broker import MAX_FACTS_BYTES, Facts
from exporter.kafka.questions import DEADLINE_SECONDS, Questions, UnansweredError, respond

INSPECTOR = python_module("exporter.kafka.inspector")
CAPABILITIES = ("CAP_SYS_PTRACE", "CAP_SETUID", "CAP_SETGID")
_REQUEST = struct.Struct("=II")
"""A number that the response repeats, and the process id."""
_RESPONSE = struct.Struct("=I?")
"""The number of the request, and whether facts follow, or else the reason why there are none."""
_TIMEOUT_SECONDS = DEADLINE_SECONDS + 3.0
_MAX_RESTART_SECONDS = 60.0


class InspectionError(Exception):
    """There is no answer now; a later question may have one. The message says why."""


class Inspector:
    """The inspector as the service sees it. For one thread."""

    def __init__(self, procfs: str, user: str) -> None:
        """Start the process with the privileges of this one; it then becomes ``user``."""
        self._process = ChildProcess("the inspector", INSPECTOR, procfs, user)
        self._requests = 0

    @property
    def pid(self) -> int:
        """Process id of the inspector."""
        return self._process.pid

    def inspect(self, pid: int) -> Facts:
        """The facts of a broker. Raises :class:`InspectionError`."""
        self._requests = (self._requests + 1) & 0xFFFFFFFF
        try:
            self._process.send(_REQUEST.pack(self._requests, pid))
            return self._receive(time.monotonic() + _TIMEOUT_SECONDS)
        except ChildFailedError as error:
            problem = str(error)
        except (ValueError, struct.error) as error:
            problem = f"the inspector sent an invalid response: {error}"
        except OSError as error:
            problem = f"the inspector cannot be reached: {error.strerror or error}"
        raise InspectionError(problem)

    def _receive(self, deadline: float) -> Facts:
        """The response to the last request; late responses to earlier ones are dropped."""
        while True:
            remaining = max(0.001, deadline - time.monotonic())
            message = self._process.receive(_RESPONSE.size + MAX_FACTS_BYTES, remaining)
            number, has_facts = _RESPONSE.unpack_from(message)
            if number != self._requests:
                continue
            if has_facts:
                return Facts.decode(message[_RESPONSE.size :])
            raise InspectionError(message[_RESPONSE.size :].decode(errors="replace"))

    def close(self) -> None:
        """Kill the process."""
        self._process.close()


def main() -> None:
    """``python -m exporter.kafka.inspector SOCKET PROCFS USER``."""
    forbid_tracing()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, with which the inspector exits
    channel = socket.socket(fileno=int(sys.argv[1]))
    problem = _drop_privileges(sys.argv[3])
    delay = 1.0
    while serving := os.fork():
        started = time.monotonic()
        if os.waitpid(serving, 0)[1] == 0:
            return
        delay = 1.0 if time.monotonic() - started > _MAX_RESTART_SECONDS else min(2 * delay, _MAX_RESTART_SECONDS)
        time.sleep(delay)
    with suppress(ConnectionError):  # the service has exited
        serve(channel, Questions(sys.argv[2], respond), problem)


def serve(channel: socket.socket, questions: Questions, problem: str = "") -> None:
    """Answer requests until the service exits or sends an invalid one; with ``problem`` if there is one."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps what has hung: perhaps there is no other request
    while len(request := channel.recv(_REQUEST.size + 1)) == _REQUEST.size:
        number, pid = _REQUEST.unpack(request)
        try:
            if problem:
                raise UnansweredError(problem)
            channel.send(_RESPONSE.pack(number, True) + questions.ask(pid))
        except UnansweredError as error:
            channel.send(_RESPONSE.pack(number, False) + f"the inspector: {error}".encode())


def _drop_privileges(user: str) -> str:
    """Keep only what is needed, as far as this process has it; returns what failed."""
    try:
        capabilities.raise_permitted()
        privileges.leave_network()
        held = capabilities.held()
        privileges.drop(privileges.find_user(user), [name for name in CAPABILITIES if name in held])
    except CopyExporterError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    main()
