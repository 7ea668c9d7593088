"""Random sequences of calls, compared with what each call returned; a difference shrinks to few steps."""

import struct
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.model import Endpoint, Operation, Row, RowKind
from tests.support.compiler import compile_c

from .probe_fixture import Counts, ProbeFixture

_WORKERS_MAX = 16
_ENTRIES_MAX = 400
_ENTRY = struct.Struct("=20s12s12sii4xqq")
_WORKER = struct.Struct("=ii")
_WORKER_SIZE = _WORKER.size + _ENTRIES_MAX * _ENTRY.size
"""As workloads/random_calls.c lays them out."""
_KINDS = (RowKind.ERROR, RowKind.CPU_COPY, RowKind.ZERO_COPY, RowKind.DMA)
_FIRST_PARTS = 2


_WORKLOAD = Path(__file__).parent / "workloads/random_calls.c"

Difference = dict[Row, tuple[tuple[int, int] | None, tuple[int, int] | None]]
"""Rows of which more or less was counted than the calls returned: what was counted, and the truth."""


def compile_program(directory: Path) -> Path:
    """Compile the program that makes the calls."""
    return compile_c(_WORKLOAD, directory / "random_calls", "-O1", "-static")


@dataclass(frozen=True)
class RandomCalls:
    """A sequence that can be run with any of its steps."""

    program: Path
    truth: Path
    directories: Sequence[Path]
    """The first is on a disk."""
    seed: int
    workers: int

    def difference(self, probes: ProbeFixture, steps: Sequence[int]) -> Difference:
        """Run these steps; what was counted of each process, against the truth."""
        self.truth.write_bytes(bytes(_WORKERS_MAX * _WORKER_SIZE))
        numbers = ",".join(map(str, steps))
        probes.run(self.program, "run", self.seed, self.workers, numbers, self.truth, *self.directories)
        rows: Difference = {}
        for pid, truth in read_truth(self.truth).items():
            counted = probes.finished(pid).calls
            for row in counted.keys() | truth.keys():
                if counted.get(row) != truth.get(row):
                    rows[row] = counted.get(row), truth.get(row)
        return rows

    def shrink(self, probes: ProbeFixture, steps: Sequence[int]) -> list[int]:
        """The fewest steps found that still make a difference (delta debugging)."""
        remaining, parts = list(steps), _FIRST_PARTS
        while len(remaining) > 1:
            size = -(-len(remaining) // parts)
            without = (remaining[:start] + remaining[start + size :] for start in range(0, len(remaining), size))
            smaller = next((part for part in without if part and self.difference(probes, part)), None)
            if smaller:
                remaining, parts = smaller, max(parts - 1, _FIRST_PARTS)
            elif size == 1:
                break
            else:
                parts = min(2 * parts, len(remaining))
        return remaining


def read_truth(path: Path) -> dict[int, Counts]:
    """What the calls of each process returned."""
    data = path.read_bytes()
    truths: dict[int, Counts] = defaultdict(dict)
    for start in range(0, len(data), _WORKER_SIZE):
        pid, used = _WORKER.unpack_from(data, start)
        for entry in range(used):
            row, events, amount = _row(data, start + _WORKER.size + entry * _ENTRY.size)
            before = truths[pid].get(row, (0, 0))
            truths[pid][row] = before[0] + events, before[1] + amount
    return truths


def _row(data: bytes, position: int) -> tuple[Row, int, int]:
    call, source, destination, kind, error, events, amount = _ENTRY.unpack_from(data, position)
    operation, *ends = (name.rstrip(b"\0").decode().upper() for name in (call, source, destination))
    row = Row(_KINDS[kind], Operation[operation], *(Endpoint[end] for end in ends), 0, error)
    return row, events, amount
