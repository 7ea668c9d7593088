"""From the descriptors of maps and programs to samples, through libbpf.

Works without any privilege since v5.19, with CAP_BPF before.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from exporter.kernel import libbpf
from exporter.kernel.probe_maps import DROPPABLE_MAPS
from exporter.model import (
    COUNT_LAYOUT,
    EXIT_EVENT_LAYOUT,
    FOLDER_KEY_LAYOUT,
    FOLDER_LAYOUT,
    PROCESS_LAYOUT,
    ROW_LAYOUT,
    Count,
    Exit,
    Folder,
    Identity,
    MapUse,
    ProbeRuns,
    Row,
    Rows,
)

_OWNER = ROW_LAYOUT.part("start", "tgid")
_ROW = ROW_LAYOUT.part(*(member for member in ROW_LAYOUT.members if member not in ("start", "tgid")))
_ROW_MEMBERS = [member for member in ROW_LAYOUT.members if member in Row._fields]
_COUNT = COUNT_LAYOUT.part()
_PROCESS = PROCESS_LAYOUT.part()
_EXIT_EVENT = EXIT_EVENT_LAYOUT.part()
_FOLDER_KEY = FOLDER_KEY_LAYOUT.part()
_FOLDER = FOLDER_LAYOUT.part()
_INDEX = struct.Struct("=I")
_NUMBER = struct.Struct("=Q")


@dataclass
class Sample:
    """All that the probes have counted of processes whose rows are still in the map."""

    processes: dict[Identity, Rows] = field(default_factory=dict)
    keys: dict[Identity, list[bytes]] = field(default_factory=dict)
    """The map keys of a process, for :meth:`KernelMaps.forget`."""


class KernelMaps:
    """The maps of the probes in the kernel, by descriptors that the loader handed over."""

    def __init__(self, maps: Mapping[str, int], programs: Mapping[str, int]) -> None:
        """``maps`` and ``programs``: descriptors by name. Raises :class:`OSError` when they cannot be read."""
        self._maps = maps
        self._programs = programs
        self._infos = {name: libbpf.map_info(descriptor) for name, descriptor in maps.items()}
        self._entries: dict[str, int] = {}
        self._rows: dict[bytes, Row] = {}
        self._broker_words: set[int] = set()

    def take_exits(self) -> list[Exit]:
        """Return and delete the processes that have ended since the last call. Their rows no longer change."""
        keys, values = self._read("exits")
        exits = [
            Exit(Identity(start, pid), _text(comm))
            for (start, pid), (comm,) in zip(_PROCESS.iter_unpack(keys), _EXIT_EVENT.iter_unpack(values), strict=True)
        ]
        libbpf.delete_from_map(self._maps["exits"], keys, len(exits))
        return exits

    def sample(self) -> Sample:
        """Return everything counted so far."""
        keys, values = self._read("counts")
        size = self._infos["counts"].key_size
        sample = Sample()
        identities: dict[bytes, Identity] = {}
        known = self._rows
        for position, count in zip(range(0, len(keys), size), _COUNT.iter_unpack(values), strict=True):
            key = keys[position : position + size]
            owner, rest = key[: _OWNER.size], key[_OWNER.size :]
            identity = identities.get(owner)
            if identity is None:
                identity = identities[owner] = Identity(*_OWNER.unpack(owner))
                sample.processes[identity] = {}
                sample.keys[identity] = []
            row = known.get(rest) or known.setdefault(rest, _row(rest))
            sample.processes[identity][row] = Count._make(count)
            sample.keys[identity].append(key)
        return sample

    def packed_counts(self) -> dict[bytes, bytes]:
        """Return everything counted so far as the kernel has it, for :func:`unpack_key` and :func:`unpack_count`."""
        return self._packed("counts")

    def packed_folders(self) -> dict[bytes, bytes]:
        """Return the folders of brokers as the kernel has them, for :func:`unpack_folder`."""
        return self._packed("folders")

    def forget(self, keys: Iterable[bytes]) -> None:
        """Delete rows of processes that have ended."""
        self._delete("counts", keys)

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

    def folders(self) -> dict[bytes, Folder]:
        """Return the folders that brokers have used files of, by their keys for :meth:`forget_folders`."""
        keys, values = self._read("folders")
        packed = zip(_slices(keys, _FOLDER_KEY.size), _slices(values, _FOLDER.size), strict=True)
        return {key: unpack_folder(key, value) for key, value in packed}

    def forget_folders(self, keys: Iterable[bytes]) -> None:
        """Delete folders of brokers that have ended."""
        self._delete("folders", keys)

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
        """Return the kernel's statistics of the programs."""
        infos = {name: libbpf.program_info(descriptor) for name, descriptor in self._programs.items()}
        return [
            ProbeRuns(probe=name, runs=info.run_count, seconds=info.run_time_ns / 1e9, missed=info.missed)
            for name, info in infos.items()
        ]

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
        libbpf.delete_from_map(self._maps[name], b"".join(gone), len(gone))
        self._entries[name] = self._entries.get(name, 0) - len(gone)


def unpack_key(key: bytes) -> tuple[Identity, Row]:
    """Return the process and the row of a key of the counts."""
    return Identity(*_OWNER.unpack_from(key)), _row(key[_OWNER.size :])


def unpack_count(value: bytes) -> Count:
    """Return a value of the counts."""
    return Count._make(_COUNT.unpack(value))


def unpack_folder(key: bytes, value: bytes) -> Folder:
    """Return a folder from its key and its value."""
    start, _, pid, _, _ = _FOLDER_KEY.unpack(key)
    *moved, parent, name = _FOLDER.unpack(value)
    return Folder(Identity(start, pid), _text(name), parent, tuple(moved))


def _slices(data: bytes, size: int) -> list[bytes]:
    return [data[position : position + size] for position in range(0, len(data), size)]


def _row(packed: bytes) -> Row:
    values = zip(_ROW_MEMBERS, _ROW.unpack(packed), strict=True)
    return Row(**{member: Row.__annotations__[member](value) for member, value in values})


def _text(name: bytes) -> str:
    return name.split(b"\0", 1)[0].decode(errors="replace")
