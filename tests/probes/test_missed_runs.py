"""Busy threads on every CPU: nothing is lost, or exactly what is lost is reported as missed runs."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.model import Endpoint

from .probe_fixture import ProbeFixture, kernel_copy

pytestmark = pytest.mark.probe("shmem_file_read_iter")

TIMES = 5000
THREADS_PER_CPU = 3
READS = kernel_copy(Endpoint.PAGE_CACHE, Endpoint.USER)


@pytest.fixture
def file_in_memory() -> Iterator[Path]:
    path = Path(f"/dev/shm/copy-exporter-test-{os.getpid()}")
    path.write_bytes(b"x")
    yield path
    path.unlink()


def missed(probes: ProbeFixture, probe: str) -> int:
    return next(runs.missed for runs in probes.maps.runs() if runs.probe == probe)


def test_every_run_counts_or_is_reported_as_missed(
    all_probes: ProbeFixture,
    workload: Callable[..., Path],
    file_in_memory: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """No other process reads files in memory meanwhile, so all missed runs are those of this process."""
    all_probes.require("shmem_file_read_iter")
    threads = THREADS_PER_CPU * (os.cpu_count() or 1)
    before = missed(all_probes, "shmem_file_read_iter")
    finished = all_probes.run(workload("levels"), "crowd", file_in_memory, threads, TIMES)
    lost = missed(all_probes, "shmem_file_read_iter") - before
    record_property("measured", f"{lost} of {threads * TIMES} runs missed")
    assert finished.rows[READS].events + lost == threads * TIMES
