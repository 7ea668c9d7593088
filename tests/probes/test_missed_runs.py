"""Busy threads on every CPU: nothing is lost, or exactly what is lost is known as missed runs."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.model import Endpoint

from .probe_fixture import Ground, kernel_copy

TIMES = 5000
THREADS_A_CPU = 3
READS = kernel_copy(Endpoint.PAGE_CACHE, Endpoint.USER)


@pytest.fixture
def file_in_memory() -> Iterator[Path]:
    path = Path("/dev/shm/copy-exporter-test-crowd")
    path.write_bytes(b"x")
    yield path
    path.unlink()


def missed(ground: Ground, probe: str) -> int:
    return next(runs.missed for runs in ground.reader.runs() if runs.probe == probe)


def test_every_run_counts_or_is_known_as_missed(
    deep: Ground, workload: Callable[..., Path], file_in_memory: Path, record_property: Callable[[str, object], None]
) -> None:
    """No other process reads files in memory meanwhile: the missed runs are all of this one."""
    deep.needs("shmem_file_read_iter")
    threads = THREADS_A_CPU * (os.cpu_count() or 1)
    before = missed(deep, "shmem_file_read_iter")
    ran = deep.run(workload("levels"), "crowd", file_in_memory, threads, TIMES)
    lost = missed(deep, "shmem_file_read_iter") - before
    record_property("measured", f"{lost} of {threads * TIMES} runs missed")
    assert ran.rows[READS].events + lost == threads * TIMES
