"""Listening TCP sockets: parse /proc/PID/net/tcp and tcp6, and match the sockets with configured listeners."""

import ipaddress
import struct
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from exporter.kafka.broker import UNKNOWN, Listener
from exporter.kafka.broker_config import ListenerConfig

_LISTEN = "0A"
_WILDCARDS = ("::", "0.0.0.0")


@dataclass(frozen=True)
class ListeningSocket:
    """One row of /proc/PID/net/tcp or tcp6 in state LISTEN."""

    address: str
    """As :mod:`ipaddress` writes it; an IPv4 address that is mapped into IPv6 is written as IPv4."""
    port: int
    inode: int

    @property
    def is_wildcard(self) -> bool:
        """Whether it listens on all addresses."""
        return self.address in _WILDCARDS


def parse_listening(text: str, inodes: Collection[int]) -> list[ListeningSocket]:
    """The listening sockets of a table with these inode numbers. Malformed rows are left out.

    A network namespace may have thousands of other processes' sockets.
    """
    sockets = []
    for line in text.split("\n")[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN:
            try:
                inode = int(fields[9])
                if inode in inodes:
                    address, port = fields[1].split(":")
                    sockets.append(ListeningSocket(_decode_address(address), int(port, 16), inode))
            except (ValueError, struct.error):
                continue
    return sockets


def _decode_address(text: str) -> str:
    """The kernel writes each 32-bit word of an address as a number in the byte order of the machine."""
    words = bytes.fromhex(text)
    packed = b"".join(struct.pack(">I", word) for (word,) in struct.iter_unpack("=I", words))
    address = ipaddress.ip_address(packed)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def match_listeners(
    configs: Sequence[ListenerConfig], sockets: Iterable[ListeningSocket]
) -> tuple[tuple[Listener, ...], list[ListenerConfig]]:
    """Configured listeners with their ports, and the configured listeners whose port is not known (yet).

    ``sockets``: the listening sockets of the process. For port 0 the kernel chose a port: it is that of the one socket
    on the listener's address that belongs to no other listener. Ambiguous ones have an unknown name and protocol.
    """
    fixed = [Listener(config.name, config.protocol, config.port) for config in configs if config.port]
    fixed_ports = {listener.port for listener in fixed}
    unmatched = [socket for socket in sockets if socket.port not in fixed_ports]
    with_port_0 = [config for config in configs if not config.port]
    found, missing = [], []
    for config in with_port_0:
        candidates = {socket.port for socket in unmatched if _may_belong_to(config, socket)}
        rivals = [other for other in with_port_0 if other is not config and _may_share_address(config, other)]
        if len(candidates) == 1 and not rivals:
            found.append(Listener(config.name, config.protocol, candidates.pop()))
        else:
            missing.append(config)
            found += [Listener(UNKNOWN, UNKNOWN, port) for port in candidates]
    return _named_together(fixed + found), missing


def _named_together(listeners: Iterable[Listener]) -> tuple[Listener, ...]:
    """One listener for each port: those on several addresses with one port cannot be told apart by the port."""
    by_port: dict[int, list[Listener]] = {}
    for listener in listeners:
        by_port.setdefault(listener.port, []).append(listener)
    return tuple(
        Listener(",".join(dict.fromkeys(one.name for one in of_port)), _common_protocol(of_port), port)
        for port, of_port in by_port.items()
    )


def _common_protocol(listeners: Sequence[Listener]) -> str:
    protocols = {listener.protocol for listener in listeners}
    return protocols.pop() if len(protocols) == 1 else UNKNOWN


def unknown_listeners(sockets: Iterable[ListeningSocket]) -> tuple[Listener, ...]:
    """Listeners without a configuration: one of unknown name and protocol for each port."""
    return tuple(Listener(UNKNOWN, UNKNOWN, port) for port in sorted({socket.port for socket in sockets}))


def _may_belong_to(config: ListenerConfig, socket: ListeningSocket) -> bool:
    address = _ip_address(config.host)
    if address is None:  # a host name, which is not resolved here
        return not socket.is_wildcard
    return socket.address == address or (address in _WILDCARDS and socket.is_wildcard)


def _may_share_address(config: ListenerConfig, other: ListenerConfig) -> bool:
    addresses = _ip_address(config.host), _ip_address(other.host)
    return None in addresses or addresses[0] == addresses[1]


@lru_cache(maxsize=1024)
def _ip_address(host: str) -> str | None:
    """An address as :mod:`ipaddress` writes it; the wildcard for an empty host; None for a host name."""
    try:
        return str(ipaddress.ip_address(host or "::"))
    except ValueError:
        return None
