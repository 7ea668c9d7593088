"""What a test needs of the host. A test that cannot run here is skipped with the reason."""

import os
from typing import NoReturn

import pytest

from exporter.kernel.btf import VMLINUX

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


def skip_for_kernel(missing: str) -> NoReturn:
    """Skip the test: this kernel, or its configuration, lacks what is tested."""
    pytest.skip(f"{NOT_IN_THIS_KERNEL} {missing}")
