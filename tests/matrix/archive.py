"""The Debian mirror that this host uses, and the cache that is kept between runs of the tests."""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class FetchError(Exception):
    """Something cannot be had; the message says why in one line."""


def cache_directory() -> Path:
    """``$COPY_EXPORTER_CACHE/kernels``, or ``.cache/kernels`` in the checkout."""
    return Path(os.environ.get("COPY_EXPORTER_CACHE") or REPOSITORY / ".cache").absolute() / "kernels"


def source_line(suite: str, architecture: str) -> str:
    """The line of a source list for a suite: whatever this host's own is, its mirrors have the others too."""
    options = f"arch={architecture}" + (f" signed-by={_KEYRING}" if _KEYRING.exists() else "")
    mirror = dict(_mirrors()).get(suite.endswith("-security"))
    if mirror is None:
        raise FetchError(f"apt on this host knows no Debian mirror that has {suite}")
    return f"deb [{options}] {mirror} {suite} main"


def _mirrors() -> Iterator[tuple[bool, str]]:
    """Whether it is for security updates, and the address, of each Debian mirror that apt on this host knows."""
    targets = run(
        "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(ORIGIN) $(COMPONENT)", "Created-By: Packages"
    )
    for line in targets.splitlines():
        address, release, *rest = line.split(" ")
        if rest == ["Debian", "main"]:
            yield release.endswith("-security"), address


def run(*argv: str | Path, directory: Path | None = None) -> str:
    """What a program printed; :class:`FetchError` with its last line when it failed."""
    done = subprocess.run(argv, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise FetchError(f"{argv[0]} ended with status {done.returncode}: {said[-1] if said else 'it said nothing'}")
    return done.stdout


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Two runs at once fill a directory one after the other; it is made when it is not there."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
