"""What a test needs of the host. A test that cannot run here is skipped with the reason."""

import os
import subprocess
from collections.abc import Sequence
from typing import NoReturn

import pytest

from exporter.kernel.btf import VMLINUX
from tests.support.paths import ROOT

NOT_IN_THIS_KERNEL = "not in this kernel:"
"""The start of a reason that continuous integration accepts: the kernel of the host lacks what is tested."""


def require_root() -> None:
    """Skip the test unless it runs as root."""
    if os.geteuid() != 0:
        pytest.skip("needs root")


def require_bpf() -> None:
    """Skip the test unless it can load eBPF programs."""
    require_root()
    if not VMLINUX.exists():
        skip_for_kernel(str(VMLINUX))


def require_readable_checkout(before: Sequence[str]) -> None:
    """Skip the test unless the checkout is readable for the user as whom the command ``before`` runs other commands."""
    if subprocess.run([*before, "test", "-r", ROOT / "exporter" / "errors.py"], check=False).returncode:
        pytest.skip("the checkout is not readable for other users")


def skip_for_kernel(missing: str) -> NoReturn:
    """Skip the test: this kernel, or its configuration, lacks what is tested."""
    pytest.skip(f"{NOT_IN_THIS_KERNEL} {missing}")
