"""The tests of ``tests/probes`` and of the service: in virtual machines with other kernels, and with other BCCs."""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from . import boot
from .archive import REPOSITORY
from .examine import DEADLINE_SECONDS, examine
from .found import Examination
from .kernels import BCCS, KERNELS, Bcc, Kernel
from .table import render

REPORT = REPOSITORY / "docs/kernels.md"


PLACES = (*KERNELS, *BCCS)
Examinations = dict[str, Future[Examination]]


@pytest.fixture(scope="module")
def examinations(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examinations]:
    """All that are asked for, under way or waiting; the report is written when none is missing.

    ``COPY_EXPORTER_VMS``: how many at a time (1). ``COPY_EXPORTER_VM_RESULTS``: a directory that keeps what came back;
    what is there is not examined again.
    """
    kept = os.environ.get("COPY_EXPORTER_VM_RESULTS")
    results = Path(kept).absolute() if kept else tmp_path_factory.mktemp("results")
    asked = [item.callspec.params["place"] for item in request.session.items if item.path == request.path]
    pool = ThreadPoolExecutor(int(os.environ.get("COPY_EXPORTER_VMS", "1")))
    found = {place.name: pool.submit(examine, place, directory(results, place.name)) for place in asked}
    yield found
    pool.shutdown(cancel_futures=True)
    if len(found) == len(PLACES) and not any(future.exception() for future in found.values()):
        REPORT.write_text(render([future.result() for future in found.values()]))


def directory(results: Path, name: str) -> Path:
    (results / name).mkdir(parents=True, exist_ok=True)
    return results / name


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
    "place",
    [pytest.param(place, id=place.name, marks=() if place.always else pytest.mark.matrix) for place in PLACES],
)
def test_examination(place: Kernel | Bcc, examinations: Examinations) -> None:
    examination = examinations[place.name].result()
    where = f"{examination.name}, kernel {examination.release}"
    print(f"{where}: {examination.seconds:.0f} s")
    failed = "\n".join(str(outcome) for outcome in examination.are("failed"))
    assert not failed, f"{where}:\n{failed}"
    assert examination.status == 0, f"pytest ended with status {examination.status}:\n{examination.log}"
    assert examination.are("passed")
