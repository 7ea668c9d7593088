"""Three busy processes per CPU, and one that reads the maps all the time: every call is counted."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from exporter.model import Endpoint, Operation

from .probe_fixture import Counts, ProbeFixture, cpu

PROCESSES_A_CPU = 3
ROUNDS = 100_000
ZERO = cpu(Operation.READ, Endpoint.DEVICE, Endpoint.USER)
NULL = cpu(Operation.WRITE, Endpoint.USER, Endpoint.DEVICE)


def truth(size: int) -> Counts:
    return {ZERO: (ROUNDS, ROUNDS * size), NULL: (ROUNDS, ROUNDS * size)}


def missed(probes: ProbeFixture) -> dict[str, int]:
    return {runs.probe: runs.missed for runs in probes.maps.runs()}


def busy(probes: ProbeFixture, program: Path) -> dict[int, subprocess.Popen[bytes]]:
    """The processes, by the number of bytes that each reads and writes per call."""
    cpus = sorted(os.sched_getaffinity(0))
    sizes = range(1, PROCESSES_A_CPU * len(cpus) + 1)
    return {size: probes.start(program, "hammers", cpus[size % len(cpus)], ROUNDS, size) for size in sizes}


def test_three_processes_per_cpu(probes: ProbeFixture, workload: Callable[..., Path]) -> None:
    """A task that is preempted inside a program, or while it reads a map, must not keep programs from running."""
    before = missed(probes)
    started = busy(probes, workload("processes"))
    samples = 0
    while any(process.poll() is None for process in started.values()):
        probes.maps.sample()
        samples += 1
    assert samples
    assert [process.communicate(timeout=60) and process.returncode for process in started.values()] == [0] * len(
        started
    )
    counted = {size: probes.result(process).calls for size, process in started.items()}
    lost = {name: runs - before[name] for name, runs in missed(probes).items() if runs != before[name]}
    assert not lost, f"{lost} after {samples} samples"
    assert counted == {size: truth(size) for size in started}
