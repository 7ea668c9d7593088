"""The facts of a broker, from its command line, its configuration file and its listening sockets."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from exporter.host.procfs import MAX_ARGUMENTS
from exporter.kafka.broker import MAX_LINKED_FOLDERS, MAX_LISTENERS, MAX_PORTS, UNKNOWN, Facts, LinkedFolder, Listener
from exporter.kafka.broker_config import BrokerConfig, parse_broker_config
from exporter.kafka.command_line import BrokerCommand, parse_broker_command
from exporter.kafka.listening_sockets import ListeningSocket, match_listeners, parse_listening, unknown_listeners
from exporter.kafka.meta_properties import FILE_NAME, DirectoryIdentity, first_identity, parse_meta_properties
from exporter.kafka.partition_folders import is_partition_folder
from exporter.kafka.process_files import Directory, ProcessFiles
from exporter.kafka.process_handles import ProcessHandles
from exporter.kafka.properties import parse_properties
from exporter.kafka.versions import jdk_version, kafka_version

_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True)
class _ConfigOnHost:
    """A configuration, and what the host has of it."""

    config: BrokerConfig
    fingerprint: str
    log_directories: tuple[Directory, ...]
    """Those that exist."""
    linked_folders: tuple[LinkedFolder, ...]
    identity: DirectoryIdentity
    problems: tuple[str, ...]
    version: str
    jdk: str


def inspect_broker(handles: ProcessHandles) -> Facts:
    """The facts of a process, with the reasons for what is missing. Never raises :class:`OSError`."""
    command = parse_broker_command(handles.command_line.decode(errors="replace").split("\0", MAX_ARGUMENTS)[:-1])
    if command is None:
        return Facts(problems=("not a broker",))
    try:
        sockets = listening_sockets(handles)
    except OSError as error:
        return Facts(problems=(f"sockets: {error.strerror}",))
    try:
        on_host = _read_config(handles, command)
    except OSError as error:
        return facts_without_config(sockets, f"{command.file or 'files'}: {error.strerror}")
    return _facts(on_host, sockets)


def facts_without_config(sockets: list[ListeningSocket], problem: str) -> Facts:
    """What the sockets show."""
    return Facts(listeners=unknown_listeners(sockets)[:MAX_LISTENERS], ports=_ports(sockets), problems=(problem,))


def listening_sockets(handles: ProcessHandles) -> list[ListeningSocket]:
    """The listening sockets that the process has open. Raises :class:`OSError`."""
    texts = [_read_listening(table) for table in handles.tables]
    return [socket for text in texts for socket in parse_listening(text, handles.sockets)]


def _facts(on_host: _ConfigOnHost, sockets: list[ListeningSocket]) -> Facts:
    config, ports = on_host.config, _ports(sockets)
    if config.old_listener and config.old_listener.port in ports:
        config = replace(config, listeners=(config.old_listener,))
    if config.listeners:
        matched, missing = match_listeners(config.listeners, sockets[:MAX_PORTS])
        open_ports = set(ports)
        configured = tuple(listener for listener in matched if listener.port in open_ports)
        all_listen = not missing and configured == matched
        known = {listener.port for listener in configured}
        unconfigured = tuple(port for port in ports if port not in known)
        closed = tuple(listener.port for listener in matched if listener.port not in open_ports)
        listeners = (*configured, *(Listener(UNKNOWN, UNKNOWN, port) for port in unconfigured))
    else:
        listeners, all_listen, unconfigured, closed = unknown_listeners(sockets), False, (), ()
    return Facts(
        node_id=on_host.identity.node_id or config.node_id,
        listeners=listeners[:MAX_LISTENERS],
        log_directories=tuple(directory.file for directory in on_host.log_directories),
        linked_folders=on_host.linked_folders,
        on_overlay=any(directory.on_overlay for directory in on_host.log_directories),
        ports=ports,
        fingerprint=on_host.fingerprint,
        complete=all_listen
        and bool(on_host.identity.cluster_id)
        and len(on_host.log_directories) == len(config.log_directories),
        problems=(*config.problems, *on_host.problems),
        cluster_id=on_host.identity.cluster_id,
        directory_id=on_host.identity.directory_id,
        roles=config.roles,
        version=on_host.version,
        jdk=on_host.jdk,
        closed=closed[:MAX_PORTS],
        unconfigured=unconfigured,
    )


def _ports(sockets: list[ListeningSocket]) -> tuple[int, ...]:
    return tuple(sorted({socket.port for socket in sockets})[:MAX_PORTS])


def _read_config(handles: ProcessHandles, command: BrokerCommand) -> _ConfigOnHost:
    files = ProcessFiles(handles)
    properties = (parse_properties(files.read(command.file)) if command.file else {}) | command.overrides
    config = parse_broker_config(properties)
    if not config.log_directories:
        config = replace(config, log_directories=_locked_directories(files, handles))
    directories, links, problems = [], [], []
    for path in config.log_directories:
        try:
            directories.append(files.find_directory(path))
            links += [LinkedFolder(name, target) for name, target in files.find_links(path, is_partition_folder)]
        except OSError as error:
            problems.append(f"log directory {path}: {error.strerror}")
    if len(links) > MAX_LINKED_FOLDERS:
        problems.append(f"{len(links)} symbolic links to partition folders, only {MAX_LINKED_FOLDERS} are counted")
        del links[MAX_LINKED_FOLDERS:]
    identity, unread = _identity(files, config.log_directories)
    return _ConfigOnHost(
        config,
        _fingerprint(properties),
        tuple(directories),
        tuple(links),
        identity,
        (*problems, *unread),
        kafka_version(handles.jars),
        jdk_version(files, handles.executable),
    )


def _locked_directories(files: ProcessFiles, handles: ProcessHandles) -> tuple[str, ...]:
    """The log directories of a broker whose configuration does not have them: it keeps a lock in each."""
    return tuple(dict.fromkeys(str(PurePosixPath(files.path_inside(lock)).parent) for lock in handles.locks))


def _identity(files: ProcessFiles, directories: Iterable[str]) -> tuple[DirectoryIdentity, list[str]]:
    """The ids that the log directories have, and why they are not known."""
    identities, problems = [], []
    for directory in directories:
        path = f"{directory}/{FILE_NAME}"
        try:
            identities.append(parse_meta_properties(files.read(path)))
        except OSError as error:
            problems.append(f"{path}: {error.strerror}")
    identity = first_identity(identities)
    if identity.cluster_id:
        return identity, []
    return identity, [f"cluster id {UNKNOWN}: {next(iter(problems), 'no log directory has it')}"]


def _fingerprint(properties: Mapping[str, str]) -> str:
    text = repr(sorted(properties.items()))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def _read_listening(table: int) -> str:
    """The part of /proc/PID/net/tcp with the listening sockets: the kernel lists them before the connections."""
    chunks = []
    while chunk := os.read(table, _CHUNK_BYTES):  # of whole lines
        chunks.append(chunk)
        last_line = chunk.splitlines()[-1]
        if b" 0A " not in last_line and b"local_address" not in last_line:
            break
    return b"".join(chunks).decode()
