"""Downloads kernels from the Debian mirrors of this host and unpacks them into the cache.

apt gets sources, lists and archives in the cache: the host's own apt configuration does not change.
"""

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.support.progress import announce

from .archive import FetchError, locked, run, source_line
from .targets import Kernel


@dataclass(frozen=True)
class Installed:
    """An unpacked kernel, ready to boot."""

    kernel: Kernel
    release: str
    directory: Path

    @property
    def image(self) -> Path:
        """The bootable image."""
        return self.directory / self.kernel.image.format(self.release)


def fetch_kernel(kernel: Kernel, cache: Path) -> Installed:
    """Take a kernel from the cache, or download it. Raises :class:`FetchError`."""
    home = cache / f"{kernel.name}-{kernel.architecture}"
    with locked(home):
        found = _cached(kernel, home) or _download(kernel, home)
    if not found.image.exists():
        raise FetchError(f"kernel {kernel.name}: its packages have no {kernel.image.format(found.release)}")
    return found


def _cached(kernel: Kernel, home: Path) -> Installed | None:
    release = newest_of(kernel, (path.name for path in home.iterdir()))
    return Installed(kernel, release, home / release) if release else None


def _download(kernel: Kernel, home: Path) -> Installed:
    apt = _Apt(kernel, home / "apt")
    release = apt.newest()
    announce(f"downloading kernel {release} from Debian: about 100 MB")
    apt.download([package.format(release) for package in kernel.packages])
    unpacked = home / "unpacking"
    shutil.rmtree(unpacked, ignore_errors=True)
    for package in apt.downloaded():
        run("dpkg-deb", "--extract", package, unpacked)
        package.unlink()
    if not (unpacked / "lib").exists():  # packages for a merged /usr
        (unpacked / "lib").symlink_to("usr/lib")
    run("depmod", "--basedir", unpacked, release)
    return Installed(kernel, release, unpacked.rename(home / release))  # the name marks it as complete


class _Apt:
    """apt with its own sources, lists and archives."""

    def __init__(self, kernel: Kernel, home: Path) -> None:
        self._kernel = kernel
        self._archives = home / "archives"
        for directory in (home / "lists/partial", home / "cache/archives/partial", self._archives):
            directory.mkdir(parents=True, exist_ok=True)
        sources = home / "sources.list"
        lines = (source_line(suite, kernel.architecture) for suite in kernel.suites)
        sources.write_text("".join(f"{line}\n" for line in lines))
        settings = {
            "Dir::Etc::SourceList": sources,
            "Dir::Etc::SourceParts": "-",
            "Dir::State::Lists": home / "lists",
            "Dir::Cache": home / "cache",
            "APT::Architecture": kernel.architecture,
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": 3,
        }
        self._options = [f"--option={name}={value}" for name, value in settings.items()]
        self._call("apt-get", "update", "--quiet=2")

    def newest(self) -> str:
        """The newest release of the series that the suites have. Raises :class:`FetchError` when there is none."""
        before = self._kernel.packages[0].removesuffix("{}")
        names = self._call("apt-cache", "pkgnames", before).split()
        release = newest_of(self._kernel, (name.removeprefix(before) for name in names))
        if release is None:
            raise FetchError(
                f"kernel {self._kernel.name}: {' and '.join(self._kernel.suites)} have no package "
                f"{self._kernel.packages[0].format(self._kernel.release)}"
            )
        return release

    def download(self, packages: list[str]) -> None:
        """Download these packages."""
        self._call("apt-get", "download", "--quiet=2", *packages)

    def downloaded(self) -> list[Path]:
        """The downloaded packages."""
        return sorted(self._archives.glob("*.deb"))

    def _call(self, program: str, *arguments: str) -> str:
        return run(program, *self._options, *arguments, directory=self._archives)


def newest_of(kernel: Kernel, releases: Iterable[str]) -> str | None:
    """The newest of these releases that is of the kernel's series; None when there is none."""
    return max(filter(kernel.matches, releases), key=_order, default=None)


def _order(release: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", release)]
