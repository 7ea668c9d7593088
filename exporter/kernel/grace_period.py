"""Waiting until every probe has ended that was running."""

import struct

from exporter.kernel import libbpf

_NUMBER = struct.Struct("=I")


class GracePeriod:
    """The kernel waits for a grace period of RCU, which guards the programs, when an array of maps is written (v5.0).

    ``membarrier`` waits too, but not on hosts with one CPU or with nohz_full.
    """

    def __init__(self, array_of_maps: int, element: int) -> None:
        """Descriptors of the array and of a map that it may contain."""
        self._array_of_maps = array_of_maps
        self._element = element

    def wait(self) -> None:
        """Wait some 10 ms. Raises :class:`OSError` when the kernel refuses."""
        libbpf.write_element(self._array_of_maps, _NUMBER.pack(0), _NUMBER.pack(self._element))
