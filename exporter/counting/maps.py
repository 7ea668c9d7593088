"""From the descriptors of maps and programs to samples, through libbpf.

Works without any privilege since v5.19, with CAP_BPF before.
"""

import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from exporter.counting import slots
from exporter.counting.slots import Slots
from exporter.counting.unpacked import Unpacked
from exporter.kernel import libbpf
from exporter.kernel.free_slots import FreeSlots
from exporter.kernel.grace_period import GracePeriod
from exporter.kernel.probe_maps import DROPPABLE_MAPS
from exporter.model import (
    EXIT_EVENT_LAYOUT,
    FOLDER_KEY_LAYOUT,
    FOLDER_LAYOUT,
    PROCESS_LAYOUT,
    ROW_LAYOUT,
    SLOT_LAYOUT,
    THREAD_KEY_LAYOUT,
    Count,
    Exit,
    FileId,
    Folder,
    Identity,
    MapUse,
    ProbeRuns,
    Row,
    Rows,
    Thread,
)

_OWNER = ROW_LAYOUT.part("start", "tgid")
_ROW = ROW_LAYOUT.part(*(member for member in ROW_LAYOUT.members if member not in ("start", "tgid")))
_ROW_MEMBERS = [member for member in ROW_LAYOUT.members if member in Row._fields]
_COUNT = SLOT_LAYOUT.part("events", "amount", "since_ns")
_SLOT = struct.Struct(f"={_OWNER.size}s{_ROW.size}s" + _COUNT.format.removeprefix("=") + SLOT_LAYOUT.members["padding"])
"""Bytes of the process and of the rest of the row, then a :class:`Count`."""
_PACKED_SLOT = struct.Struct(f"={slots.ROW_SIZE}s{_COUNT.size}s" + SLOT_LAYOUT.members["padding"])
_WRITTEN_IN_KEY = slice(slots.LAST_WORD_AT, None)
_WRITTEN_IN_ROW = slice(slots.LAST_WORD_AT - _OWNER.size, None)
"""The word with the operation and the kind: not 0 once the row is written."""
_PORT = ROW_LAYOUT.part("port")
_PORT_AT = ROW_LAYOUT.offset("port")
_NOTHING = bytes(16)
"""No events and no amount. Bytes of a call may be in another row than the call."""
_PROCESS = PROCESS_LAYOUT.part()
_EXIT_EVENT = EXIT_EVENT_LAYOUT.part()
_THREAD_KEY = THREAD_KEY_LAYOUT.part()
_FOLDER_KEY = FOLDER_KEY_LAYOUT.part()
_FOLDER = FOLDER_LAYOUT.part()
_INDEX = struct.Struct("=I")
_MAX_KNOWN_ROWS = 16384
"""Any port may be watched for a while, so that their number has no other limit."""
_NUMBER = struct.Struct("=Q")


@dataclass
class Sample:
    """All that the probes have counted of processes whose rows are still in slots."""

    processes: dict[Identity, Rows] = field(default_factory=dict)
    numbers: dict[Identity, "array[int]"] = field(default_factory=dict)
    """The slots of a process, for :meth:`KernelMaps.forget`."""
    slots: bytes = b""
    """The slots as they were read."""

    def numbers_of_ports(self, identities: Iterable[Identity], ports: Set[int]) -> list[int]:
        """Return the slots with those rows of these processes that have one of the ports."""
        numbers = (number for identity in identities for number in self.numbers[identity])
        return [number for number in numbers if self._port(number) in ports]

    def _port(self, number: int) -> int:
        return int(_PORT.unpack_from(self.slots, number * slots.SIZE + _PORT_AT)[0])


