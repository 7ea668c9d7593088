"""Slots of counts: rows that share a hint, programs that are interrupted, and slots that are freed while they count."""

import errno
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exporter.counting.rows import add_rows
from exporter.kernel import libbpf
from exporter.model import DEFAULT_SAMPLING_RATE, Endpoint, Operation, Rows
from tests.support.watched_connection import WatchedConnection

from .probe_fixture import Counts, ProbeFixture, attached_probes, cpu, syscalls
from .scale import SCALE

pytestmark = pytest.mark.probe("syscalls")

ROUNDS = int(50_000 * SCALE)
ZERO = cpu(Operation.READ, Endpoint.DEVICE, Endpoint.USER)
NULL = cpu(Operation.WRITE, Endpoint.USER, Endpoint.DEVICE)
SIZES = range(1, 5)
"""Bytes per call of each process."""
FAST = 10_000
"""Samples a second per CPU."""


@pytest.fixture
def own(bpf: None, request: pytest.FixtureRequest) -> Iterator[ProbeFixture]:  # noqa: ARG001
    """Probes with this many hints, and this many samples a second."""
    hints, rate = request.param
    probes = ("syscalls", "exits", "copy_time") if rate == FAST else ("syscalls", "exits")
    with attached_probes(map_entries={"hints": hints}, probes=probes, sampling_rate=rate) as attached:
        yield attached


def hammers(probes: ProbeFixture, program: Path) -> dict[int, subprocess.Popen[bytes]]:
    """Processes that read and write all the time, by the number of bytes per call; two on each of two CPUs."""
    cpus = sorted(os.sched_getaffinity(0))
    return {
        size: probes.start(program, "hammers", cpus[size % len(cpus)], ROUNDS, size, stdout=subprocess.DEVNULL)
        for size in SIZES
    }


def truth(size: int) -> Counts:
    return {ZERO: (ROUNDS, ROUNDS * size), NULL: (ROUNDS, ROUNDS * size)}


@pytest.mark.parametrize(
    "own",
    [(1, DEFAULT_SAMPLING_RATE), (4096, FAST)],
    ids=["one hint for all rows", "interrupted 10,000 times a second"],
    indirect=True,
)
def test_processes_that_disturb_each_other(own: ProbeFixture, workload: Callable[..., Path]) -> None:
    started = hammers(own, workload("processes"))
    assert [process.wait(timeout=120) for process in started.values()] == [0] * len(SIZES)
    counted = {size: own.result(process).calls for size, process in started.items()}
    assert counted == {size: truth(size) for size in SIZES}
    assert own.maps.dropped()["counts"] == 0


@pytest.mark.parametrize("own", [(4096, DEFAULT_SAMPLING_RATE), (1, DEFAULT_SAMPLING_RATE)], indirect=True)
def test_slots_that_are_freed_while_they_count(own: ProbeFixture, workload: Callable[..., Path]) -> None:
    """What was forgotten, and what came later, is the truth: no count goes with a slot or comes to another row."""
    started = hammers(own, workload("processes"))
    pids = {process.pid: size for size, process in started.items()}
    totals: dict[int, Rows] = {size: {} for size in SIZES}
    times = 0
    while True:
        ended = not [process for process in started.values() if process.poll() is None]
        sample = own.maps.sample()
        ours = {identity for identity in sample.processes if identity.pid in pids}
        for identity in ours:
            add_rows(totals[pids[identity.pid]], sample.processes[identity])
        own.maps.forget(sample, ours)
        own.maps.reclaim()
        times += 1
        if ended and not ours:
            break
    assert times > 2
    assert {size: syscalls(rows) for size, rows in totals.items()} == {size: truth(size) for size in SIZES}
    assert own.maps.dropped()["counts"] == 0


def test_only_the_rows_of_a_port_are_forgotten(probes: ProbeFixture) -> None:
    """Those of a process that lives on: they start from zero, and its other rows go on counting."""
    with closing(WatchedConnection()) as connection:
        row = cpu(Operation.RECVFROM, Endpoint.TCP, Endpoint.USER, connection.port)
        probes.maps.watch_ports([connection.port])
        connection.peek(100, 50)
        sample = probes.maps.sample()
        (identity,) = [process for process in sample.processes if process.pid == os.getpid()]
        others = {other: count for other, count in sample.processes[identity].items() if not other.port}
        assert sample.processes[identity][row].amount == 150
        probes.maps.forget(sample, [identity], {connection.port})
        probes.maps.reclaim()
        rows = probes.rows(os.getpid())
        assert row not in rows
        assert all(rows[other].amount >= count.amount for other, count in others.items())
        connection.peek(7)
        assert probes.rows(os.getpid())[row].amount == 7
        probes.maps.watch_ports([])


def test_a_row_counts_since_its_first_event(probes: ProbeFixture) -> None:
    """Also in a slot that another row had before."""
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    rows = probes.run("dd", "if=/dev/zero", "of=/dev/null", "count=1").rows
    after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert before <= rows[ZERO].since_ns <= after


def test_what_frees_slots_cannot_be_attached(probes: ProbeFixture) -> None:
    """Else who controls the serving process could run it, up to 512 steps, in every system call of the host."""
    for tracepoint in (b"sys_enter", b"sched_process_exit"):
        attached = libbpf.library().bpf_raw_tracepoint_open(tracepoint, probes.loaded.free_slots)
        assert attached == -errno.EINVAL
