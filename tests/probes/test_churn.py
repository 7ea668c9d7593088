"""Many short-lived processes, and a map that is too small for those that live."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.model import Endpoint, Identity, Operation

from .probe_fixture import Ground, cpu, loaded
from .scale import SCALE

NULL = cpu(Operation.WRITE, Endpoint.USER, Endpoint.DEVICE)
BIRTHS = int(10_000 * SCALE)


NAME = f"born-{os.getpid()}"
"""No other process on this host is called that, not even a second run of these tests."""


@pytest.fixture(scope="module")
def processes(ground: Ground, workload: Callable[..., Path]) -> Path:
    assert ground
    path = workload("processes").with_name(NAME)
    path.hardlink_to(workload("processes"))
    return path


@pytest.fixture
def own(ground: Ground, request: pytest.FixtureRequest) -> Iterator[Ground]:
    """Probes with a counts map of this many entries."""
    yield from loaded(map_entries={"counts": request.param})
    ground.exits()  # the other probes have seen all these ends as well


def forget_ended(ground: Ground, forgotten: set[Identity]) -> int:
    """What the serving process does about once a second, for what the workload started; the bytes of what ended."""
    ended = {ended.identity for ended in ground.reader.take_exits() if ended.comm == NAME}
    sample = ground.reader.sample()
    gone = ended & sample.processes.keys()
    ground.reader.forget(key for identity in gone for key in sample.keys[identity])
    forgotten |= ended
    return sum(count.amount for identity in gone for row, count in sample.processes[identity].items() if row == NULL)


@pytest.mark.parametrize("own", [8192], indirect=True)
def test_short_lived_processes(own: Ground, processes: Path) -> None:
    """More of them than the map has entries: every byte is counted, nothing is lost and nothing stays behind."""
    total = 0
    forgotten: set[Identity] = set()
    with own.start(processes, "births", BIRTHS) as parent:
        while parent.poll() is None:
            total += forget_ended(own, forgotten)
    total += forget_ended(own, forgotten)
    assert total == sum(i % 100 + 1 for i in range(BIRTHS))
    assert len(forgotten) == BIRTHS + 1
    assert not any(own.reader.dropped().values())
    assert not forgotten & own.reader.sample().processes.keys()


@pytest.mark.parametrize("own", [64], indirect=True)
def test_a_full_map(own: Ground, processes: Path) -> None:
    """What was there first goes on counting right; the rest is lost, and that is counted too."""
    with own.start("sh", "-c", "while read _; do echo; done", stdin=-1, bufsize=0) as first:
        assert first.stdin
        assert first.stdout
        first.stdin.write(b"\n")
        assert first.stdout.read(1) == b"\n"
        dropped = own.reader.dropped()["counts"]
        lost = 100
        own.run(processes, "births", lost)
        assert own.reader.dropped()["counts"] - dropped >= lost - 64
        for _ in range(9):
            first.stdin.write(b"\n")
            assert first.stdout.read(1) == b"\n"
        rows = own.rows(first.pid)
        assert rows[cpu(Operation.WRITE, Endpoint.USER, Endpoint.PIPE)][:2] == (10, 10)
        assert rows[cpu(Operation.READ, Endpoint.PIPE, Endpoint.USER)][:2] == (10, 10)
        assert {use.name: use.entries for use in own.reader.map_use()}["counts"] == 64
        first.stdin.close()
