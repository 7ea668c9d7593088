"""From map descriptors to samples, through libbpf. Works without any privilege since v5.19, with CAP_BPF before."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from exporter.kernel import libbpf
from exporter.model import (
    DROPPABLE_MAPS,
    Count,
    Endpoint,
    Exit,
    Folder,
    Identity,
    MapUse,
    Operation,
    ProbeRuns,
    Row,
    RowKind,
    Rows,
)

_IDENTITY = struct.Struct("=QI")  # struct row, its first two members; struct process
_ROW = struct.Struct("=HHBBBB4x")  # struct row, the rest
_COUNT = struct.Struct("=QQQ")  # struct count
_EXITED = struct.Struct("=QI4x")  # struct process
_COMM = struct.Struct("=16s")  # struct exit_event
_FOLDER_KEY = struct.Struct("=QQI")  # struct folder_key, as far as the process goes: start, inode, tgid
_FOLDER = struct.Struct("=4QQ256s")  # struct folder
_PORT_SET_BYTES = 8192
_FIRST = struct.pack("=I", 0)


@dataclass
class Sample:
    """All that the probes have counted of processes whose rows are still in the map."""

    processes: dict[Identity, Rows] = field(default_factory=dict)
    keys: dict[Identity, list[bytes]] = field(default_factory=dict)
    """The map keys of a process, for :meth:`Source.forget`."""

    def drop(self, identity: Identity) -> None:
        """Leave out a process whose rows have been forgotten."""
        del self.processes[identity], self.keys[identity]

    @property
    def entries(self) -> int:
        """How many rows there are."""
        return sum(map(len, self.keys.values()))


class Source(Protocol):
    """Where samples come from: the kernel's maps, or a list in tests."""

    def take_exits(self) -> list[Exit]:
        """Processes that have ended since the last call: from now on their rows do not change."""
        ...

    def sample(self) -> Sample:
        """Everything counted so far."""
        ...

    def forget(self, keys: Iterable[bytes]) -> None:
        """Delete rows of processes that have ended."""
        ...

    def watch_ports(self, ports: Iterable[int]) -> None:
        """Tell the probes which local TCP ports to count apart."""
        ...

    def watch_brokers(self, pids: Iterable[int]) -> None:
        """Tell the probes of which processes to count folders apart."""
        ...

    def folders(self) -> dict[bytes, Folder]:
        """The folders that brokers have used files of, by their keys for :meth:`forget_folders`."""
        ...

    def forget_folders(self, keys: Iterable[bytes]) -> None:
        """Delete folders of brokers that have ended."""
        ...

    def dropped(self) -> Mapping[str, int]:
        """Updates lost because a map was full, by map."""
        ...

    def map_use(self, sample: Sample) -> list[MapUse]:
        """How full the maps are."""
        ...

    def runs(self) -> list[ProbeRuns]:
        """What the kernel knows of the programs."""
        ...


