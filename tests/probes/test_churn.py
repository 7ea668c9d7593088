"""Many short-lived processes, and a map that is too small."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.model import Endpoint, Identity, Operation

from .probe_fixture import ProbeFixture, attached_probes, cpu
from .scale import SCALE

pytestmark = pytest.mark.probe("exits")

NULL = cpu(Operation.WRITE, Endpoint.USER, Endpoint.DEVICE)
BIRTHS = int(10_000 * SCALE)


NAME = f"born-{os.getpid()}"
"""No other process on this host has this name, not even in a second run of these tests."""


@pytest.fixture(scope="module")
def processes(workload: Callable[..., Path]) -> Path:
    path = workload("processes").with_name(NAME)
    path.hardlink_to(workload("processes"))
    return path


@pytest.fixture
def own(bpf: None, request: pytest.FixtureRequest) -> Iterator[ProbeFixture]:  # noqa: ARG001
    """Probes with a map of counts with this many entries."""
    with attached_probes(map_entries={"counts": request.param}) as attached:
        yield attached


def forget_ended(probes: ProbeFixture, forgotten: set[Identity]) -> int:
    """Do for the workload what the serving process does once per second; returns the bytes of what ended."""
    ended = {ended.identity for ended in probes.maps.take_exits() if ended.comm == NAME}
    sample = probes.maps.sample()
    gone = ended & sample.processes.keys()
    probes.maps.forget(sample, gone)
    probes.maps.reclaim()
    forgotten |= ended
    return sum(count.amount for identity in gone for row, count in sample.processes[identity].items() if row == NULL)


@pytest.mark.parametrize("own", [8192], indirect=True)
def test_short_lived_processes(own: ProbeFixture, processes: Path) -> None:
    """There are more of them than entries in the map: every byte is counted, and no entry is left over."""
    total = 0
    forgotten: set[Identity] = set()
    with own.start(processes, "births", BIRTHS) as parent:
        while parent.poll() is None:
            total += forget_ended(own, forgotten)
    total += forget_ended(own, forgotten)
    assert total == sum(i % 100 + 1 for i in range(BIRTHS))
    assert len(forgotten) == BIRTHS + 1
    assert not any(own.maps.dropped().values())
    assert not forgotten & own.maps.sample().processes.keys()


ROOM = 1024
"""Entries of a map that fills up, but not before the first rows of a process, even on a busy host."""


@pytest.mark.parametrize("own", [ROOM], indirect=True)
def test_a_full_map(own: ProbeFixture, processes: Path) -> None:
    """Existing entries count correctly. Other updates are lost, and their number is counted."""
    with own.start("sh", "-c", "while read _; do echo; done", stdin=-1, bufsize=0) as first:
        assert first.stdin
        assert first.stdout
        first.stdin.write(b"\n")
        assert first.stdout.read(1) == b"\n"
        dropped = own.maps.dropped()["counts"]
        born = ROOM + 100
        own.run(processes, "births", born)
        assert own.maps.dropped()["counts"] - dropped >= born - ROOM
        for _ in range(9):
            first.stdin.write(b"\n")
            assert first.stdout.read(1) == b"\n"
        rows = own.rows(first.pid)
        assert rows[cpu(Operation.WRITE, Endpoint.USER, Endpoint.PIPE)][:2] == (10, 10)
        assert rows[cpu(Operation.READ, Endpoint.PIPE, Endpoint.USER)][:2] == (10, 10)
        assert {use.name: use.entries for use in own.maps.map_use()}["counts"] == ROOM
        first.stdin.close()
