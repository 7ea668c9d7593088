"""The slots in which the probes count: an array of the kernel that is also memory of this process.

Reading makes no system call. A slot is freed in five steps, so that no count is lost and no program adds to the slot of
another row: its row leaves the hash; programs that found it there end; a word of it is erased, so that hints miss it;
programs that came by a hint end; its last counts are read.
"""

import struct
import threading
from array import array
from collections.abc import Iterable, Sequence
from itertools import chain

from exporter.kernel import libbpf
from exporter.kernel.free_slots import FreeSlots
from exporter.kernel.grace_period import GracePeriod
from exporter.model import ROW_LAYOUT, SLOT_LAYOUT

SIZE = SLOT_LAYOUT.part().size
ROW_SIZE = ROW_LAYOUT.part().size
_PROBE_AHEAD = 1024 * SIZE
"""Unused slots are taken in order. Far fewer programs than this run at a time that have taken one, but not used it."""
_NUMBERS = struct.Struct("=QQ")
_LAST_WORD = struct.Struct("=Q")
LAST_WORD_AT = ROW_SIZE - _LAST_WORD.size
"""The word of a row that a program writes last, and that is never 0 in a row."""
_UNUSED = bytes(SIZE)
_KEYS_AT_ONCE = 4096


class Slots:
    """The slots, and which of them are to be freed. For several threads."""

    def __init__(self, counts: int, slot_numbers: int, free: FreeSlots, grace_period: GracePeriod) -> None:
        """``counts`` and ``slot_numbers``: the descriptors of the maps of these names."""
        self._memory = libbpf.map_memory(counts, SIZE)
        self._slot_numbers = slot_numbers
        self._free = free
        self._grace_period = grace_period
        self._ever_used = 0
        """Bytes up to the end of the last slot that was ever used."""
        self._retired: list[tuple[bytes, array[int]]] = []
        """The slots as they were when some of them were retired, and the numbers of these."""
        self._lock = threading.Lock()
        self._reclaiming = threading.Lock()

    @property
    def retired(self) -> int:
        """How many slots are to be freed."""
        return sum(len(numbers) for _, numbers in self._retired)

    def read(self) -> bytes:
        """Return a copy of all slots that were ever used. Slots without counts, or retired, are all zeros."""
        with self._lock:
            self._find_end()
            if not self._retired:
                return self._memory[: self._ever_used]
            slots = bytearray(self._memory[: self._ever_used])
            for number in chain.from_iterable(numbers for _, numbers in self._retired):
                slots[number * SIZE : (number + 1) * SIZE] = _UNUSED
            return bytes(slots)

    def retire(self, slots: bytes, numbers: Iterable[int]) -> None:
        """Let these slots count no more beyond what they have in ``slots``, which :meth:`read` returned."""
        retired = array("I", numbers)
        if retired:
            with self._lock:
                self._retired.append((slots, retired))

    def reclaim(self) -> None:
        """Free the retired slots. What was counted in them since they were read stays, as the counts of the same row.

        Waits for two grace periods, some 10 ms each. Raises :class:`OSError` when the kernel refuses; nothing is lost.
        """
        with self._reclaiming:
            with self._lock:
                retired = list(self._retired)
            if not retired:
                return
            for slots, numbers in retired:
                self._leave_hash(slots, numbers)
            self._grace_period.wait()
            for number in chain.from_iterable(numbers for _, numbers in retired):
                _LAST_WORD.pack_into(self._memory, number * SIZE + LAST_WORD_AT, 0)
            self._grace_period.wait()
            with self._lock:
                free = [number for slots, numbers in retired for number in numbers if self._emptied(number, slots)]
                del self._retired[: len(retired)]
            self._free.add(free)

    def _leave_hash(self, slots: bytes, numbers: Sequence[int]) -> None:
        for start in range(0, len(numbers), _KEYS_AT_ONCE):
            positions = [number * SIZE for number in numbers[start : start + _KEYS_AT_ONCE]]
            # a row may have two slots, one of which has what came late
            keys = {slots[position : position + ROW_SIZE] for position in positions}
            libbpf.delete_from_map(self._slot_numbers, list(keys))

    def _emptied(self, number: int, slots: bytes) -> bool:
        """Subtract what the slot had in ``slots``; False when something remains, which came late."""
        position = number * SIZE
        events, amount = _NUMBERS.unpack_from(self._memory, position + ROW_SIZE)
        events_before, amount_before = _NUMBERS.unpack_from(slots, position + ROW_SIZE)
        if (events, amount) == (events_before, amount_before):
            self._memory[position : position + SIZE] = _UNUSED
            return True
        _NUMBERS.pack_into(self._memory, position + ROW_SIZE, events - events_before, amount - amount_before)
        last_word = slice(position + LAST_WORD_AT, position + ROW_SIZE)
        self._memory[last_word] = slots[last_word]
        return False

    def _find_end(self) -> None:
        while ahead := self._memory[self._ever_used : self._ever_used + _PROBE_AHEAD].rstrip(b"\0"):
            self._ever_used += -(-len(ahead) // SIZE) * SIZE
