"""Network devices of the host: what they moved, how fast they are, and whether they can gather.

Those of the network namespace of process 1, as ``--path.procfs`` shows it. To be opened before root is given up; what
is asked later needs no privilege.
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
_INVENT_SPEEDS = ("bridge", "tun", "veth")
"""Drivers without a wire, that tell a speed all the same: that of no link."""


@dataclass(frozen=True)
class Traffic:
    """Bytes since the device is there."""

    received: int
    transmitted: int


@dataclass(frozen=True)
class Link:
    """What hardly ever changes; None: not known."""

    speed_bytes: float | None
    """Bytes a second, in each direction."""
    scatter_gather: bool | None


class Devices(Protocol):
    """What is asked of :class:`Network`."""

    @property
    def links(self) -> Mapping[str, Link]:
        """By device."""
        ...

    def traffic(self) -> Mapping[str, Traffic]:
        """By device."""
        ...


class Network:
    """The devices; :meth:`refresh` asks their drivers, which some take their time for, and is not for scrapes."""

    def __init__(self, procfs: str = "/proc") -> None:
        """Find out whose devices they are."""
        self._traffic, self._socket = _open(procfs)
        self.links: Mapping[str, Link] = {}
        """As the last refresh found them, by device."""

    def traffic(self) -> dict[str, Traffic]:
        """By device. Raises :class:`OSError` when it cannot be read."""
        with open(self._traffic, encoding="ascii", errors="replace") as file:
            return parse_traffic(file.read())

    def refresh(self) -> None:
        """Ask the drivers. Raises :class:`OSError` when the kernel does not let us."""
        if self._socket:
            self.links = {device: _link(self._socket, device) for device in self.traffic()}

    def close(self) -> None:
        """Ask no more."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def refresh_until(self, stopped: threading.Event) -> None:
        """Refresh now and then."""
        while True:
            try:
                self.refresh()
            except OSError as error:
                _log.warning("network devices cannot be asked for speed and scatter-gather: %s", error)
                return
            if stopped.wait(REFRESH_SECONDS):
                return


def parse_traffic(text: str) -> dict[str, Traffic]:
    """/proc/net/dev: behind two lines of heading, the name and sixteen numbers of each device."""
    devices = {}
    for line in text.splitlines()[2:]:
        name, _, numbers = line.rpartition(":")
        fields = numbers.split()
        devices[name.strip()] = Traffic(received=int(fields[0]), transmitted=int(fields[8]))
    return devices


def _link(of: socket.socket, device: str) -> Link:
    mbits = None if ethtool.driver(of, device) in _INVENT_SPEEDS else ethtool.speed(of, device)
    return Link(mbits * 1e6 / _BITS_PER_BYTE if mbits else None, ethtool.scatter_gather(of, device))


def _open(procfs: str) -> tuple[str, socket.socket | None]:
    """The file with the numbers, and a socket to ask about the same devices, None when that is not to be had."""
    theirs, ours = f"{procfs}/1/net/dev", f"{procfs}/self/net/dev"
    try:
        if os.path.samefile(theirs, ours):  # each network namespace has files of its own there
            return ours, _socket()
        with ThreadPoolExecutor(1) as executor:  # a thread that ends there
            return theirs, executor.submit(_socket_in, f"{procfs}/1/ns/net").result()
    except OSError as error:
        _log.warning("copy_network_speed_bytes and copy_network_scatter_gather are missing: %s", error)
        return theirs, None


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
