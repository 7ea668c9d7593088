"""What there is to know of a broker: from its command line, its configuration file and its listening sockets."""

import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from exporter.host.procfs import Procfs
from exporter.kafka.broker import Facts, Listener
from exporter.kafka.broker_config import Settings, read_settings
from exporter.kafka.command_line import BrokerCommand, broker_command
from exporter.kafka.listening_sockets import ListeningSocket, match_listeners, parse_listening, unknown_listeners
from exporter.kafka.process_files import ProcessFiles
from exporter.kafka.properties import parse_properties

_SOCKET = re.compile(r"socket:\[([0-9]+)\]")
_CHUNK = 1 << 16


@dataclass(frozen=True)
class _Configured:
    """A configuration, and the inode numbers of the log directories in it that are there."""

    settings: Settings
    directories: tuple[int, ...]
    problems: tuple[str, ...]


def gather(procfs: str, pid: int) -> Facts:
    """The facts of a process, with the reasons for what is missing. Never raises :class:`OSError`."""
    command = broker_command(Procfs(procfs).arguments(pid))
    if command is None:
        return Facts(problems=("it is not a broker",))
    try:
        configured = _configuration(procfs, pid, command)
    except OSError as error:
        return _without_configuration(procfs, pid, f"{command.file or 'its files'}: {error.strerror}")
    problems = [*configured.settings.problems, *configured.problems]
    try:
        listeners, complete = _listeners(procfs, pid, configured.settings)
    except OSError as error:
        return Facts(problems=(*problems, f"its sockets: {error.strerror}"))
    missing = len(configured.settings.log_directories) - len(configured.directories)
    return Facts(
        node_id=configured.settings.node_id,
        listeners=listeners,
        log_directories=configured.directories,
        settled=complete and not missing,
        problems=tuple(problems),
    )


def _without_configuration(procfs: str, pid: int, problem: str) -> Facts:
    try:
        return Facts(listeners=unknown_listeners(_own(procfs, pid)), problems=(problem,))
    except OSError:
        return Facts(problems=(problem,))


def _configuration(procfs: str, pid: int, command: BrokerCommand) -> _Configured:
    with closing(ProcessFiles(procfs, pid)) as inside:
        written = parse_properties(inside.read(command.file)) if command.file else {}
        settings = read_settings(written | command.overrides)
        directories, problems = [], []
        for directory in settings.log_directories:
            try:
                directories.append(inside.inode(directory))
            except OSError as error:
                problems.append(f"log directory {directory}: {error.strerror}")
        return _Configured(settings, tuple(directories), tuple(problems))


def _listeners(procfs: str, pid: int, settings: Settings) -> tuple[tuple[Listener, ...], bool]:
    """The listeners, and whether all of them listen by now."""
    if not settings.listeners:
        return unknown_listeners(_own(procfs, pid)), False
    # Which of the sockets are its own takes a look at each of its descriptors, of which a broker has many.
    chosen_by_kernel = any(not endpoint.port for endpoint in settings.listeners)
    sockets = _own(procfs, pid) if chosen_by_kernel else list(_listening(procfs, pid))
    listeners, missing = match_listeners(settings.listeners, sockets)
    return listeners, not missing and {one.port for one in listeners} <= {one.port for one in sockets}


def _own(procfs: str, pid: int) -> list[ListeningSocket]:
    inodes = set()
    for entry in os.listdir(f"{procfs}/{pid}/fd"):
        try:
            match = _SOCKET.fullmatch(os.readlink(f"{procfs}/{pid}/fd/{entry}"))
        except FileNotFoundError:  # closed meanwhile
            continue
        if match:
            inodes.add(int(match[1]))
    return [socket for socket in _listening(procfs, pid) if socket.inode in inodes]


def _listening(procfs: str, pid: int) -> Iterator[ListeningSocket]:
    """Of the network namespace of the process. The kernel lists listening sockets first: connections are not read."""
    for name in ("tcp", "tcp6"):
        text = ""
        with open(f"{procfs}/{pid}/net/{name}") as table:
            while chunk := table.read(_CHUNK):
                text += chunk
                last = text.rsplit("\n", 2)[-2:-1]
                if last and last[0] and " 0A " not in last[0] and "local_address" not in last[0]:
                    break
        yield from parse_listening(text)
