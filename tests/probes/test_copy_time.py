"""Sampled CPU time in the kernel's copy routines, against programs that know how long they copied.

The truth is the CPU time that a program's own calls took. The standard deviation of a number of samples is at most its
square root, whatever else the host does: an error of more than four of them happens once in 16,000 runs. A large read
spends a few per cent on other work than copying (finding pages, entering the kernel).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import pytest

from exporter.kernel.perf_events import numbers
from exporter.model import Endpoint, Operation, Row, RowKind, Rows

from .probe_fixture import ProbeFixture, attached_probes

pytestmark = pytest.mark.probe("copy_time")

RATE = 3999
MILLISECONDS = 500
CIPHERING = Row(RowKind.CIPHER_TIME, Operation.NONE, Endpoint.UNKNOWN, Endpoint.UNKNOWN, 0, 0)
COPYING = Row(RowKind.COPY_TIME, Operation.NONE, Endpoint.UNKNOWN, Endpoint.UNKNOWN, 0, 0)
BESIDE_COPYING = 0.15
Spend = Callable[..., "Spent"]


@dataclass(frozen=True)
class Spent:
    """Seconds of CPU time."""

    all: float
    worked: float
    """In the calls of the workload."""
    copying: float
    ciphering: float

    @property
    def error(self) -> float:
        """Four standard deviations of the samples in the work."""
        return 4 * sqrt(self.worked * RATE) / RATE


@pytest.fixture(scope="module")
def sampling(bpf: None) -> Iterator[ProbeFixture]:  # noqa: ARG001
    with attached_probes(probes=("syscalls", "exits", "copy_time"), sampling_rate=RATE) as attached:
        yield attached


def sampled(rows: Rows, row: Row) -> float:
    """Seconds."""
    events, amount, _ = rows.get(row, (0, 0, 0))
    assert amount == events * (1_000_000_000 // RATE)
    return amount / 1e9


@pytest.fixture
def spend(sampling: ProbeFixture, workload: Callable[..., Path], tmp_path: Path) -> Spend:
    sampling.require("copy_time")

    def run(*work: str) -> Spent:
        name, *half = work
        sample = sampling.maps.sample()  # with many new processes on this host they would fill the map
        sampling.maps.forget(sample, sample.processes)
        sampling.maps.reclaim()
        finished = sampling.run(workload("copies"), name, tmp_path / "file", MILLISECONDS, *half)
        seconds = [int(number) / 1e9 for number in finished.output.split()]
        return Spent(*seconds, sampled(finished.rows, COPYING), sampled(finished.rows, CIPHERING))

    return run


def test_a_process_that_only_copies(spend: Spend) -> None:
    spent = spend("read")
    assert (1 - BESIDE_COPYING) * spent.worked - spent.error <= spent.copying <= spent.worked + spent.error


def test_a_process_that_copies_half_of_the_time(spend: Spend) -> None:
    spent = spend("read", "half")
    assert 0.4 < spent.worked / spent.all < 0.6
    assert (1 - BESIDE_COPYING) * spent.worked - spent.error <= spent.copying <= spent.worked + spent.error


@pytest.mark.parametrize("work", ["spin", "getppid"])
def test_a_process_that_does_not_copy(spend: Spend, work: str) -> None:
    """Except for the copies of clock_gettime, and interrupts."""
    spent = spend(work)
    assert spent.copying < 0.01 * spent.all


def test_a_process_that_makes_the_kernel_cipher(spend: Spend) -> None:
    """Random numbers come from ChaCha; the rest of the time they are copied."""
    spent = spend("random")
    assert 0.6 * spent.worked - spent.error <= spent.ciphering <= spent.worked + spent.error
    assert spent.ciphering + spent.copying <= spent.worked + spent.error
    assert spend("read").ciphering < 0.01


@pytest.mark.parametrize("work", ["write", "transfer", "pipe", "send"])
def test_every_way_of_copying_is_seen(spend: Spend, work: str) -> None:
    assert spend(work).copying > 0.02 * MILLISECONDS / 1000


def test_zero_copy_copies_nothing(spend: Spend) -> None:
    assert spend("sendfile").copying < 0.2 * spend("send").copying


def test_each_cpu_has_its_clock(sampling: ProbeFixture) -> None:
    sampling.require("copy_time")
    online = numbers(Path("/sys/devices/system/cpu/online").read_text())
    assert len(sampling.loaded.links) == len(online) + 2, "and one link for each of the other probes"