class KernelMaps:
    """The maps of the probes in the kernel, by descriptors that the loader handed over."""

    def __init__(self, maps: Mapping[str, int], programs: Mapping[str, Sequence[int]], free_slots: int) -> None:
        """``maps`` and ``programs``: descriptors by name; ``free_slots``: of the program that makes slots free.

        Raises :class:`OSError` when they cannot be read.
        """
        self._maps = maps
        self._programs = programs
        self._infos = {name: libbpf.map_info(descriptor) for name, descriptor in maps.items()}
        self._slots = Slots(
            maps["counts"],
            maps["slot_numbers"],
            FreeSlots(maps["freed"], free_slots),
            GracePeriod(maps["running_programs"], maps["dropped"]),
        )
        self._entries: dict[str, int] = {}
        self._rows: dict[bytes, Row] = {}
        self._broker_words: set[int] = set()
        self._folders = Unpacked(unpack_folder)

    def take_exits(self) -> list[Exit]:
        """Return and delete the processes that have ended since the last call. Their rows no longer change."""
        keys, values = self._read("exits")
        libbpf.delete_from_map(self._maps["exits"], _slices(keys, _PROCESS.size))
        return _exits(keys, values)

    def exits(self) -> list[Exit]:
        """Return the processes that have ended, which the next :meth:`take_exits` returns too."""
        return _exits(*self._read("exits"))

    def sample(self) -> Sample:
        """Return everything counted so far, except what was forgotten."""
        sample = Sample(slots=self._slots.read())
        identities: dict[bytes, Identity] = {}
        known = self._rows
        if len(known) > _MAX_KNOWN_ROWS:
            known.clear()
        used = 0
        for number, (owner, rest, events, amount, since_ns) in enumerate(_SLOT.iter_unpack(sample.slots)):
            if not events and not amount:
                continue
            row = known.get(rest)
            if row is None:
                if not any(rest[_WRITTEN_IN_ROW]):
                    continue  # a program is writing the row: it is there at the next reading
                row = known[rest] = _row(rest)
            used += 1
            identity = identities.get(owner)
            if identity is None:
                identity = identities[owner] = Identity(*_OWNER.unpack(owner))
                sample.processes[identity] = {}
                sample.numbers[identity] = array("I")
            rows = sample.processes[identity]
            rows[row] = _sum(rows.get(row), Count(events, amount, since_ns))
            sample.numbers[identity].append(number)
        self._entries["counts"] = used + self._slots.retired
        return sample

    def packed_counts(self) -> dict[bytes, bytes]:
        """Return everything counted so far as the kernel has it, for :func:`unpack_key` and :func:`unpack_count`."""
        packed: dict[bytes, bytes] = {}
        for key, value in _PACKED_SLOT.iter_unpack(self._slots.read()):
            if value.startswith(_NOTHING) or not any(key[_WRITTEN_IN_KEY]):
                continue
            if key in packed:
                value = _COUNT.pack(*_sum(unpack_count(packed[key]), unpack_count(value)))  # noqa: PLW2901
            packed[key] = value
        return packed

    def forget(self, sample: Sample, identities: Iterable[Identity], ports: Set[int] | None = None) -> None:
        """Let what ``sample`` has of these processes count no more; with ``ports``, only the rows that have one.

        What is counted later comes as new rows of theirs. Their slots stay taken until :meth:`reclaim`.
        """
        if ports is None:
            numbers = [number for identity in identities for number in sample.numbers[identity]]
        else:
            numbers = sample.numbers_of_ports(identities, ports) if ports else []
        self._slots.retire(sample.slots, numbers)

    def reclaim(self) -> None:
        """Free the slots of forgotten rows; takes some 20 ms. Raises :class:`OSError` when the kernel refuses."""
        self._slots.reclaim()

    def packed_folders(self) -> dict[bytes, bytes]:
        """Return the folders of brokers as the kernel has them, for :func:`unpack_folder`."""
        return self._packed("folders")

    def watch_ports(self, ports: Iterable[int]) -> None:
        """Set the local TCP ports that are counted separately."""
        bits = sum(1 << port for port in set(ports))
        size = self._infos["ports"].value_size
        libbpf.write_element(self._maps["ports"], _INDEX.pack(0), bits.to_bytes(size, "little"))

    def watch_brokers(self, pids: Iterable[int]) -> None:
        """Set the processes whose folders are counted."""
        words = dict.fromkeys(self._broker_words, 0)
        for pid in pids:
            words[pid >> 6] = words.get(pid >> 6, 0) | 1 << (pid & 63)
        for word, bits in words.items():
            libbpf.write_element(self._maps["brokers"], _INDEX.pack(word), _NUMBER.pack(bits))
        self._broker_words = {word for word, bits in words.items() if bits}

    def folders(self) -> Mapping[bytes, Folder]:
        """Return the folders that brokers have used files of, by their keys for :meth:`take_folders`.

        Those that have not changed since the last call are the same objects.
        """
        keys, values = self._read("folders")
        return self._folders.update(
            dict(zip(_slices(keys, _FOLDER_KEY.size), _slices(values, _FOLDER.size), strict=True))
        )

    def network_threads(self) -> dict[Thread, int]:
        """Return the threads of brokers that use a watched local port, with that port."""
        keys, values = libbpf.read_map(self._maps["network_threads"], self._infos["network_threads"])
        threads = zip(_THREAD_KEY.iter_unpack(keys), _INDEX.iter_unpack(values), strict=True)
        return {Thread(Identity(start, pid), tid): port for (start, pid, tid), (port,) in threads}

    @property
    def max_folders(self) -> int:
        """How many folders there is room for."""
        return self._infos["folders"].max_entries

    def take_folders(self, keys: Iterable[bytes]) -> dict[bytes, Folder]:
        """Delete these folders, and return those that were there as they were at that moment."""
        taken = {}
        for key in keys:
            value = libbpf.take_from_map(self._maps["folders"], key, _FOLDER.size)
            if value is not None:
                taken[key] = unpack_folder(key, value)
        self._entries["folders"] = self._entries.get("folders", 0) - len(taken)
        return taken

    def dropped(self) -> dict[str, int]:
        """Return the updates that were lost because a map was full, by map."""
        descriptor = self._maps["dropped"]
        return {
            name: _NUMBER.unpack(libbpf.read_element(descriptor, _INDEX.pack(index), _NUMBER.size))[0]
            for index, name in enumerate(DROPPABLE_MAPS)
        }

    def map_use(self) -> list[MapUse]:
        """Return how full the maps were that have been read: no map is read for this alone."""
        return [MapUse(name, entries, self._infos[name].max_entries) for name, entries in self._entries.items()]

    def runs(self) -> list[ProbeRuns]:
        """Return the kernel's statistics of the probes: sums over their programs."""
        return [self._runs(probe, descriptors) for probe, descriptors in self._programs.items()]

    def _runs(self, probe: str, descriptors: Sequence[int]) -> ProbeRuns:
        infos = [libbpf.program_info(descriptor) for descriptor in descriptors]
        return ProbeRuns(
            probe=probe,
            runs=sum(info.run_count for info in infos),
            seconds=sum(info.run_time_ns for info in infos) / 1e9,
            missed=sum(info.missed for info in infos),
        )

    def _packed(self, name: str) -> dict[bytes, bytes]:
        info = self._infos[name]
        keys, values = libbpf.read_map(self._maps[name], info)
        return dict(zip(_slices(keys, info.key_size), _slices(values, info.value_size), strict=True))

    def _read(self, name: str) -> tuple[bytes, bytes]:
        keys, values = libbpf.read_map(self._maps[name], self._infos[name])
        self._entries[name] = len(keys) // self._infos[name].key_size
        return keys, values

    def _delete(self, name: str, keys: Iterable[bytes]) -> None:
        gone = list(keys)
        libbpf.delete_from_map(self._maps[name], gone)
        self._entries[name] = self._entries.get(name, 0) - len(gone)


