"""The Debian mirrors of this host, and the cache that is kept between runs."""

import fcntl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.paths import CACHE

KERNEL_CACHE = CACHE / "kernels"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class FetchError(Exception):
    """A package cannot be fetched or unpacked; the message is one line."""


def source_line(suite: str, architecture: str) -> str:
    """The line of sources.list for any suite, on the mirrors that apt uses on this host."""
    options = f"arch={architecture}" + (f" signed-by={_KEYRING}" if _KEYRING.exists() else "")
    mirror = dict(_mirrors()).get(suite.endswith("-security"))
    if mirror is None:
        raise FetchError(f"apt on this host has no Debian mirror for {suite}")
    return f"deb [{options}] {mirror} {suite} main"


def _mirrors() -> Iterator[tuple[bool, str]]:
    """For each Debian mirror that apt uses on this host: whether it has security updates, and its address."""
    targets = run(
        "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(ORIGIN) $(COMPONENT)", "Created-By: Packages"
    )
    for line in targets.splitlines():
        address, release, *rest = line.split(" ")
        if rest == ["Debian", "main"]:
            yield release.endswith("-security"), address


def run(*argv: str | Path, directory: Path | None = None) -> str:
    """Run a program; its standard output. Raises :class:`FetchError` with its last line when it fails."""
    done = subprocess.run(argv, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise FetchError(f"{argv[0]} exited with status {done.returncode}: {lines[-1] if lines else 'no output'}")
    return done.stdout


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Create a directory if necessary and lock it, so that two runs do not fill it at the same time."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
