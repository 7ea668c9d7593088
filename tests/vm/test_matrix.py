"""The tests of ``tests/kernel`` and of the service: in virtual machines with other kernels, and with other BCCs."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import boot
from .archive import REPOSITORY
from .examine import DEADLINE_SECONDS, examine, examine_bcc
from .found import Examination
from .kernels import KERNELS, SUITES_OF_BCC, Kernel
from .table import render

REPORT = REPOSITORY / "docs/kernels.md"


@pytest.fixture(scope="module")
def examined() -> Iterator[list[Examination]]:
    """What is found, for the report: written when everything has been examined."""
    found: list[Examination] = []
    yield found
    if len(found) == len(KERNELS) + len(SUITES_OF_BCC):
        REPORT.write_text(render(found))


@pytest.fixture
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where what comes back is kept: what is in the directory that the variable names is not examined again."""
    results = os.environ.get("COPY_EXPORTER_VM_RESULTS")
    if not results:
        return tmp_path
    directory = Path(results).absolute() / request.node.callspec.id
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.fixture(scope="module", autouse=True)
def _emulation() -> None:
    programs = ("qemu-system-x86_64", "qemu-system-aarch64", "busybox", "depmod", "mkfs.ext4", "mmdebstrap")
    missing = [name for name in programs if not shutil.which(name)]
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
def test_kernel(kernel: Kernel, examined: list[Examination], shared: Path) -> None:
    examined.append(examine(kernel, shared))
    is_well(examined[-1], shared)


@pytest.mark.vm
@pytest.mark.matrix
@pytest.mark.timeout(DEADLINE_SECONDS + 300)
@pytest.mark.parametrize("suite", SUITES_OF_BCC)
def test_bcc(suite: str, examined: list[Examination], shared: Path) -> None:
    examined.append(examine_bcc(suite, shared))
    is_well(examined[-1], shared)


def is_well(examination: Examination, shared: Path) -> None:
    where = f"{examination.name}, kernel {examination.release}"
    print(f"{where}: {examination.seconds:.0f} s; all that came back is in {shared}")
    failed = "\n".join(str(outcome) for outcome in examination.are("failed"))
    assert not failed, f"{where}:\n{failed}"
    assert examination.status == 0, f"pytest ended with status {examination.status}:\n{examination.log}"
    assert examination.are("passed")
