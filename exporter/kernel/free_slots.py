"""The slots of counts that no row uses. Probes take them; this makes slots free."""

from array import array
from collections.abc import Sequence

from exporter.errors import KernelError
from exporter.kernel import libbpf
from exporter.kernel.probe_maps import FREED_SLOTS_MAX

_STRIDE = 8
"""The kernel rounds the size of elements up to 8 bytes."""


class FreeSlots:
    """A stack in the kernel: what was freed last is taken first, so that the slots in use lie close together."""

    def __init__(self, freed: int, program: int) -> None:
        """``freed``: the descriptor of the map of this name; ``program``: of ``free_slot_numbers`` in the probes."""
        self._freed = libbpf.map_memory(freed, _STRIDE)
        self._program = program

    def add(self, numbers: Sequence[int]) -> None:
        """Make these slots free; the lowest is taken first. They must be all zeros."""
        descending = sorted(numbers, reverse=True)
        for start in range(0, len(descending), FREED_SLOTS_MAX):
            part = descending[start : start + FREED_SLOTS_MAX]
            self._freed[: len(part) * _STRIDE] = array("Q", part).tobytes()
            if libbpf.run_program(self._program, len(part)) != len(part):
                raise KernelError("the kernel did not take back slots of counts")
