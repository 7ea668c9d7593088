"""The targets of the matrix: kernels to boot, and versions of BCC to try on the running kernel."""

import re
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Kernel:
    """A series of Debian's kernels, of which the newest release is tested in a virtual machine."""

    name: str
    suites: tuple[str, ...]
    """Debian suites with its packages; those that end in ``-security`` are on the mirror of security updates."""
    packages: tuple[str, ...]
    """Packages to unpack; ``{}`` stands for the release, as ``uname -r`` prints it."""
    release: str
    """Regular expression of the releases of this series."""
    image: str = "boot/vmlinuz-{}"
    """Path of the bootable image in the packages."""
    architecture: str = "amd64"
    always: bool = False
    """Part of ``make test``, not only of ``make matrix``."""
    suite_of_root: str = ""
    """Debian suite of the root file system; empty: the root file system of this host."""
    preemption: str = "full"
    """The mode to boot with, where the kernel offers the choice; full is the hardest for exact counts."""

    @property
    def id(self) -> str:
        """Differs between all targets."""
        return f"{self.name}-{self.preemption}"

    def matches(self, release: str) -> bool:
        """Whether a release is of this series."""
        return re.fullmatch(self.release, release) is not None


@dataclass(frozen=True)
class Bcc:
    """The BCC, compiler and Python of another Debian suite, tried on the running kernel."""

    suite: str
    always: bool = False

    @property
    def id(self) -> str:
        """Differs between all targets."""
        return f"bcc-{self.suite}"


Target = Kernel | Bcc

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
"""0.31 and 0.37; the virtual machines run 0.26."""

TARGETS: tuple[Target, ...] = (*KERNELS, *BCCS)

KERNEL_BY_NAME = {kernel.name: kernel for kernel in KERNELS}

MODES = tuple(
    replace(KERNEL_BY_NAME[name], preemption=preemption, always=False)
    for name, preemption in (
        ("6.1", "none"),
        ("6.1", "voluntary"),
        ("6.12", "none"),
        ("6.12", "voluntary"),
        ("sid", "lazy"),
    )
)
"""The other modes of preemption that kernels offer: only in ``make matrix-modes``."""
