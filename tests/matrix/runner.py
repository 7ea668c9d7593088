"""Runs ``copy-exporter doctor`` and the tests on one target of the matrix."""

import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.support.paths import ROOT

from .archive import KERNEL_CACHE
from .fetch import fetch_kernel
from .results import TargetResult, read_result, result_exists, save_run
from .root_filesystems import PYTHON_PACKAGES, RootFilesystem, make_root
from .targets import Bcc, Kernel, Target
from .virtual_machine import EXACT_COUNTS, HOST_ROOT, VirtualMachineError, run_in_vm

_IN_VM = Path(__file__).with_name("run-in-vm.sh")
_DOCTOR_AND_PYTEST = Path(__file__).with_name("doctor-and-pytest.sh")
_IN_CHROOT = Path(__file__).with_name("run-in-chroot.sh")
DEADLINE_SECONDS = 2700.0
SILENCE_SECONDS = 600.0
"""A virtual machine that has written nothing for so long hangs; a test in it has 400 s."""
TESTS = (
    "tests/probes",
    "--ignore=tests/probes/test_copy_time.py",
    "--ignore=tests/probes/test_loader.py",
    "--ignore=tests/probes/test_network.py",
    "--ignore=tests/probes/test_fallback_hooks.py",
    "--ignore=tests/probes/test_zero_copy_reports.py",
    "--deselect=tests/probes/test_churn.py::test_a_full_map",
    "--deselect=tests/probes/test_folders.py::test_the_same_where_the_verifier_can_do_less",
    "tests/service/test_privileges.py::test_nobody_without_a_capability",
    "tests/service/test_privileges.py::test_every_thread_gave_up_the_same",
    "tests/service/test_privileges.py::test_the_loader_is_gone",
    "tests/service/test_exactness.py::test_end_between_and_after_scrapes",
)
"""The tests that depend on the kernel. Left out: tests that load the probes again, which takes 15 s under emulation,
and the fallback hooks, which the older kernels use anyway."""
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
"""Counts of system calls, whose numbers and registers differ between architectures, and the service."""


def run_target(target: Target, shared: Path) -> TargetResult:
    """Test a target. ``shared`` keeps the result; a target that has one there is not tested again."""
    if not result_exists(shared):
        if isinstance(target, Kernel):
            _run_kernel(target, shared)
        else:
            _run_bcc(target, shared)
    return read_result(shared)


def _run_kernel(kernel: Kernel, shared: Path) -> None:
    installed = fetch_kernel(kernel, KERNEL_CACHE)
    tests = TESTS_OF_ANOTHER_ARCHITECTURE if kernel.suite_of_root else TESTS
    root, python, python_path = _root_and_python(kernel, shared)
    command = [*in_vm(shared, python_path), _DOCTOR_AND_PYTEST, python, shared, *_selected(tests)]
    boot = partial(
        run_in_vm,
        installed,
        command,
        shared,
        DEADLINE_SECONDS,
        silence=SILENCE_SECONDS,
        root=root,
        mode=replace(EXACT_COUNTS, preemption=kernel.preemption),
    )
    started, first_start = time.monotonic(), ""
    try:
        status = boot()
    except VirtualMachineError as error:  # emulated kernels hang now and then; the test reports it
        first_start = str(error)
        status = boot()
    save_run(
        shared,
        name_of(installed.release),
        installed.release,
        status,
        time.monotonic() - started,
        first_start=first_start,
    )


def _run_bcc(bcc: Bcc, shared: Path) -> None:
    root = make_root(RootFilesystem(bcc.suite, "amd64"), KERNEL_CACHE)
    command = ["unshare", "--mount", _IN_CHROOT, root, _python_path(), ROOT, shared, *_selected(TESTS)]
    started = time.monotonic()
    status = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=DEADLINE_SECONDS, check=False).returncode
    version = (shared / "bcc").read_text().strip()
    save_run(shared, name_of(platform.release(), bcc=version), platform.release(), status, time.monotonic() - started)


def name_of(release: str, bcc: str = "") -> str:
    """The name of a target on the page: the series of its kernel, and what differs from the others."""
    series = re.match(r"\d+\.\d+", release)
    name = series[0] if series else release
    name += " arm64" if release.endswith("-arm64") else ""
    return f"{name} with BCC {bcc}" if bcc else name


def _selected(tests: Sequence[str]) -> Sequence[str]:
    return os.environ.get("COPY_EXPORTER_VM_TESTS", "").split() or tests


def in_vm(shared: Path, python_path: str = "") -> list[str | Path]:
    """The command that prepares the virtual machine and then runs the words that follow, in the repository."""
    return [shutil.copy(_IN_VM, shared), python_path, ROOT]


def _root_and_python(kernel: Kernel, shared: Path) -> tuple[Path, str, str]:
    """The root file system, and the interpreter in it with its PYTHONPATH."""
    if not kernel.suite_of_root:
        return HOST_ROOT, sys.executable, ""
    root = make_root(RootFilesystem(kernel.suite_of_root, kernel.architecture), KERNEL_CACHE)
    for mounted in (ROOT, shared):
        (root / mounted.relative_to("/")).mkdir(parents=True, exist_ok=True)
    return root, "/usr/bin/python3", _python_path()


def _python_path() -> str:
    return f"/{PYTHON_PACKAGES}:{ROOT}"
