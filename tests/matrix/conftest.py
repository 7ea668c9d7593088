"""What the tests that boot kernels need."""

import os
import shutil

import pytest

from .virtual_machine import VNG

PROGRAMS = ("qemu-system-x86_64", "qemu-system-aarch64", "busybox", "depmod", "mkfs.ext4", "mmdebstrap")


@pytest.fixture(scope="session")
def programs_for_emulation() -> None:
    """Skip where emulation is not installed; fail there in continuous integration."""
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if not VNG.exists():
        missing.append("virtme-ng")
    if missing and not os.environ.get("CI"):
        pytest.skip(f"not installed: {', '.join(missing)}")
    assert not missing
