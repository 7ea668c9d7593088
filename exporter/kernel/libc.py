"""The C library, for what Python's standard library does not offer."""

import ctypes as ct
import os

_LIBC = ct.CDLL(None, use_errno=True)


def call(function: str, *arguments: object) -> int:
    """Call ``function`` and return its result. Raises :class:`OSError` with ``errno`` when the result is negative."""
    result: int = getattr(_LIBC, function)(*arguments)
    if result < 0:
        number = ct.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def has(function: str) -> bool:
    """Whether this C library has ``function``: musl lacks some of glibc's."""
    return hasattr(_LIBC, function)


def prctl(option: int, value: int) -> int:
    """Set or read a property of the calling thread; unused arguments must be 0."""
    return call("prctl", option, ct.c_ulong(value), ct.c_ulong(0), ct.c_ulong(0), ct.c_ulong(0))
