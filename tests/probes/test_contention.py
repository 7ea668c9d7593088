"""Three busy processes a CPU, and one that reads the maps all the while: every call is counted."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from exporter.model import Endpoint, Operation

from .probe_fixture import Counts, Ground, cpu

PROCESSES_A_CPU = 3
ROUNDS = 100_000
ZERO = cpu(Operation.READ, Endpoint.DEVICE, Endpoint.USER)
NULL = cpu(Operation.WRITE, Endpoint.USER, Endpoint.DEVICE)


def truth(size: int) -> Counts:
    return {ZERO: (ROUNDS, ROUNDS * size), NULL: (ROUNDS, ROUNDS * size)}


def missed(ground: Ground) -> dict[str, int]:
    return {runs.probe: runs.missed for runs in ground.reader.runs()}


def busy(ground: Ground, program: Path) -> dict[int, subprocess.Popen[bytes]]:
    """By the number of bytes that each reads and writes at a time."""
    cpus = sorted(os.sched_getaffinity(0))
    sizes = range(1, PROCESSES_A_CPU * len(cpus) + 1)
    return {size: ground.start(program, "hammers", cpus[size % len(cpus)], ROUNDS, size) for size in sizes}


def test_three_processes_a_cpu(ground: Ground, workload: Callable[..., Path]) -> None:
    """A task that is preempted inside a program, or while it reads a map, must not keep programs from running."""
    before = missed(ground)
    started = busy(ground, workload("processes"))
    samples = 0
    while any(process.poll() is None for process in started.values()):
        ground.reader.sample()
        samples += 1
    assert samples
    assert [process.communicate(timeout=60) and process.returncode for process in started.values()] == [0] * len(
        started
    )
    counted = {size: ground.result(process).calls for size, process in started.items()}
    lost = {name: runs - before[name] for name, runs in missed(ground).items() if runs != before[name]}
    assert not lost, f"{lost} after {samples} samples"
    assert counted == {size: truth(size) for size in started}
