"""Makes root file systems of other Debian suites: unpacked packages, and the Python packages that the tests need.

No program of the root file system runs while it is made (mmdebstrap's variant ``extract``), so it may be of any
architecture.
"""

import hashlib
import shutil
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.progress import announce

from .archive import locked, run, source_line

PACKAGES = (
    "base-files,base-passwd,bash,btrfs-progs,busybox-static,coreutils,dash,dmsetup,e2fsprogs,gcc,grep,hostname,"
    "iproute2,kmod,libbpf1,libc6-dev,linux-libc-dev,mawk,mount,python3,python3-bpfcc,sed,strace,util-linux,xfsprogs"
)
PYTHON_PACKAGES = Path("opt/python")
"""Their directory in the root file system."""
_MERGED_USR_HOOKS = "/usr/share/mmdebstrap/hooks/merged-usr"
_PLATFORMS = {"arm64": "manylinux2014_aarch64", "amd64": "manylinux2014_x86_64"}
_TEST_TOOLS = ("httpx", "pytest")
_COMMAND = "#!/usr/bin/python3\nfrom exporter.cli import main\nmain()\n"


@dataclass(frozen=True)
class RootFilesystem:
    """A Debian suite to unpack."""

    suite: str
    architecture: str


def make_root(root: RootFilesystem, cache: Path) -> Path:
    """The directory of a root file system, from the cache or newly made. Raises :class:`FetchError`."""
    home = cache / f"root-{root.suite}-{root.architecture}"
    ready, unpacking = home / _content_hash(), home / "unpacking"
    with locked(home):
        if not ready.exists():
            announce(f"downloading packages of {root.suite} for {root.architecture}: 700 MB when unpacked")
            shutil.rmtree(unpacking, ignore_errors=True)
            _unpack(root, unpacking)
            unpacking.rename(ready)  # the name marks it as complete
    return ready


def _unpack(root: RootFilesystem, directory: Path) -> None:
    # How this host's apt reaches its mirrors: proxies, and snapshots whose date has passed.
    settings = [f"--aptopt={line}" for line in run("apt-config", "dump", "Acquire").splitlines()]
    options = [f"--architectures={root.architecture}", f"--include={PACKAGES}", f"--hook-dir={_MERGED_USR_HOOKS}"]
    source = source_line(root.suite, root.architecture)
    run("mmdebstrap", "--quiet", "--variant=extract", *settings, *options, root.suite, directory, source)
    # The packages' own scripts would do this.
    for name in ("passwd", "group"):
        shutil.copy(directory / f"usr/share/base-passwd/{name}.master", directory / f"etc/{name}")
    (directory / "usr/bin/awk").symlink_to("mawk")
    (directory / "usr/sbin/poweroff").symlink_to("../bin/busybox")
    command = directory / "usr/bin/copy-exporter"
    command.write_text(_COMMAND)
    command.chmod(0o755)
    _install_python_packages(root, directory)


def _requirements() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tools = [line for line in project["optional-dependencies"]["dev"] if line.startswith(_TEST_TOOLS)]
    return [*project["dependencies"], *tools]


def _content_hash() -> str:
    """Differs when the list of packages differs, so that a changed list makes a new root file system."""
    return hashlib.sha256(" ".join([PACKAGES, *_requirements()]).encode()).hexdigest()[:12]


def _install_python_packages(root: RootFilesystem, directory: Path) -> None:
    version = (directory / "usr/bin/python3").readlink().name.removeprefix("python")
    options = ["--only-binary=:all:", "--implementation=cp", f"--python-version={version}"]
    options += [f"--platform={_PLATFORMS[root.architecture]}", f"--target={directory / PYTHON_PACKAGES}"]
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, *options, *_requirements())
