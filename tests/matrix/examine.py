"""One kernel or one version of BCC examined: doctor and the tests, run there."""

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import boot
from .archive import REPOSITORY, cache_directory
from .fetch import fetch
from .found import Examination, is_done, read, record
from .kernels import Bcc, Kernel
from .roots import PYTHON_PACKAGES, Root, unpack

_GUEST = Path(__file__).with_name("guest")
_INSIDE = Path(__file__).with_name("inside")
DEADLINE_SECONDS = 2700.0
TESTS = (
    "tests/probes",
    "--ignore=tests/probes/test_copy_time.py",
    "--ignore=tests/probes/test_loader.py",
    "--ignore=tests/probes/test_network.py",
    "--ignore=tests/probes/test_fallback_hooks.py",
    "--deselect=tests/probes/test_churn.py::test_a_full_map",
    "--deselect=tests/probes/test_folders.py::test_the_same_where_the_verifier_can_do_less",
    "tests/probes/test_scheduling.py",
    "tests/service/test_privileges.py::test_nobody_without_a_capability",
    "tests/service/test_privileges.py::test_every_thread_gave_up_the_same",
    "tests/service/test_privileges.py::test_the_loader_is_gone",
    "tests/service/test_exactness.py::test_end_between_and_after_scrapes",
)
"""What asks the kernel, not what asks the exporter's own code: under emulation each new load of the probes takes 15 s.
The slower ways of reading are what older kernels have anyway."""
TESTS_OF_ANOTHER_ARCHITECTURE = (
    "tests/probes/test_endpoints.py",
    "tests/probes/test_failures.py",
    "tests/probes/test_identity.py",
    "tests/probes/test_io_uring.py",
    "tests/probes/test_sendfile.py",
    "tests/probes/test_sockets.py",
    "tests/probes/test_transfers.py",
    "tests/service/test_exactness.py::test_end_between_and_after_scrapes",
)
"""The ground truth of the system calls, whose registers and numbers differ, and the service."""


def examine(place: Kernel | Bcc, shared: Path) -> Examination:
    """Fetch, boot, test. ``shared`` keeps all that came back; what is there already is not done again."""
    if not is_done(shared):
        if isinstance(place, Kernel):
            _examine_kernel(place, shared)
        else:
            _examine_bcc(place, shared)
    return read(shared)


def _examine_kernel(kernel: Kernel, shared: Path) -> None:
    installed = fetch(kernel, cache_directory())
    tests = TESTS_OF_ANOTHER_ARCHITECTURE if kernel.suite_of_root else TESTS
    root, python = _root_of(kernel, shared)
    guest = shutil.copy(_GUEST, shared)
    started = time.monotonic()
    status = boot.run(installed, [guest, *python, REPOSITORY, shared, *_chosen(tests)], shared, DEADLINE_SECONDS, root)
    record(shared, kernel.name, installed.release, status, time.monotonic() - started)


def _examine_bcc(bcc: Bcc, shared: Path) -> None:
    """With the compiler and the Python of that Debian, too."""
    root = unpack(Root(bcc.suite, "amd64"), cache_directory())
    command = ["unshare", "--mount", _INSIDE, root, _modules(), REPOSITORY, shared, *_chosen(TESTS)]
    started = time.monotonic()
    status = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=DEADLINE_SECONDS, check=False).returncode
    version = (shared / "bcc").read_text().strip()
    record(shared, f"BCC {version} of {bcc.suite}", platform.release(), status, time.monotonic() - started)


def _chosen(tests: Sequence[str]) -> Sequence[str]:
    return os.environ.get("COPY_EXPORTER_VM_TESTS", "").split() or tests


def _root_of(kernel: Kernel, shared: Path) -> tuple[Path, Sequence[str]]:
    """The root, and the interpreter there with what it finds modules by."""
    if not kernel.suite_of_root:
        return boot.HOST, (sys.executable, "")
    root = unpack(Root(kernel.suite_of_root, kernel.architecture), cache_directory())
    for mounted in (REPOSITORY, shared):
        (root / mounted.relative_to("/")).mkdir(parents=True, exist_ok=True)
    return root, ("/usr/bin/python3", _modules())


def _modules() -> str:
    return f"/{PYTHON_PACKAGES}:{REPOSITORY}"
