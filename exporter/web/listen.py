"""Sockets to listen on: bound by us, or handed over by systemd."""

import os
import socket
from collections.abc import MutableMapping

from exporter.config import Address
from exporter.errors import UsageError

_FIRST_FROM_SYSTEMD = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3)
SYSTEMD_FLAG = "--web.systemd-socket"


def bind(address: Address) -> socket.socket:
    """A socket on the address that does not listen yet; :class:`UsageError` when it is not to be had."""
    flag = f"--web.listen-address={address}"
    try:
        family, _, _, _, where = socket.getaddrinfo(
            address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        if not address.host and socket.has_dualstack_ipv6():
            family, where = socket.AF_INET6, ("::", address.port, 0, 0)
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(bool(address.host)))
        bound.bind(where)
        bound.listen(0)  # two that only bind would both succeed
    except (OSError, UnicodeError) as error:  # the latter: a name that DNS cannot hold
        problem = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(f"{flag}: {problem}; stop what listens there, or give another address") from None
    return bound


def from_systemd(environment: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """What systemd's socket unit listens on (sd_listen_fds(3)). Raises :class:`UsageError` when there is nothing."""
    given = {name: environment.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    if given["LISTEN_PID"] != str(os.getpid()) or not given["LISTEN_FDS"].isdecimal():
        raise UsageError(f"{SYSTEMD_FLAG}: systemd handed over no socket; start copy-exporter.socket, not the service")
    sockets = []
    for number in range(_FIRST_FROM_SYSTEMD, _FIRST_FROM_SYSTEMD + int(given["LISTEN_FDS"])):
        os.set_inheritable(number, False)
        sockets.append(_listening(number))
    return sockets


def _listening(number: int) -> socket.socket:
    try:
        handed = socket.socket(fileno=number)
    except OSError:
        raise UsageError(f"{SYSTEMD_FLAG}: descriptor {number} is no socket; use ListenStream=") from None
    if handed.type != socket.SOCK_STREAM or not handed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        handed.detach()
        raise UsageError(f"{SYSTEMD_FLAG}: descriptor {number} does not listen; use ListenStream= and Accept=no")
    return handed


def url(bound: socket.socket, scheme: str, path: str) -> str:
    """Where a client on this host finds ``path``."""
    name = bound.getsockname()
    if bound.family == socket.AF_UNIX:
        return f"{scheme}+unix://{name}:{path}"
    host = "localhost" if name[0] in ("::", "0.0.0.0") else f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"{scheme}://{host}:{name[1]}{path}"
