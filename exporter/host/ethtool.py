"""What a network device says of itself (ioctl SIOCETHTOOL), in the network namespace that a socket is of.

The kernel answers these questions without any capability (net/ethtool/ioctl.c, dev_ethtool). Every function gives None
where the device or its driver does not know.
"""

import ctypes as ct
import errno
import socket
import struct
from fcntl import ioctl

_SIOCETHTOOL = 0x8946
_GET_DRIVER = 0x03
_GET_SCATTER_GATHER = 0x18
_GET_LINK_SETTINGS = 0x4C
_REQUEST = struct.Struct("16sP16x")  # struct ifreq
_VALUE = struct.Struct("=II")  # struct ethtool_value
_DRIVER = struct.Struct("=I32s160x")  # the head of struct ethtool_drvinfo
_LINK = struct.Struct("=II7xb32x")  # struct ethtool_link_settings, then three masks of that many words
_UNKNOWN_SPEED = 0xFFFFFFFF
_NOT_ANSWERED = (errno.EOPNOTSUPP, errno.ENODEV, errno.EINVAL, errno.ENXIO)


def scatter_gather(of: socket.socket, device: str) -> bool | None:
    """Whether the device takes packets in pieces, without which what is passed by reference is copied after all."""
    answer = _ask(of, device, _VALUE.pack(_GET_SCATTER_GATHER, 0))
    return bool(_VALUE.unpack(answer)[1]) if answer else None


def speed(of: socket.socket, device: str) -> int | None:
    """Of the link, in Mbit/s."""
    answer = _ask(of, device, _LINK.pack(_GET_LINK_SETTINGS, 0, 0))
    if not answer:
        return None
    words = -_LINK.unpack(answer)[2]  # the kernel says how long its masks are, and wants to be asked with that
    answer = _ask(of, device, _LINK.pack(_GET_LINK_SETTINGS, 0, words) + bytes(3 * 4 * words))
    if not answer:
        return None
    mbits: int = _LINK.unpack_from(answer)[1]
    return None if mbits in (0, _UNKNOWN_SPEED) else mbits


def driver(of: socket.socket, device: str) -> str | None:
    """The name of its driver."""
    answer = _ask(of, device, _DRIVER.pack(_GET_DRIVER, b""))
    return _DRIVER.unpack(answer)[1].split(b"\0", 1)[0].decode(errors="replace") if answer else None


def _ask(of: socket.socket, device: str, question: bytes) -> bytes | None:
    buffer = ct.create_string_buffer(question, len(question))
    try:
        ioctl(of, _SIOCETHTOOL, _REQUEST.pack(device.encode(), ct.addressof(buffer)))
    except OSError as error:
        if error.errno in _NOT_ANSWERED:
            return None
        raise
    return buffer.raw
