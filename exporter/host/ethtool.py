"""Properties of a network device (ioctl SIOCETHTOOL), in the network namespace of a socket.

These requests need no capability (net/ethtool/ioctl.c, dev_ethtool). Every function returns None where the device or
its driver does not report the property.
"""

import ctypes as ct
import errno
import os
import socket
import struct
from fcntl import ioctl

_SIOCETHTOOL = 0x8946
_GET_DRIVER = 0x03
_GET_SCATTER_GATHER = 0x18
_GET_LINK_SETTINGS = 0x4C
_REQUEST = struct.Struct("16sP16x")  # struct ifreq
_VALUE = struct.Struct("=II")  # struct ethtool_value
_DRIVER = struct.Struct("=I32s160x")  # the first members of struct ethtool_drvinfo
_LINK = struct.Struct("=II7xb32x")  # struct ethtool_link_settings; three masks of variable length follow
_UNKNOWN_SPEED = 0xFFFFFFFF
_NOT_SUPPORTED = (errno.EOPNOTSUPP, errno.ENODEV, errno.EINVAL, errno.ENXIO)


def scatter_gather(namespace: socket.socket, device: str) -> bool | None:
    """Whether the device sends packets from several buffers: else the kernel copies what zero copy passed on."""
    answer = _request(namespace, device, _VALUE.pack(_GET_SCATTER_GATHER, 0))
    return bool(_VALUE.unpack(answer)[1]) if answer else None


def speed(namespace: socket.socket, device: str) -> int | None:
    """Speed of the link in Mbit/s."""
    answer = _request(namespace, device, _LINK.pack(_GET_LINK_SETTINGS, 0, 0))
    if not answer:
        return None
    words = -_LINK.unpack(answer)[2]  # the kernel returns the length of its masks, and expects it in the second request
    answer = _request(namespace, device, _LINK.pack(_GET_LINK_SETTINGS, 0, words) + bytes(3 * 4 * words))
    if not answer:
        return None
    mbits: int = _LINK.unpack_from(answer)[1]
    return None if mbits in (0, _UNKNOWN_SPEED) else mbits


def driver(namespace: socket.socket, device: str) -> str | None:
    """The name of its driver."""
    answer = _request(namespace, device, _DRIVER.pack(_GET_DRIVER, b""))
    return _DRIVER.unpack(answer)[1].split(b"\0", 1)[0].decode(errors="replace") if answer else None


def _request(namespace: socket.socket, device: str, request: bytes) -> bytes | None:
    buffer = ct.create_string_buffer(request, len(request))
    try:
        ioctl(namespace, _SIOCETHTOOL, _REQUEST.pack(os.fsencode(device), ct.addressof(buffer)))
    except OSError as error:
        if error.errno in _NOT_SUPPORTED:
            return None
        raise
    return buffer.raw
