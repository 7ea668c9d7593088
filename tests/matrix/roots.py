"""Root file systems of another Debian: unpacked packages, and the Python packages that the tests need.

Nothing of them is run while they are made (mmdebstrap's variant ``extract``), so any architecture will do.
"""

import hashlib
import shutil
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from .archive import REPOSITORY, locked, run, source_line

PACKAGES = (
    "base-files,base-passwd,bash,btrfs-progs,busybox-static,coreutils,dash,dmsetup,e2fsprogs,gcc,grep,hostname,"
    "iproute2,kmod,libbpf1,libc6-dev,linux-libc-dev,mawk,mount,python3,python3-bpfcc,sed,strace,util-linux,xfsprogs"
)
PYTHON_PACKAGES = Path("opt/python")
"""Where they are in the root."""
_MERGED = "/usr/share/mmdebstrap/hooks/merged-usr"
_PLATFORMS = {"arm64": "manylinux2014_aarch64", "amd64": "manylinux2014_x86_64"}
_TOOLS = ("httpx", "pytest")
_COMMAND = "#!/usr/bin/python3\nfrom exporter.cli import main\nmain()\n"


@dataclass(frozen=True)
class Root:
    """A Debian to unpack."""

    suite: str
    architecture: str


def unpack(root: Root, cache: Path) -> Path:
    """Its directory, from the cache or else made; raise ``FetchError`` when it cannot be had."""
    home = cache / f"root-{root.suite}-{root.architecture}"
    ready, unpacking = home / _contents(), home / "unpacking"
    with locked(home):
        if not ready.exists():
            shutil.rmtree(unpacking, ignore_errors=True)
            _unpack(root, unpacking)
            unpacking.rename(ready)  # by its name it is seen to be complete
    return ready


def _unpack(root: Root, directory: Path) -> None:
    # How this host's apt gets at its mirrors (proxies, snapshots that are past their date).
    settings = [f"--aptopt={line}" for line in run("apt-config", "dump", "Acquire").splitlines()]
    options = [f"--architectures={root.architecture}", f"--include={PACKAGES}", f"--hook-dir={_MERGED}"]
    source = source_line(root.suite, root.architecture)
    run("mmdebstrap", "--quiet", "--variant=extract", *settings, *options, root.suite, directory, source)
    # What the packages' scripts would have done.
    for name in ("passwd", "group"):
        shutil.copy(directory / f"usr/share/base-passwd/{name}.master", directory / f"etc/{name}")
    (directory / "usr/bin/awk").symlink_to("mawk")
    (directory / "usr/sbin/poweroff").symlink_to("../bin/busybox")
    command = directory / "usr/bin/copy-exporter"
    command.write_text(_COMMAND)
    command.chmod(0o755)
    _install_python_packages(root, directory)


def _requirements() -> list[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    tools = [line for line in project["optional-dependencies"]["dev"] if line.startswith(_TOOLS)]
    return [*project["dependencies"], *tools]


def _contents() -> str:
    """A name for what is in a root: with other packages it is another."""
    return hashlib.sha256(" ".join([PACKAGES, *_requirements()]).encode()).hexdigest()[:12]


def _install_python_packages(root: Root, directory: Path) -> None:
    version = (directory / "usr/bin/python3").readlink().name.removeprefix("python")
    options = ["--only-binary=:all:", "--implementation=cp", f"--python-version={version}"]
    options += [f"--platform={_PLATFORMS[root.architecture]}", f"--target={directory / PYTHON_PACKAGES}"]
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, *options, *_requirements())
