"""The tests of ``tests/kernel`` and of the service, inside virtual machines with other kernels."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import boot
from .examine import DEADLINE_SECONDS, Examination, examine
from .fetch import REPOSITORY
from .kernels import KERNELS, Kernel
from .table import render

REPORT = REPOSITORY / "docs/kernels.md"


@pytest.fixture(scope="module")
def examined() -> Iterator[list[Examination]]:
    """What is found, for the report: written when all kernels have been examined."""
    found: list[Examination] = []
    yield found
    if len(found) == len(KERNELS):
        REPORT.write_text(render(found))


@pytest.fixture(scope="module", autouse=True)
def _emulation() -> None:
    missing = [name for name in ("qemu-system-x86_64", "busybox", "depmod", "mkfs.ext4") if not shutil.which(name)]
    if not boot.VNG.exists():
        missing.append("virtme-ng")
    if missing and not os.environ.get("CI"):
        pytest.skip(f"not installed: {', '.join(missing)}")
    assert not missing


@pytest.mark.vm
@pytest.mark.timeout(DEADLINE_SECONDS + 300)
@pytest.mark.parametrize(
    "kernel",
    [pytest.param(kernel, id=kernel.name, marks=() if kernel.always else pytest.mark.matrix) for kernel in KERNELS],
)
def test_kernel(kernel: Kernel, examined: list[Examination], tmp_path: Path) -> None:
    examination = examine(kernel, tmp_path)
    examined.append(examination)
    failed = "\n".join(str(outcome) for outcome in examination.are("failed"))
    print(f"kernel {examination.release}, {examination.seconds:.0f} s; all that came back is in {tmp_path}")
    assert not failed, f"on kernel {examination.release}:\n{failed}"
    assert examination.status == 0, f"pytest ended with status {examination.status}:\n{examination.log}"
    assert examination.are("passed")