class Reader:
    """The kernel's maps, by descriptors that the loader handed over."""

    def __init__(self, maps: Mapping[str, int], programs: Mapping[str, int]) -> None:
        """``maps`` and ``programs``: descriptors by name. Raises :class:`OSError` when they cannot be asked."""
        self._maps = maps
        self._programs = programs
        self._infos = {name: libbpf.map_info(descriptor) for name, descriptor in maps.items()}
        self._rows: dict[bytes, Row] = {}
        self._broker_words: set[int] = set()

    def take_exits(self) -> list[Exit]:
        """See :class:`Source`."""
        keys, values = self._read("exits")
        exits = [
            Exit(Identity(start, pid), comm.split(b"\0", 1)[0].decode(errors="replace"))
            for (start, pid), (comm,) in zip(_EXITED.iter_unpack(keys), _COMM.iter_unpack(values), strict=True)
        ]
        libbpf.delete_from_map(self._maps["exits"], keys, len(exits))
        return exits

    def sample(self) -> Sample:
        """See :class:`Source`."""
        keys, values = self._read("counts")
        size = self._infos["counts"].key_size
        sample = Sample()
        identities: dict[bytes, Identity] = {}
        known = self._rows
        for position, count in zip(range(0, len(keys), size), _COUNT.iter_unpack(values), strict=True):
            key = keys[position : position + size]
            owner, rest = key[:12], key[12:]
            identity = identities.get(owner)
            if identity is None:
                identity = identities[owner] = Identity(*_IDENTITY.unpack(owner))
                sample.processes[identity] = {}
                sample.keys[identity] = []
            row = known.get(rest) or known.setdefault(rest, _row(rest))
            sample.processes[identity][row] = Count._make(count)
            sample.keys[identity].append(key)
        return sample

    def forget(self, keys: Iterable[bytes]) -> None:
        """See :class:`Source`."""
        gone = list(keys)
        libbpf.delete_from_map(self._maps["counts"], b"".join(gone), len(gone))

    def watch_ports(self, ports: Iterable[int]) -> None:
        """See :class:`Source`."""
        bits = sum(1 << port for port in set(ports))
        libbpf.write_element(self._maps["ports"], _FIRST, bits.to_bytes(_PORT_SET_BYTES, "little"))

    def watch_brokers(self, pids: Iterable[int]) -> None:
        """See :class:`Source`."""
        words = dict.fromkeys(self._broker_words, 0)
        for pid in pids:
            words[pid >> 6] = words.get(pid >> 6, 0) | 1 << (pid & 63)
        for word, bits in words.items():
            libbpf.write_element(self._maps["brokers"], struct.pack("=I", word), struct.pack("=Q", bits))
        self._broker_words = {word for word, bits in words.items() if bits}

    def folders(self) -> dict[bytes, Folder]:
        """See :class:`Source`."""
        keys, values = self._read("folders")
        size = self._infos["folders"].key_size
        found = {}
        for position, (*moved, parent, name) in zip(
            range(0, len(keys), size), _FOLDER.iter_unpack(values), strict=True
        ):
            start, _, pid = _FOLDER_KEY.unpack_from(keys, position)
            text = name.split(b"\0", 1)[0].decode(errors="replace")
            found[keys[position : position + size]] = Folder(Identity(start, pid), text, parent, tuple(moved))
        return found

    def forget_folders(self, keys: Iterable[bytes]) -> None:
        """See :class:`Source`."""
        gone = list(keys)
        libbpf.delete_from_map(self._maps["folders"], b"".join(gone), len(gone))

    def dropped(self) -> dict[str, int]:
        """See :class:`Source`."""
        descriptor = self._maps["dropped"]
        return {
            name: struct.unpack("=Q", libbpf.read_element(descriptor, struct.pack("=I", index), 8))[0]
            for index, name in enumerate(DROPPABLE_MAPS)
        }

    def map_use(self, sample: Sample) -> list[MapUse]:
        """See :class:`Source`."""
        entries = {"counts": sample.entries}
        for name in DROPPABLE_MAPS[1:]:
            if name in self._maps:
                entries[name] = len(self._read(name)[0]) // self._infos[name].key_size
        return [MapUse(name, used, self._infos[name].max_entries) for name, used in entries.items()]

    def runs(self) -> list[ProbeRuns]:
        """See :class:`Source`."""
        infos = {name: libbpf.program_info(descriptor) for name, descriptor in self._programs.items()}
        return [
            ProbeRuns(probe=name, runs=info.run_count, seconds=info.run_time_ns / 1e9, missed=info.missed)
            for name, info in infos.items()
        ]

    def _read(self, name: str) -> tuple[bytes, bytes]:
        return libbpf.read_map(self._maps[name], self._infos[name])


def _row(packed: bytes) -> Row:
    port, detail, call, source, destination, kind = _ROW.unpack(packed)
    return Row(RowKind(kind), Operation(call), Endpoint(source), Endpoint(destination), port, detail)
