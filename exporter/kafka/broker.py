"""A broker as plain data; its facts cross the socket between the inspector and the service as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

from exporter.host.label_text import label_text
from exporter.model import FileId

UNKNOWN = "unknown"
"""Name and protocol of a listener of which only the socket is known; an id that could not be read."""
MAX_LISTENERS = 100
"""Of one broker that are told."""
MAX_PORTS = 1000
"""Listening ports of one process that are told; no broker has as many."""
MAX_LINKED_FOLDERS = 100
"""Of one broker that are told."""
MAX_FACTS_BYTES = 1 << 16
CHANGED_CONFIG = "its configuration was changed after its start: the facts are those of its start"


class LinkedFolder(NamedTuple):
    """A symbolic link in a log directory, to a partition's folder."""

    name: str
    """Of the link."""
    target: FileId


@dataclass(frozen=True)
class Listener:
    """A port that a broker or controller listens on."""

    name: str
    """As in the configuration, in capitals."""
    protocol: str
    """``PLAINTEXT``, ``SSL``, ``SASL_PLAINTEXT``, ``SASL_SSL`` or :data:`UNKNOWN`."""
    port: int


class Node(NamedTuple):
    """The identity of a broker in metrics: the labels ``cluster_id`` and ``node_id``."""

    cluster_id: str
    node_id: str


@dataclass(frozen=True)
class Facts:
    """The facts of one process that the inspector returns."""

    node_id: str = ""
    """Empty while it is not known, as the other ids are."""
    listeners: tuple[Listener, ...] = ()
    log_directories: tuple[FileId, ...] = ()
    linked_folders: tuple[LinkedFolder, ...] = ()
    """Partition folders that are somewhere else."""
    on_overlay: bool = False
    """Whether a log directory is on overlayfs, where the disk reads belong to folders of another file system."""
    ports: tuple[int, ...] = ()
    """All ports on which the process listens, at most :data:`MAX_PORTS`."""
    fingerprint: str = ""
    """Of the configuration; empty when it could not be read."""
    complete: bool = False
    """Whether every fact is known, so that the broker need not be inspected again soon."""
    problems: tuple[str, ...] = ()
    """What could not be read, and why."""
    cluster_id: str = ""
    directory_id: str = ""
    """Of its first log directory; Kafka has it since 3.7."""
    roles: str = ""
    """``process.roles``, joined by commas; empty while the configuration is not known."""
    version: str = ""
    """Of Kafka, from the names of its open jars; empty when they do not have it."""
    jdk: str = ""
    closed: tuple[int, ...] = ()
    """Configured ports that are not open."""
    unconfigured: tuple[int, ...] = ()
    """Open ports that the configuration does not have."""
    config_changed: bool = False
    """Whether the configuration was changed after the start."""

    def since_start(self, now: "Facts") -> "Facts":
        """The facts ``now`` of a process with these facts before: a running broker has the configuration of its start.

        A port that the configuration of its start does not explain is :data:`UNKNOWN`. Its ids do not change.
        """
        ids = {name: getattr(self, name) or getattr(now, name) for name in ("node_id", "cluster_id", "directory_id")}
        if not self.fingerprint or now.fingerprint == self.fingerprint:
            return replace(now, **ids)
        known = {listener.port: listener for listener in self.listeners}
        shown = sorted({listener.port for listener in now.listeners} | known.keys())
        listeners = (known.get(port) or Listener(UNKNOWN, UNKNOWN, port) for port in shown if port in now.ports)
        return replace(
            self,
            listeners=tuple(listeners),
            ports=now.ports,
            problems=(CHANGED_CONFIG,),
            closed=tuple(sorted({*self.closed, *known} - set(now.ports))),
            unconfigured=tuple(port for port in now.ports if port not in known or port in self.unconfigured),
            config_changed=True,
            **ids,
        )

    def encode(self) -> bytes:
        """JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, message: bytes) -> "Facts":
        """Parse the JSON of :meth:`encode`. Raises :class:`ValueError` for any other bytes."""
        try:
            fields = json.loads(message)
            return cls(
                node_id=label_text(str(fields["node_id"])),
                listeners=tuple(_listener(**listener) for listener in fields["listeners"]),
                log_directories=tuple(_file_id(*directory) for directory in fields["log_directories"]),
                linked_folders=tuple(_linked_folder(*folder) for folder in fields["linked_folders"]),
                on_overlay=bool(fields["on_overlay"]),
                ports=tuple(int(port) for port in fields["ports"]),
                fingerprint=str(fields["fingerprint"])[:64],
                complete=bool(fields["complete"]),
                problems=tuple(str(problem) for problem in fields["problems"]),
                cluster_id=label_text(str(fields["cluster_id"])),
                directory_id=label_text(str(fields["directory_id"])),
                roles=label_text(str(fields["roles"])),
                version=label_text(str(fields["version"])),
                jdk=label_text(str(fields["jdk"])),
                closed=tuple(int(port) for port in fields["closed"]),
                unconfigured=tuple(int(port) for port in fields["unconfigured"]),
            )
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"invalid facts of a broker: {error}") from None


def _file_id(device: object, inode: object) -> FileId:
    if not isinstance(device, int) or not isinstance(inode, int):
        raise ValueError(f"file {device}:{inode}")
    return FileId(device, inode)


def _linked_folder(name: object, target: Sequence[object]) -> LinkedFolder:
    return LinkedFolder(str(name), _file_id(*target))


def _listener(name: object, protocol: object, port: object) -> Listener:
    if not isinstance(port, int) or not 0 < port < 65536:
        raise ValueError(f"port {port}")
    return Listener(label_text(str(name)), label_text(str(protocol)), port)


@dataclass(frozen=True)
class Broker:
    """A running broker or controller."""

    pid: int
    start_ticks: int
    """Start of the process after boot, in ticks of 10 ms."""
    comm: str
    facts: Facts
    owner: int = 0
    """User id."""
    discriminator: str = ""
    """What tells it from another running broker with the same ids; empty when it is alone."""

    @property
    def node(self) -> Node:
        """Its identity, which no other running broker has."""
        node_id = self.facts.node_id or UNKNOWN
        return Node(
            self.facts.cluster_id or UNKNOWN, f"{node_id}@{self.discriminator}" if self.discriminator else node_id
        )
