"""The counts of processes, of which only what has changed since the last reading is unpacked."""

from collections.abc import Mapping

from exporter.counting.maps import unpack_count, unpack_key
from exporter.model import Identity, Row, Rows


class UnpackedRows:
    """The counts of processes; rows of a process that has not counted since the last call are the same object."""

    def __init__(self) -> None:
        self._packed: Mapping[bytes, bytes] = {}
        self._names: dict[bytes, tuple[Identity, Row]] = {}
        self._shared_rows: dict[Row, Row] = {}
        """One object for equal rows of different processes: a dictionary finds the same object without comparing."""
        self._processes: dict[Identity, Rows] = {}

    def update(self, packed: Mapping[bytes, bytes]) -> Mapping[Identity, Rows]:
        """Return the rows of all processes."""
        before, self._packed = self._packed, packed
        changed: dict[Identity, Rows] = {}
        for key, value in packed.items():
            if before.get(key) != value:
                identity, row = self._names.get(key) or self._name(key)
                rows = changed.get(identity)
                if rows is None:
                    rows = self._copied(identity, changed)
                rows[row] = unpack_count(value)
        for key in before:
            if key not in packed:
                identity, row = self._names.pop(key)
                del self._copied(identity, changed)[row]
        self._processes = {identity: rows for identity, rows in (self._processes | changed).items() if rows}
        return self._processes

    def _name(self, key: bytes) -> tuple[Identity, Row]:
        identity, row = unpack_key(key)
        name = self._names[key] = identity, self._shared_rows.setdefault(row, row)
        return name

    def _copied(self, identity: Identity, changed: dict[Identity, Rows]) -> Rows:
        rows = changed.get(identity)
        if rows is None:
            rows = changed[identity] = dict(self._processes.get(identity, ()))
        return rows
