"""Network devices of the host: bytes moved, speed, and support for scatter-gather.

The host's devices are those in the network namespace of process 1, as ``--path.procfs`` shows it. Opening them needs
root if that is another namespace; reading them later needs no privilege.
"""

import logging
import os
import socket
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from exporter.host import ethtool
from exporter.kernel import libc

_log = logging.getLogger(__name__)

REFRESH_SECONDS = 30.0
_BITS_PER_BYTE = 8
_CLONE_NEWNET = 0x40000000
_SPEED_IS_INVENTED = ("bridge", "ipvlan", "macvlan", "tun", "veth")
"""Drivers that report a speed although they have no physical link. That of macvlan (macvtap too) and ipvlan is of
the device below, which has a series of its own if it has a link, and may be a veth."""


@dataclass(frozen=True)
class Traffic:
    """Bytes since the device was created."""

    received: int
    transmitted: int


@dataclass(frozen=True)
class Link:
    """Properties that rarely change; None where the driver does not report one."""

    speed_bytes: float | None
    """Bytes per second, in each direction."""
    scatter_gather: bool | None


class Devices(Protocol):
    """The part of :class:`NetworkDevices` that metrics are made from."""

    @property
    def links(self) -> Mapping[str, Link]:
        """Links by the name of the device."""
        ...

    def traffic(self) -> Mapping[str, Traffic]:
        """Bytes moved, by the name of the device. Raises :class:`OSError`."""
        ...


class NetworkDevices:
    """The devices of the host.

    :meth:`refresh` queries the drivers. Some are slow to answer, so a scrape must not call it.
    """

    def __init__(self, procfs: str = "/proc") -> None:
        """Open the devices of the namespace of process 1."""
        self._traffic, self._socket = _open(procfs)
        self.links: Mapping[str, Link] = {}
        """Links by the name of the device, as of the last refresh."""

    def traffic(self) -> dict[str, Traffic]:
        """Bytes moved, by the name of the device. Raises :class:`OSError` when /proc cannot be read."""
        # A name is any bytes: decoded so that two names that differ stay different, and ethtool finds the device.
        with open(self._traffic, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            return parse_traffic(file.read())

    def refresh(self) -> None:
        """Query the drivers. Raises :class:`OSError` when the kernel refuses."""
        if self._socket:
            self.links = {device: _link(self._socket, device) for device in self.traffic()}

    def close(self) -> None:
        """Close the socket; later refreshes do nothing."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def refresh_until(self, stopped: threading.Event) -> None:
        """Refresh every 30 seconds until ``stopped`` is set, or the kernel refuses."""
        while True:
            try:
                self.refresh()
            except OSError as error:
                _log.warning("cannot query network devices for speed and scatter-gather: %s", error)
                return
            if stopped.wait(REFRESH_SECONDS):
                return


def parse_traffic(text: str) -> dict[str, Traffic]:
    """Parse /proc/net/dev: two header lines, then the name and sixteen numbers of each device."""
    devices = {}
    for line in text.split("\n")[2:-1]:
        name, _, numbers = line.rpartition(":")
        fields = numbers.split()
        devices[name.lstrip(" ")] = Traffic(received=int(fields[0]), transmitted=int(fields[8]))
    return devices


def _link(namespace: socket.socket, device: str) -> Link:
    invented = ethtool.driver(namespace, device) in _SPEED_IS_INVENTED
    mbits = None if invented else ethtool.speed(namespace, device)
    return Link(mbits * 1e6 / _BITS_PER_BYTE if mbits else None, ethtool.scatter_gather(namespace, device))


def _open(procfs: str) -> tuple[str, socket.socket | None]:
    """The file with the traffic, and a socket in the namespace of the devices; None if it cannot be opened."""
    host, own = f"{procfs}/1/net/dev", f"{procfs}/self/net/dev"
    try:
        if os.path.samefile(host, own):  # each network namespace has an inode of its own for it
            return own, _socket()
        with ThreadPoolExecutor(1) as executor:  # setns() moves only this thread, which then ends
            return host, executor.submit(_socket_in, f"{procfs}/1/ns/net").result()
    except OSError as error:
        _log.warning("copy_network_speed_bytes and copy_network_scatter_gather are missing: %s", error)
        return host, None


def _socket() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def _socket_in(namespace: str) -> socket.socket:
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc.call("setns", descriptor, _CLONE_NEWNET)
        return _socket()
    except OSError as error:
        raise OSError(error.errno, f"{namespace}: {error.strerror}") from None
    finally:
        os.close(descriptor)
