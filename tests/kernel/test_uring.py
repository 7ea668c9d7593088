"""io_uring: no system call for each transfer, but the deeper probes see what it does."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.model import Endpoint

from .ground import DISK_READS, Ground, amount, socket_copy


def test_io_uring_is_seen_below_the_system_calls(ground: Ground, workload: Callable[..., Path], disk: Path) -> None:
    switch = Path("/proc/sys/kernel/io_uring_disabled")
    if switch.exists() and switch.read_text() != "0\n":
        pytest.skip(f"not in this kernel: {switch} says no")
    file = disk / "uring"
    file.write_bytes(bytes(4 << 20))
    os.sync()
    ran = ground.run(workload("uring"), "transfers", file)
    assert ran.calls == {}
    assert ran.rows[socket_copy(Endpoint.TCP)][:2] == (1, 1000)
    assert amount(ran.rows, DISK_READS) >= 65536
