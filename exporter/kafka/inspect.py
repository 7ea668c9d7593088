"""The facts of a broker, from its command line, its configuration file and its listening sockets."""

import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from exporter.host.procfs import Procfs
from exporter.kafka.broker import Facts, Listener
from exporter.kafka.broker_config import BrokerConfig, parse_broker_config
from exporter.kafka.command_line import BrokerCommand, parse_broker_command
from exporter.kafka.listening_sockets import ListeningSocket, match_listeners, parse_listening, unknown_listeners
from exporter.kafka.process_files import ProcessFiles
from exporter.kafka.properties import parse_properties

_SOCKET = re.compile(r"socket:\[([0-9]+)\]")
_CHUNK_CHARACTERS = 1 << 16


@dataclass(frozen=True)
class _ConfigOnHost:
    """A configuration, and what the host has of it."""

    config: BrokerConfig
    log_directories: tuple[int, ...]
    """Inode numbers of the log directories that exist."""
    problems: tuple[str, ...]


def inspect_broker(procfs: str, pid: int) -> Facts:
    """The facts of a process, with the reasons for what is missing. Never raises :class:`OSError`."""
    command = parse_broker_command(Procfs(procfs).arguments(pid))
    if command is None:
        return Facts(problems=("not a broker",))
    try:
        on_host = _read_config(procfs, pid, command)
    except OSError as error:
        return _facts_without_config(procfs, pid, f"{command.file or 'files'}: {error.strerror}")
    config = on_host.config
    problems = [*config.problems, *on_host.problems]
    try:
        listeners, all_listen = _find_listeners(procfs, pid, config)
    except OSError as error:
        return Facts(problems=(*problems, f"sockets: {error.strerror}"))
    return Facts(
        node_id=config.node_id,
        listeners=listeners,
        log_directories=on_host.log_directories,
        complete=all_listen and len(on_host.log_directories) == len(config.log_directories),
        problems=tuple(problems),
    )


def _facts_without_config(procfs: str, pid: int, problem: str) -> Facts:
    try:
        return Facts(listeners=unknown_listeners(_process_sockets(procfs, pid)), problems=(problem,))
    except OSError:
        return Facts(problems=(problem,))


def _read_config(procfs: str, pid: int, command: BrokerCommand) -> _ConfigOnHost:
    with closing(ProcessFiles(procfs, pid)) as files:
        properties = parse_properties(files.read(command.file)) if command.file else {}
        config = parse_broker_config(properties | command.overrides)
        inodes, problems = [], []
        for directory in config.log_directories:
            try:
                inodes.append(files.find_inode(directory))
            except OSError as error:
                problems.append(f"log directory {directory}: {error.strerror}")
        return _ConfigOnHost(config, tuple(inodes), tuple(problems))


def _find_listeners(procfs: str, pid: int, config: BrokerConfig) -> tuple[tuple[Listener, ...], bool]:
    """The listeners, and whether all of them listen by now."""
    if not config.listeners:
        return unknown_listeners(_process_sockets(procfs, pid)), False
    # Only a port that the kernel chose needs the sockets of this very process, for which every descriptor is read:
    # a broker has many.
    kernel_chooses = any(not listener.port for listener in config.listeners)
    sockets = _process_sockets(procfs, pid) if kernel_chooses else list(_namespace_sockets(procfs, pid))
    listeners, missing = match_listeners(config.listeners, sockets)
    open_ports = {socket.port for socket in sockets}
    return listeners, not missing and {listener.port for listener in listeners} <= open_ports


def _process_sockets(procfs: str, pid: int) -> list[ListeningSocket]:
    """The listening sockets that a process has open."""
    inodes = set()
    for entry in os.listdir(f"{procfs}/{pid}/fd"):
        try:
            match = _SOCKET.fullmatch(os.readlink(f"{procfs}/{pid}/fd/{entry}"))
        except FileNotFoundError:  # closed meanwhile
            continue
        if match:
            inodes.add(int(match[1]))
    return [socket for socket in _namespace_sockets(procfs, pid) if socket.inode in inodes]


def _namespace_sockets(procfs: str, pid: int) -> Iterator[ListeningSocket]:
    """The listening sockets in the network namespace of a process.

    The kernel lists listening sockets first, so reading stops at the first connection.
    """
    for name in ("tcp", "tcp6"):
        text = ""
        with open(f"{procfs}/{pid}/net/{name}") as table:
            while chunk := table.read(_CHUNK_CHARACTERS):
                text += chunk
                last_line = text.rsplit("\n", 2)[-2:-1]
                if last_line and last_line[0] and " 0A " not in last_line[0] and "local_address" not in last_line[0]:
                    break
        yield from parse_listening(text)
