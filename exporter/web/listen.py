"""Listening sockets: bound to an address, or passed by systemd."""

import errno
import os
import socket
from collections.abc import MutableMapping

from exporter.config import Address
from exporter.errors import UsageError

_SD_LISTEN_FDS_START = 3  # sd_listen_fds(3)
_LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_REMEDIES = {
    errno.EADDRINUSE: "stop the process that uses the address, or give another address",
    errno.EADDRNOTAVAIL: "no device of this host has this address; `ip address` shows those that it has",
    errno.EACCES: "ports below 1024 need root; give a port from 1024 on",
}
SYSTEMD_FLAG = "--web.systemd-socket"


def bind(address: Address) -> socket.socket:
    """A socket that is bound to the address. Raises :class:`UsageError` when the address cannot be used."""
    flag = f"--web.listen-address={address}"
    try:
        family, _, _, _, socket_address = socket.getaddrinfo(
            address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        every_address = address.host in ("", "::")  # as in Go, both stand for IPv4 and IPv6
        if every_address and socket.has_dualstack_ipv6():
            family, socket_address = socket.AF_INET6, ("::", address.port, 0, 0)
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not every_address))
        bound.bind(socket_address)
        bound.listen(0)  # with SO_REUSEADDR two processes could bind the same port, but only one can listen
    except (OSError, UnicodeError) as error:  # UnicodeError: DNS does not allow such a name
        problem = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(f"{flag}: {problem}; {_remedy(error)}") from None
    return bound


def _remedy(error: Exception) -> str:
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return "the host name has no address; give another name, or an address"
    return _REMEDIES.get(getattr(error, "errno", 0), "give another address")


def from_systemd(environment: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """The sockets of systemd's socket unit (sd_listen_fds(3)). Raises :class:`UsageError` when there are none."""
    passed = _passed_by_systemd(environment)
    if not passed:
        raise UsageError(f"{SYSTEMD_FLAG}: systemd passed no socket; start copy-exporter.socket, not the service")
    for descriptor in passed:
        os.set_inheritable(descriptor, False)
    return [_listening_socket(descriptor) for descriptor in passed]


def close_those_from_systemd(environment: MutableMapping[str, str] = os.environ) -> None:
    """Close what systemd passed, where nobody asked for it."""
    for descriptor in _passed_by_systemd(environment):
        os.close(descriptor)


def _passed_by_systemd(environment: MutableMapping[str, str]) -> range:
    variables = {name: environment.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    is_ours = variables["LISTEN_PID"] == str(os.getpid()) and variables["LISTEN_FDS"].isdecimal()
    return range(_SD_LISTEN_FDS_START, _SD_LISTEN_FDS_START + (int(variables["LISTEN_FDS"]) if is_ours else 0))


def _listening_socket(descriptor: int) -> socket.socket:
    try:
        passed = socket.socket(fileno=descriptor)
    except OSError:
        raise UsageError(f"{SYSTEMD_FLAG}: descriptor {descriptor} is not a socket; use ListenStream=") from None
    if passed.type != socket.SOCK_STREAM or not passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        passed.detach()
        raise UsageError(f"{SYSTEMD_FLAG}: descriptor {descriptor} is not listening; use ListenStream= and Accept=no")
    return passed


def is_on_every_address(bound: socket.socket) -> bool:
    """Whether clients reach the socket at every address of this host."""
    return bound.family != socket.AF_UNIX and bound.getsockname()[0] in _LOOPBACK_OF


def url(bound: socket.socket, scheme: str, path: str) -> str:
    """The URL of ``path`` for a client on this host."""
    name = bound.getsockname()
    if bound.family == socket.AF_UNIX:
        return f"{scheme}+unix://{name}:{path}"
    host = "127.0.0.1" if name[0] == "::" and not _only_ipv6(bound) else _LOOPBACK_OF.get(name[0], name[0])
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{name[1]}{path}"


def _only_ipv6(bound: socket.socket) -> bool:
    return bound.family == socket.AF_INET6 and bool(bound.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
