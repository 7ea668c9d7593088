"""Free TCP ports on loopback."""

import random
import socket
from contextlib import suppress

LOOPBACK = "127.0.0.1"
_PORTS = range(20_000, 32_000)
"""Below net.ipv4.ip_local_port_range: the kernel does not assign one of these to a connection in the meantime."""


def free_port(address: str = LOOPBACK) -> int:
    """A port of ``address`` (IPv4 or IPv6) on which no socket listens."""
    return free_ports(1, address)[0]


def free_ports(count: int, address: str = LOOPBACK) -> list[int]:
    """``count`` different ports of ``address`` (IPv4 or IPv6) on which no socket listens."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with suppress(OSError), socket.create_server((address, port), family=family):
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError(f"no {count} free ports on {address} between {_PORTS.start} and {_PORTS.stop - 1}")
