"""The matrix of kernels, as data."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Kernel:
    """A series of Debian's kernels: the newest of it is taken."""

    name: str
    suites: tuple[str, ...]
    """Where its packages are; ``-security`` ones are found at the mirror of security updates."""
    packages: tuple[str, ...]
    """What to unpack, ``{}`` for the release of the kernel (``uname -r``)."""
    release: str
    """Pattern of the releases of the series."""
    image: str = "boot/vmlinuz-{}"
    """Where the packages have the bootable image."""
    architecture: str = "amd64"
    always: bool = False
    """Part of ``make test``, not only of ``make matrix``."""
    suite_of_root: str = ""
    """The Debian that it runs, where that is not this host's own root."""

    def matches(self, release: str) -> bool:
        """Whether a release is of this series."""
        return re.fullmatch(self.release, release) is not None


@dataclass(frozen=True)
class Bcc:
    """The BCC of another Debian, tried on the running kernel."""

    suite: str
    always: bool = False

    @property
    def name(self) -> str:
        """Not that of a kernel."""
        return f"bcc-{self.suite}"


KERNELS = (
    Kernel(
        name="6.1",
        suites=("bookworm", "bookworm-security"),
        packages=("linux-image-{}",),
        release=r"6\.1\.0-\d+-amd64",
        always=True,
    ),
    Kernel(
        name="6.12",
        suites=("bookworm-security",),
        packages=("linux-image-{}",),
        release=r"6\.12\.\d+\+deb12-amd64",
        always=True,
    ),
    Kernel(
        name="5.10",
        suites=("bullseye", "bullseye-security"),
        packages=("linux-image-{}",),
        release=r"5\.10\.0-\d+-amd64",
    ),
    Kernel(
        name="sid",
        suites=("sid",),
        packages=("linux-binary-{}", "linux-modules-{}", "linux-base-{}"),
        release=r"\d+\.\d+\.\d+\+deb\d+-amd64",
        image="usr/lib/modules/{}/vmlinuz",
    ),
    Kernel(
        name="6.1-arm64",
        suites=("bookworm", "bookworm-security"),
        packages=("linux-image-{}",),
        release=r"6\.1\.0-\d+-arm64",
        architecture="arm64",
        suite_of_root="bookworm",
    ),
)

BCCS = (Bcc("trixie"), Bcc("sid"))
"""0.31 and 0.37, beside the 0.26 that runs in the virtual machines."""

BY_NAME = {kernel.name: kernel for kernel in KERNELS}
