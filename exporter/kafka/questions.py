"""Questions of the inspector: a process answers each, with the rights of the broker that it is about.

It opens the broker's root directory with the inspector's capabilities, takes on the broker's user and groups, gives up
every capability, and only then reads and interprets what the broker's user wrote. The inspector never does.
"""

import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from exporter.errors import CopyExporterError
from exporter.host.credentials import become
from exporter.host.procfs import Procfs
from exporter.kafka.broker import MAX_FACTS_BYTES, Facts
from exporter.kafka.inspect import facts_without_config, inspect_broker, listening_sockets
from exporter.kafka.process_handles import open_handles

DEADLINE_SECONDS = 5.0
_EXIT_SECONDS = 0.5
"""A process that takes longer to end hangs in the kernel, for example in a file system that does not answer."""
MAX_STUCK = 4
_MAX_STUCK_PER_OWNER = 2
"""Another user's brokers can still be asked about."""
_MAX_DESCRIPTOR = 1 << 20
_MAX_BYTES = 128 << 20
"""Of memory: four times what a configuration of 1 MiB takes. The service has one limit with its children."""
NO_RIGHTS = "its files cannot be read: the inspector needs CAP_SETUID and CAP_SETGID (docs/privileges.md)"


class UnansweredError(Exception):
    """A question has no answer; the message says why."""


@dataclass(frozen=True)
class _Stuck:
    process: int
    """The process that answers."""
    pid: int
    """The process that the question is about."""
    owner: int


class Questions:
    """Asks one question at a time. Handles process ids and answers, and looks into neither."""

    def __init__(self, procfs: str, respond: Callable[[str, int], bytes]) -> None:
        """``respond``: what to answer for a procfs and a process id; it runs in a process of its own."""
        self._procfs = procfs
        self._respond = respond
        self._stuck: list[_Stuck] = []

    def ask(self, pid: int) -> bytes:
        """The encoded facts of a process. Raises :class:`UnansweredError`."""
        owner = Procfs(self._procfs).owner(pid)
        self._check_stuck(pid, owner)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            process = os.fork()
            if not process:
                _answer(theirs, self._respond, self._procfs, pid)
            theirs.close()
            ours.settimeout(DEADLINE_SECONDS)
            answer, late = b"", False
            try:
                answer = ours.recv(MAX_FACTS_BYTES)
            except TimeoutError:
                late = True
            except OSError:
                pass
        if not _reaped(process):
            self._stuck.append(_Stuck(process, pid, owner))
        if not answer:
            raise UnansweredError(f"no answer within {DEADLINE_SECONDS:g} s" if late else "its process ended")
        return answer

    def _check_stuck(self, pid: int, owner: int) -> None:
        self._stuck = [stuck for stuck in self._stuck if not _has_ended(stuck.process)]
        if any(stuck.pid == pid for stuck in self._stuck):
            raise UnansweredError("an earlier question about it hangs in the kernel")
        owned = sum(stuck.owner == owner for stuck in self._stuck)
        if len(self._stuck) >= MAX_STUCK or owned >= _MAX_STUCK_PER_OWNER:
            raise UnansweredError(f"{len(self._stuck)} earlier questions hang in the kernel")


def respond(procfs: str, pid: int) -> bytes:
    """The encoded facts of a process, which always fit into one packet. This process has no rights afterwards."""
    try:
        encoded = _inspect(procfs, pid).encode()
    except Exception as error:
        encoded = Facts(problems=(f"{type(error).__name__}: {error}"[:1000],)).encode()
    fits = len(encoded) <= MAX_FACTS_BYTES
    return encoded if fits else Facts(problems=("the facts from its configuration exceed 64 KiB",)).encode()


def _inspect(procfs: str, pid: int) -> Facts:
    try:
        handles = open_handles(procfs, pid)
    except PermissionError as error:
        return Facts(problems=(f"{error.strerror}; the inspector needs CAP_SYS_PTRACE (docs/privileges.md)",))
    except OSError as error:
        return Facts(problems=(str(error.strerror),))
    try:
        become(handles.credentials)
    except (OSError, CopyExporterError):
        return facts_without_config(listening_sockets(handles), NO_RIGHTS)
    return inspect_broker(handles)


def _answer(channel: socket.socket, respond: Callable[[str, int], bytes], procfs: str, pid: int) -> None:
    """The process of one question: does not return. It ends itself, as the inspector may not kill it."""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, DEADLINE_SECONDS)
        resource.setrlimit(resource.RLIMIT_DATA, (_MAX_BYTES, _MAX_BYTES))
        _keep_only(channel)
        channel.send(respond(procfs, pid))
    finally:
        os._exit(0)


def _keep_only(channel: socket.socket) -> None:
    """Close every other descriptor, the inspector's socket to the service above all."""
    os.closerange(0, channel.fileno())
    os.closerange(channel.fileno() + 1, _MAX_DESCRIPTOR)


def _reaped(process: int) -> bool:
    deadline = time.monotonic() + _EXIT_SECONDS
    while not _has_ended(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def _has_ended(process: int) -> bool:
    with suppress(ChildProcessError):
        return os.waitpid(process, os.WNOHANG)[0] == process
    return True
