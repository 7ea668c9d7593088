"""A broker as plain data; its facts cross the socket between the inspector and the service as JSON."""

import json
from dataclasses import asdict, dataclass

from exporter.host.label_text import label_text

UNKNOWN = "unknown"
"""Name and protocol of a listener of which only the socket is known."""


@dataclass(frozen=True)
class Listener:
    """A port that a broker or controller listens on."""

    name: str
    """As in the configuration, in capitals."""
    protocol: str
    """``PLAINTEXT``, ``SSL``, ``SASL_PLAINTEXT``, ``SASL_SSL`` or :data:`UNKNOWN`."""
    port: int


@dataclass(frozen=True)
class Facts:
    """The facts of one process that the inspector returns."""

    node_id: str = ""
    """Empty when the configuration has none."""
    listeners: tuple[Listener, ...] = ()
    log_directories: tuple[int, ...] = ()
    """Inode numbers, as returned by ``stat``."""
    complete: bool = False
    """Whether every fact is known, so that the broker need not be inspected again soon."""
    problems: tuple[str, ...] = ()
    """What could not be read, and why."""

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
                log_directories=tuple(int(inode) for inode in fields["log_directories"]),
                complete=bool(fields["complete"]),
                problems=tuple(str(problem) for problem in fields["problems"]),
            )
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"invalid facts of a broker: {error}") from None


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
