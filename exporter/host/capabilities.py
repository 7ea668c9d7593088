"""Capabilities of the calling thread (capabilities(7)). docs/privileges.md explains what each one is needed for.

Numbers and structures are from include/uapi/linux/capability.h and include/uapi/linux/prctl.h.
"""

import ctypes as ct
import os
import struct
from collections.abc import Collection
from contextlib import suppress
from itertools import count, takewhile
from typing import NamedTuple

from exporter.errors import KernelError
from exporter.kernel import libc

CAPABILITIES = {
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_KILL": 5,
    "CAP_NET_ADMIN": 12,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
}
"""Those that may be kept after start-up, by name."""

_NUMBERS = CAPABILITIES | {"CAP_SETGID": 6, "CAP_SETUID": 7}
"""With those that only the inspector of brokers keeps."""

LOADING = frozenset({"CAP_BPF", "CAP_PERFMON"})
"""What loading the probes requires; CAP_SYS_ADMIN includes both."""

_SETPCAP = 8
_VERSION_3 = 0x20080522
_HEADER = struct.Struct("=Ii")
_DATA = struct.Struct("=6I")
"""Effective, permitted, inheritable: the lower halves, then the upper halves."""
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4


class _Sets(NamedTuple):
    """Capability sets of a thread, as bit masks."""

    effective: int
    permitted: int
    inheritable: int


def held() -> frozenset[str]:
    """Those capabilities in effect that the exporter has a use for."""
    mask = _get().effective
    return frozenset(name for name, number in _NUMBERS.items() if mask >> number & 1)


def can_load() -> bool:
    """Whether the probes can be loaded with the capabilities in effect."""
    return held() >= LOADING or "CAP_SYS_ADMIN" in held()


def raise_permitted() -> None:
    """Put all permitted capabilities into effect: those of a program's file (setcap) are only permitted at first."""
    with suppress(OSError):  # what needs them then reports that they are missing
        sets = _get()
        if sets.permitted != sets.effective:
            _set(sets.permitted, sets.inheritable)


def keep_only(names: Collection[str]) -> None:
    """Drop all capabilities but ``names`` from the effective, permitted, inheritable and ambient sets.

    Raises :class:`KernelError` when one of them is not permitted in the first place.
    """
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    try:
        _set(sum(1 << _NUMBERS[name] for name in set(names)), 0)
    except OSError as error:
        raise KernelError(
            f"--capabilities.keep={','.join(names) or 'none'}: {os.strerror(error.errno or 0).lower()}; "
            "only a capability that copy-exporter was started with can be kept"
        ) from None


def limit_bounding_set(names: Collection[str]) -> None:
    """Drop all capabilities but ``names`` from the bounding set; takes CAP_SETPCAP, which is dropped last."""
    kept = [_NUMBERS[name] for name in names]
    for number in takewhile(_is_known, count()):
        if number not in kept and number != _SETPCAP:
            libc.prctl(_PR_CAPBSET_DROP, number)
    libc.prctl(_PR_CAPBSET_DROP, _SETPCAP)


def _is_known(number: int) -> bool:
    """Whether this kernel has the capability."""
    try:
        return libc.prctl(_PR_CAPBSET_READ, number) >= 0
    except OSError:
        return False


def _set(permitted: int, inheritable: int) -> None:
    """Set what is permitted, and put all of it into effect."""
    words = [(mask & 0xFFFFFFFF, mask >> 32) for mask in (permitted, permitted, inheritable)]  # the first: effective
    data = _DATA.pack(*(low for low, _ in words), *(high for _, high in words))
    libc.call("capset", _HEADER.pack(_VERSION_3, 0), data)


def _get() -> _Sets:
    """From the kernel rather than from /proc, which may be missing."""
    header, data = ct.create_string_buffer(_HEADER.pack(_VERSION_3, 0)), ct.create_string_buffer(_DATA.size)
    libc.call("capget", header, data)
    words = _DATA.unpack(data.raw)
    return _Sets(*(low | high << 32 for low, high in zip(words[:3], words[3:], strict=True)))
