"""Sampled CPU time in the kernel's copy routines, against programs that know how long they copied.

Truth is the CPU time that a program's own calls took. The standard deviation of a number of samples is at most its
square root, whatever else the host does: four of them are missed once in 16,000 runs. What a large read does beside
copying (finding pages, entering the kernel) is some per cent.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import pytest

from exporter.kernel.perf_events import numbers
from exporter.model import Endpoint, Operation, Row, RowKind

from .probe_fixture import Ground, loaded

RATE = 3999
MILLISECONDS = 500
COPYING = Row(RowKind.COPY_TIME, Operation.NONE, Endpoint.UNKNOWN, Endpoint.UNKNOWN, 0, 0)
BESIDE_COPYING = 0.15
Spend = Callable[..., "Spent"]


@dataclass(frozen=True)
class Spent:
    """Seconds of CPU time."""

    all: float
    worked: float
    """In the calls that were asked for."""
    copying: float

    @property
    def error(self) -> float:
        """Four standard deviations of what is sampled of the work."""
        return 4 * sqrt(self.worked * RATE) / RATE


@pytest.fixture(scope="module")
def sampling(premises: None) -> Iterator[Ground]:  # noqa: ARG001
    yield from loaded(probes=("syscalls", "exits", "copy_time"), sampling_rate=RATE)


@pytest.fixture
def spend(sampling: Ground, workload: Callable[..., Path], tmp_path: Path) -> Spend:
    sampling.needs("copy_time")

    def run(*work: str) -> Spent:
        name, *half = work
        others = sampling.reader.sample().keys.values()  # with many births on this host they would fill the map
        sampling.reader.forget(key for keys in others for key in keys)
        ran = sampling.run(workload("copies"), name, tmp_path / "file", MILLISECONDS, *half)
        seconds = [int(number) / 1e9 for number in ran.output.split()]
        events, amount, _ = ran.rows.get(COPYING, (0, 0, 0))
        assert amount == events * (1_000_000_000 // RATE)
        return Spent(*seconds, amount / 1e9)

    return run


def test_one_who_only_copies(spend: Spend) -> None:
    spent = spend("read")
    assert (1 - BESIDE_COPYING) * spent.worked - spent.error <= spent.copying <= spent.worked + spent.error


def test_one_who_copies_half_of_the_time(spend: Spend) -> None:
    spent = spend("read", "half")
    assert 0.4 < spent.worked / spent.all < 0.6
    assert (1 - BESIDE_COPYING) * spent.worked - spent.error <= spent.copying <= spent.worked + spent.error


@pytest.mark.parametrize("work", ["spin", "getppid"])
def test_one_who_does_not_copy(spend: Spend, work: str) -> None:
    """But for what asking for the time copies, and interrupts in its name."""
    spent = spend(work)
    assert spent.copying < 0.01 * spent.all


@pytest.mark.parametrize("work", ["write", "transfer", "pipe", "send"])
def test_every_way_of_copying_is_seen(spend: Spend, work: str) -> None:
    assert spend(work).copying > 0.02 * MILLISECONDS / 1000


def test_zero_copy_copies_nothing(spend: Spend) -> None:
    assert spend("sendfile").copying < 0.2 * spend("send").copying


def test_each_cpu_has_its_clock(sampling: Ground) -> None:
    sampling.needs("copy_time")
    online = numbers(Path("/sys/devices/system/cpu/online").read_text())
    assert len(sampling.handover.links) == len(online) + 2, "and one link for each of the other probes"