def unpack_key(key: bytes) -> tuple[Identity, Row]:
    """Return the process and the row of a key of the counts."""
    return Identity(*_OWNER.unpack_from(key)), _row(key[_OWNER.size :])


def unpack_count(value: bytes) -> Count:
    """Return a value of the counts."""
    return Count._make(_COUNT.unpack(value))


def _exits(keys: bytes, values: bytes) -> list[Exit]:
    return [
        Exit(Identity(start, pid), _text(comm))
        for (start, pid), (comm,) in zip(_PROCESS.iter_unpack(keys), _EXIT_EVENT.iter_unpack(values), strict=True)
    ]


def _sum(before: Count | None, count: Count) -> Count:
    """Add up two slots of one row: one of them has what was counted while the other was being freed."""
    if before is None:
        return count
    return Count(before.events + count.events, before.amount + count.amount, min(before.since_ns, count.since_ns))


def unpack_folder(key: bytes, value: bytes) -> Folder:
    """Return a folder from its key and its value."""
    start, inode, pid, device, _ = _FOLDER_KEY.unpack(key)
    *moved, parent, name = _FOLDER.unpack(value)
    return Folder(Identity(start, pid), FileId(device, inode), _text(name), parent, tuple(moved))


def _slices(data: bytes, size: int) -> list[bytes]:
    return [data[position : position + size] for position in range(0, len(data), size)]


def _row(packed: bytes) -> Row:
    values = zip(_ROW_MEMBERS, _ROW.unpack(packed), strict=True)
    return Row(**{member: Row.__annotations__[member](value) for member, value in values})


def _text(name: bytes) -> str:
    return name.split(b"\0", 1)[0].decode(errors="replace")
