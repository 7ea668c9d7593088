"""A map of the kernel, of which only what has changed since the last reading is unpacked."""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Unpacked(Generic[_T]):
    """A map of the kernel, of which only what has changed is unpacked."""

    def __init__(self, unpack: Callable[[bytes, bytes], _T]) -> None:
        self._unpack = unpack
        self._packed: Mapping[bytes, bytes] = {}
        self._values: dict[bytes, _T] = {}

    def update(self, packed: Mapping[bytes, bytes]) -> Mapping[bytes, _T]:
        """Return all entries; those that have not changed since the last call are the same objects."""
        before = self._packed
        self._values = {
            key: self._values[key] if before.get(key) == value else self._unpack(key, value)
            for key, value in packed.items()
        }
        self._packed = packed
        return self._values
