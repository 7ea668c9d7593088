"""What is known of a broker, as plain data that crosses the socket between the finder and the service."""

import json
from dataclasses import asdict, dataclass

UNKNOWN = "unknown"
"""Name and protocol of a listener of which only the socket is known."""


@dataclass(frozen=True)
class Listener:
    """A port that a broker or controller listens on."""

    name: str
    """As the configuration has it, in capitals."""
    protocol: str
    """``PLAINTEXT``, ``SSL``, ``SASL_PLAINTEXT``, ``SASL_SSL`` or :data:`UNKNOWN`."""
    port: int


@dataclass(frozen=True)
class Facts:
    """What the finder tells of one process."""

    node_id: str = ""
    """Empty when the configuration does not tell."""
    listeners: tuple[Listener, ...] = ()
    log_directories: tuple[int, ...] = ()
    """Inode numbers, as ``stat`` tells them."""
    settled: bool = False
    """Whether everything is known, so that it need not be asked again soon."""
    problems: tuple[str, ...] = ()
    """What could not be read, and why."""

    def encode(self) -> bytes:
        """JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, message: bytes) -> "Facts":
        """The opposite of :meth:`encode`; :class:`ValueError` when it is something else."""
        try:
            plain = json.loads(message)
            return cls(
                node_id=str(plain["node_id"]),
                listeners=tuple(_listener(**listener) for listener in plain["listeners"]),
                log_directories=tuple(int(inode) for inode in plain["log_directories"]),
                settled=bool(plain["settled"]),
                problems=tuple(str(problem) for problem in plain["problems"]),
            )
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"not an answer of the finder: {error}") from None


def _listener(name: object, protocol: object, port: object) -> Listener:
    if not isinstance(port, int) or not 0 < port < 65536:
        raise ValueError(f"port {port}")
    return Listener(str(name), str(protocol), port)


@dataclass(frozen=True)
class Broker:
    """A broker (or controller) that runs."""

    pid: int
    start_ticks: int
    """Start of the process after boot, in ticks of 10 ms."""
    comm: str
    facts: Facts
