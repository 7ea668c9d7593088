"""Listening TCP sockets: what /proc/PID/net/tcp and tcp6 tell of them, and which listener each belongs to."""

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from exporter.kafka.broker import UNKNOWN, Listener
from exporter.kafka.broker_config import Endpoint

_LISTEN = "0A"


@dataclass(frozen=True)
class ListeningSocket:
    """One row of /proc/PID/net/tcp or tcp6 in state LISTEN."""

    address: str
    """As :mod:`ipaddress` writes it; an IPv4 address that is mapped into IPv6 is written as IPv4."""
    port: int
    inode: int

    @property
    def on_all_addresses(self) -> bool:
        """Whether it listens on no address in particular."""
        return self.address in ("::", "0.0.0.0")


def parse_listening(text: str) -> list[ListeningSocket]:
    """The listening sockets of a table; rows that are none or make no sense are left out."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN:
            try:
                address, port = fields[1].split(":")
                found.append(ListeningSocket(_address(address), int(port, 16), int(fields[9])))
            except (ValueError, struct.error):
                continue
    return found


def _address(text: str) -> str:
    """The kernel writes the words of an address as numbers of the machine."""
    words = bytes.fromhex(text)
    packed = b"".join(struct.pack(">I", word) for (word,) in struct.iter_unpack("=I", words))
    address = ipaddress.ip_address(packed)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def match_listeners(
    endpoints: Iterable[Endpoint], own: Iterable[ListeningSocket]
) -> tuple[tuple[Listener, ...], list[Endpoint]]:
    """Configured listeners with their ports, and those whose port is not known (yet).

    ``own``: the process's listening sockets. A port that the kernel chose (0) is found by the listener's address among
    the sockets that no other listener has; what stays ambiguous is listed as of unknown name and protocol.
    """
    fixed = [Listener(one.name, one.protocol, one.port) for one in endpoints if one.port]
    taken = {listener.port for listener in fixed}
    free = [socket for socket in own if socket.port not in taken]
    chosen = [endpoint for endpoint in endpoints if not endpoint.port]
    found, missing = [], []
    for endpoint in chosen:
        candidates = {socket.port for socket in free if _listens_for(endpoint, socket)}
        rivals = [other for other in chosen if other is not endpoint and _alike(endpoint, other)]
        if len(candidates) == 1 and not rivals:
            found.append(Listener(endpoint.name, endpoint.protocol, candidates.pop()))
        else:
            missing.append(endpoint)
            found += [Listener(UNKNOWN, UNKNOWN, port) for port in candidates]
    return tuple(dict.fromkeys(fixed + found)), missing


def unknown_listeners(own: Iterable[ListeningSocket]) -> tuple[Listener, ...]:
    """What is known without a configuration: the ports."""
    return tuple(Listener(UNKNOWN, UNKNOWN, port) for port in sorted({socket.port for socket in own}))


def _listens_for(endpoint: Endpoint, socket: ListeningSocket) -> bool:
    literal = _literal(endpoint.host)
    if literal is None:  # a name: which addresses it has is not asked here
        return not socket.on_all_addresses
    return socket.address == literal or (literal in ("::", "0.0.0.0") and socket.on_all_addresses)


def _alike(one: Endpoint, other: Endpoint) -> bool:
    hosts = _literal(one.host), _literal(other.host)
    return None in hosts or hosts[0] == hosts[1]


def _literal(host: str) -> str | None:
    """An address as :mod:`ipaddress` writes it; all addresses when the host is empty; None for a name."""
    try:
        return str(ipaddress.ip_address(host or "::"))
    except ValueError:
        return None
